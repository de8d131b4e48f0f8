package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/mapping"
)

type importCmd struct {
	server
	File    string `arg:"" type:"existingfile" help:"CSV or NDJSON file, plain or compressed by gzip."`
	Map     string `required:"" type:"existingfile" placeholder:"FILE" help:"YAML file that says which column becomes what."`
	Job     string `placeholder:"NAME" help:"Name of the import; the file's digest when not given. Another name imports the same file once more."`
	SkipBad bool   `help:"Leave out lines that are wrong and go on; they are printed."`
	DryRun  bool   `help:"Only check the first 1,000 lines and say what they become."`
}

// Run checks the mapping on the first lines, then sends every line that the
// server has not taken yet, in order, and waits until the warehouse has them.
func (c *importCmd) Run(ctx context.Context, s Streams) error {
	m, err := c.mapping()
	if err != nil {
		return err
	}
	if err := c.check(m, s); err != nil || c.DryRun {
		return err
	}
	if c.Job == "" {
		if c.Job, err = digest(c.File); err != nil {
			return err
		}
	}
	done, err := c.progress(ctx)
	if err != nil {
		return err
	}
	if done.Line > 0 {
		fmt.Fprintf(s.Err, "goes on after line %d: the server has taken those before\n", done.Line)
	}
	run := &importRun{importCmd: c, mapping: m, skip: done.Line, out: s, began: time.Now()}
	if err := run.send(ctx); err != nil {
		return err
	}
	return run.settle(ctx)
}

func (c *importCmd) mapping() (*mapping.Mapping, error) {
	text, err := os.ReadFile(c.Map)
	if err != nil {
		return nil, err
	}
	m, err := mapping.Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Map, err)
	}
	if c.Job != "" && !cx.IsJob(c.Job) {
		return nil, fmt.Errorf("--job %q: lower-case letters, digits and dashes, at most %d", c.Job, cx.MaxJob)
	}
	if name := strings.ToLower(strings.TrimSuffix(c.File, ".gz")); m.Format == "" {
		m.Format = "csv"
		if strings.HasSuffix(name, ".ndjson") || strings.HasSuffix(name, ".jsonl") || strings.HasSuffix(name, ".json") {
			m.Format = "ndjson"
		}
	}
	return m, nil
}

// check says what the mapping makes of the first lines and fails when one of
// them is wrong.
func (c *importCmd) check(m *mapping.Mapping, s Streams) error {
	f, err := openFile(c.File)
	if err != nil {
		return err
	}
	defer f.Close()
	report, err := m.Check(f)
	if err != nil {
		return fmt.Errorf("%s: %w", c.File, err)
	}
	fmt.Fprint(s.Err, report)
	switch {
	case report.Events == 0:
		return errors.New("nothing was imported: no line makes an event")
	case report.Faulty > 0 && !c.SkipBad:
		return errors.New("nothing was imported: mend the mapping or the file, or leave wrong lines out by --skip-bad")
	}
	return nil
}

// progress asks how far the job has come.
func (c *importCmd) progress(ctx context.Context) (p struct {
	Line   uint64 `json:"line"`
	Stored bool   `json:"stored"`
}, err error,
) {
	err = c.call(ctx, http.MethodGet, "/api/v1/imports/"+url.PathEscape(c.Job), nil, nil, &p)
	return p, err
}

// digest names the job after what is in the file.
func digest(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", err
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", err
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// file is a file being read, unpacked if it is packed.
type file struct {
	io.Reader
	disk *os.File
	size int64
	read atomic.Int64 // bytes of the disk's file
}

func openFile(path string) (*file, error) {
	disk, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	f := &file{disk: disk}
	if info, err := disk.Stat(); err == nil {
		f.size = info.Size()
	}
	in := bufio.NewReaderSize(counted{f}, 256<<10)
	f.Reader = in
	if start, _ := in.Peek(2); bytes.Equal(start, []byte{0x1f, 0x8b}) {
		if f.Reader, err = gzip.NewReader(in); err != nil {
			return nil, errors.Join(fmt.Errorf("%s: %w", path, err), disk.Close())
		}
	}
	return f, nil
}

func (f *file) Close() error { return f.disk.Close() }

type counted struct{ f *file }

func (c counted) Read(p []byte) (int, error) {
	n, err := c.f.disk.Read(p)
	c.f.read.Add(int64(n))
	return n, err
}

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

// settle waits until the machine has taken the last line and the warehouse has
// it, and says what was done.
func (r *importRun) settle(ctx context.Context) error {
	sent := time.Since(r.began)
	for {
		p, err := r.progress(ctx)
		if err != nil {
			return err
		}
		if p.Line >= r.last && p.Stored {
			break
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	n := r.sent.Load()
	fmt.Fprintf(r.out.Out, "%d lines imported in %.1f s, %.0f a second; in the warehouse after %.1f s\n", n-r.refused, sent.Seconds(), float64(n)/sent.Seconds(), time.Since(r.began).Seconds())
	if r.bad+r.refused > 0 {
		fmt.Fprintf(r.out.Out, "%d lines were left out: %d wrong, %d refused by the server\n", r.bad+r.refused, r.bad, r.refused)
	}
	return nil
}

// showProgress prints how far the import has come, on one line of a terminal and
// every few seconds elsewhere, until the returned function is called.
func (r *importRun) showProgress() (stop func()) {
	every, end := 5*time.Second, "\n"
	if terminal(r.out.Err) {
		every, end = 200*time.Millisecond, "\r"
	}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				if end == "\r" {
					fmt.Fprintln(r.out.Err)
				}
				return
			case <-ticker.C:
				fmt.Fprint(r.out.Err, r.bar(), end)
			}
		}
	}()
	return func() { close(done); <-stopped }
}

func (r *importRun) bar() string {
	const width = 30
	part := min(1, float64(r.source.read.Load())/float64(max(r.source.size, 1)))
	spent := time.Since(r.began)
	left := "…"
	if part > 0.01 {
		left = time.Duration(float64(spent) * (1 - part) / part).Round(time.Second).String()
	}
	full := int(part * width)
	return fmt.Sprintf("[%s%s] %3.0f %%  %d lines  %.0f/s  %s left ", strings.Repeat("#", full), strings.Repeat("-", width-full), 100*part, r.sent.Load(), float64(r.sent.Load())/spent.Seconds(), left)
}

// terminal reports whether w is a screen.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
