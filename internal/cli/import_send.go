package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kikubari/kikubari/internal/mapping"
)

// Sizes of one request, below what the front door takes.
const (
	importBytes  = 450 << 10
	importEvents = 2400
)

// importRun is one run of an import.
type importRun struct {
	*importCmd
	mapping *mapping.Mapping
	skip    uint64 // lines up to here are not sent
	out     Streams
	began   time.Time
	source  *file

	last    uint64 // line that the server took last
	sent    atomic.Uint64
	bad     uint64
	refused uint64
}

// parcel is the body of one request.
type parcel struct {
	body  []byte
	lines []uint64
}

// send reads the file and sends it: while one request is under way the next is
// written. There is never more than one, because lines are taken in order.
func (r *importRun) send(ctx context.Context) (err error) {
	if r.source, err = openFile(r.File); err != nil {
		return err
	}
	defer r.source.Close()
	stop := r.showProgress()
	defer stop()
	parcels := make(chan *parcel, 2)
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error {
		defer close(parcels)
		return r.pack(ctx, parcels)
	})
	g.Go(func() error {
		for p := range parcels {
			if err := r.post(ctx, p); err != nil {
				return err
			}
		}
		return nil
	})
	return g.Wait()
}

// pack turns lines into requests.
func (r *importRun) pack(ctx context.Context, parcels chan<- *parcel) error {
	in, err := r.mapping.NewReader(r.source)
	if err != nil {
		return err
	}
	p := newParcel()
	for {
		event := len(p.body)
		record, err := in.Next()
		if err == nil && record.Line <= r.skip {
			continue
		}
		if err == nil {
			if len(p.lines) > 0 {
				p.body = append(p.body, ',')
			}
			p.body, err = r.mapping.AppendEvent(p.body, record, r.Job)
		}
		var fault *mapping.LineError
		switch {
		case errors.Is(err, io.EOF):
			return p.hand(ctx, parcels)
		case errors.As(err, &fault) && (!r.SkipBad || fault.Fatal()):
			return errors.Join(p.hand(ctx, parcels), fmt.Errorf("%w\nlines before it are imported; go on by leaving wrong lines out with --skip-bad or, after mending the file, with --job %s, which knows that they are", fault, r.Job))
		case fault != nil:
			p.body = p.body[:event]
			r.bad++
			fmt.Fprintln(r.out.Err, fault)
			continue
		case err != nil:
			return err
		}
		p.lines = append(p.lines, record.Line)
		if len(p.body) >= importBytes || len(p.lines) == importEvents {
			if err := p.hand(ctx, parcels); err != nil {
				return err
			}
			p = newParcel()
		}
	}
}

func newParcel() *parcel {
	return &parcel{body: append(make([]byte, 0, importBytes+40<<10), `{"historical":true,"batch":[`...)}
}

func (p *parcel) hand(ctx context.Context, parcels chan<- *parcel) error {
	if len(p.lines) == 0 {
		return nil
	}
	p.body = append(p.body, `]}`...)
	select {
	case parcels <- p:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// tooLong is how long a server may be away before an import gives up.
const tooLong = 5 * time.Minute

// post sends one request until the server has taken it. Sending it again takes
// nothing twice.
func (r *importRun) post(ctx context.Context, p *parcel) error {
	began, wait := time.Now(), 200*time.Millisecond
	for {
		answer, after, err := r.try(ctx, p.body)
		if err == nil {
			return r.taken(p, answer)
		}
		var final *finalError
		if errors.As(err, &final) || ctx.Err() != nil || time.Since(began) > tooLong {
			return fmt.Errorf("%w\nrun the same command again: it goes on after line %d", err, p.lines[0]-1)
		}
		select {
		case <-time.After(max(wait, after)):
		case <-ctx.Done():
		}
		wait = min(2*wait, 5*time.Second)
	}
}

// taken counts the lines of a request. The last one that the server took is what
// settle waits for.
func (r *importRun) taken(p *parcel, answer batchAnswer) error {
	r.sent.Add(uint64(len(p.lines)))
	refused := make(map[int]bool, len(answer.Rejected))
	for _, x := range answer.Rejected {
		if x.Index < 0 || x.Index >= len(p.lines) {
			return fmt.Errorf("the server refuses event %d of %d: it is of another version", x.Index, len(p.lines))
		}
		refused[x.Index] = true
		r.refused++
		fmt.Fprintf(r.out.Err, "line %d: the server refuses it: %s\n", p.lines[x.Index], x.Reason)
	}
	for i, line := range p.lines {
		if !refused[i] {
			r.last = line
		}
	}
	return nil
}

// finalError is a refusal that sending again would not change.
type finalError struct{ error }

type batchAnswer struct {
	Rejected []struct {
		Index  int    `json:"index"`
		Reason string `json:"reason"`
	} `json:"rejected"`
}

// try sends a body once; after is how long the server asks to wait.
func (r *importRun) try(ctx context.Context, body []byte) (answer batchAnswer, after time.Duration, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, strings.TrimSuffix(r.Server, "/")+"/v1/import", bytes.NewReader(body))
	if err != nil {
		return answer, 0, &finalError{err}
	}
	req.SetBasicAuth(r.Key, "")
	req.Header.Set("Content-Type", "application/json")
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return answer, 0, fmt.Errorf("no answer from %s: is the server running? (%w)", r.Server, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 16<<20))
	if err != nil {
		return answer, 0, err
	}
	switch {
	case res.StatusCode == http.StatusOK:
		return answer, 0, json.Unmarshal(b, &answer)
	case res.StatusCode == http.StatusTooManyRequests || res.StatusCode >= 500:
		seconds, _ := strconv.Atoi(res.Header.Get("Retry-After"))
		return answer, time.Duration(seconds) * time.Second, refusal(res.StatusCode, b)
	}
	return answer, 0, &finalError{refusal(res.StatusCode, b)}
}
