package webhook

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/deliver"
)

// Endpoint is where a destination listens, and how it is spoken to.
type Endpoint struct {
	URL        string
	Idempotent bool     // it takes a delivery once, however often it comes with the same key
	Secrets    [][]byte // to sign with; a receiver may know any of them
}

// Directory knows the endpoints of destinations. It is safe for concurrent use.
type Directory interface {
	// Endpoint returns how a destination is reached now; kind NotFound when the
	// workspace has none of that name any more.
	Endpoint(ctx context.Context, w cx.Workspace, destination string) (Endpoint, error)
	// Idempotent answers the same for Endpoint.Idempotent alone, without waiting.
	Idempotent(w cx.Workspace, destination string) bool
}

// Sender is the channel. It implements deliver.Sender.
type Sender struct {
	directory Directory
	client    *http.Client
	agent     string
	now       func() time.Time
}

var _ deliver.Sender = (*Sender)(nil)

// Options say what a Sender works with; all but Directory may be zero.
type Options struct {
	Directory Directory
	Allow     Allowed          // inner addresses that may be reached
	Agent     string           // User-Agent
	Now       func() time.Time // for signatures
}

// New returns a Sender. Close ends its idle connections.
func New(o Options) *Sender {
	if o.Now == nil {
		o.Now = time.Now
	}
	transport := &http.Transport{
		DialContext: o.Allow.dial, ForceAttemptHTTP2: true, TLSHandshakeTimeout: 10 * time.Second,
		MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute, MaxResponseHeaderBytes: 64 << 10,
	}
	client := &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	return &Sender{directory: o.Directory, client: client, agent: o.Agent, now: o.Now}
}

// Close ends idle connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

// Idempotent makes Sender a deliver.Sender.
func (s *Sender) Idempotent(d *cx.Delivery) bool {
	return s.directory.Idempotent(d.Workspace, d.Destination)
}

// Send makes Sender a deliver.Sender.
func (s *Sender) Send(ctx context.Context, d *cx.Delivery) error {
	to, err := s.directory.Endpoint(ctx, d.Workspace, d.Destination)
	switch {
	case err != nil && cx.KindOf(err) == cx.NotFound:
		return deliver.Refused(err)
	case err != nil:
		return deliver.NotNow(err, 0)
	}
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	req, err := s.request(ctx, d, to)
	if err != nil {
		return deliver.Refused(err)
	}
	res, err := s.client.Do(req)
	if err != nil {
		return unanswered(err, connected.Load())
	}
	defer res.Body.Close()
	return verdict(res, to.Idempotent)
}

// request makes the signed request.
func (s *Sender) request(ctx context.Context, d *cx.Delivery, to Endpoint) (*http.Request, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to.URL, bytes.NewReader(d.Payload))
	if err != nil {
		return nil, fmt.Errorf("destination %s: %w", d.Destination, err)
	}
	if !to.Idempotent {
		req.GetBody = nil // net/http would send it again by itself when a kept connection breaks
	}
	key, at := d.Key.String(), s.now()
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", s.agent)
	req.Header.Set("Idempotency-Key", key)
	req.Header.Set("webhook-id", key)
	req.Header.Set("webhook-timestamp", strconv.FormatInt(at.Unix(), 10))
	req.Header.Set("webhook-signature", Sign(to.Secrets, key, at, d.Payload))
	return req, nil
}

// unanswered judges a request that got no answer. Without a connection nothing
// has arrived.
func unanswered(err error, connected bool) error {
	if u, ok := errors.AsType[*url.Error](err); ok {
		err = u.Err // without the address, which may hold a key
	}
	if _, ok := errors.AsType[*addressError](err); ok {
		return deliver.Refused(err)
	}
	if !connected {
		return deliver.NotNow(err, 0)
	}
	return err
}

// verdict judges an answer:
//
//	2xx                                    the receiver has it
//	301 302 307 308 …                      refused: redirects are not followed
//	400 405 410 413 414 415 422 431 501 505  refused: it would never be taken
//	other 4xx, 503                         not taken: it may be later
//	other 5xx                              nobody knows
//
// 409 is the answer to a key that is being worked on; a receiver that cannot tell
// keys means something else by it, and refuses.
func verdict(res *http.Response, idempotent bool) error {
	code := res.StatusCode
	if code >= 200 && code < 300 {
		_, _ = io.Copy(io.Discard, io.LimitReader(res.Body, maxAnswer)) // so that the connection can be used again
		return nil
	}
	err := error(answerOf(res))
	switch code {
	case 400, 405, 410, 413, 414, 415, 422, 431, 501, 505:
		return deliver.Refused(err)
	case 409:
		if !idempotent {
			return deliver.Refused(err)
		}
	}
	switch {
	case code < 400:
		return deliver.Refused(fmt.Errorf("%w; redirects are not followed: write the address where it listens into the destination", err))
	case code < 500 || code == 503:
		return deliver.NotNow(err, retryAfter(res))
	}
	return err
}

// Limits of what is read of an answer and kept of it, in bytes and characters.
const (
	maxAnswer = 4 << 10
	maxReason = 200
)

// answerError is an answer that is no success.
type answerError struct {
	status string
	words  string // the beginning of the body, on one line
}

func (e *answerError) Error() string {
	if e.words == "" {
		return e.status
	}
	return e.status + ": " + e.words
}

// LogValue leaves out what the receiver says: it may speak of persons.
func (e *answerError) LogValue() slog.Value { return slog.StringValue(e.status) }

func answerOf(res *http.Response) *answerError {
	b, _ := io.ReadAll(io.LimitReader(res.Body, maxAnswer)) // what came before an error is still worth showing
	words := strings.Join(strings.FieldsFunc(strings.ToValidUTF8(string(b), ""), func(r rune) bool { return r <= ' ' || r == 0x7f || r >= 0x80 && r < 0xa0 }), " ")
	if runes := []rune(words); len(runes) > maxReason {
		words = string(runes[:maxReason]) + "…"
	}
	return &answerError{fmt.Sprintf("%d %s", res.StatusCode, http.StatusText(res.StatusCode)), words}
}

// longestAfter bounds what a receiver may ask for.
const longestAfter = time.Hour

// retryAfter reads how long the receiver wants to be left alone, 0 when it does
// not say.
func retryAfter(res *http.Response) time.Duration {
	h := res.Header.Get("Retry-After")
	if seconds, err := strconv.ParseInt(h, 10, 32); err == nil {
		return min(max(0, time.Duration(seconds)*time.Second), longestAfter)
	}
	at, err := http.ParseTime(h)
	now, err2 := http.ParseTime(res.Header.Get("Date"))
	if err != nil || err2 != nil {
		return 0
	}
	return min(max(0, at.Sub(now)), longestAfter)
}
