package api

import (
	"cmp"
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
)

// Appender makes entries durable: the journal.
type Appender interface {
	// Append returns when the entries are durable, or why they may not be. After
	// a return without error it keeps neither entries nor their payloads. tag
	// goes with them to whoever follows the journal live.
	Append(ctx context.Context, entries []cx.Entry, tag any) (cx.Position, error)
}

// Sites knows what workspaces want of the front door. It is safe for concurrent
// use.
type Sites interface {
	// Site returns the wishes of a workspace, the zero Site when it has published
	// none; ok is false while definitions are still being loaded.
	Site(w cx.Workspace) (s Site, ok bool)
}

// Site is what one workspace wants of the front door.
type Site struct {
	Redact   *collect.Redaction
	Batching Batching
}

// Meter is told of every request once it is answered. It is called
// concurrently and must be quick.
type Meter interface {
	Received(Reception)
}

// Reception is how one request went: for counters, without personal data.
type Reception struct {
	Workspace cx.Workspace // "" when the key was not known
	Key       cx.KeyID
	Path      string
	Status    int
	Bytes     int // of the body as it came
	Events    int // accepted
	Rejected  int
	Altered   int
	Read      time.Duration // waiting for the body
	Parse     time.Duration
	Append    time.Duration // until durable
	Answer    time.Duration // from durable to decided
	Total     time.Duration // until the answer was handed to the connection
}

// FrontDoorOptions says what a FrontDoor needs. Journal, Keys and Sites must be
// set; everything else has a default.
type FrontDoorOptions struct {
	Journal  Appender
	Keys     *access.Keyring
	Sites    Sites
	Refusals Refusals         // where samples of refused input go; nil: nowhere
	Meter    Meter            // nil: nobody counts
	Log      *slog.Logger     // nil: no log
	Now      func() time.Time // nil: time.Now

	TrustedProxies []netip.Prefix // whose X-Forwarded-* headers are believed

	ReadTimeout   time.Duration // for a body to arrive; default 10 s
	AppendTimeout time.Duration // for events to become durable; default 5 s
	AnswerTimeout time.Duration // from durable to decided; default 150 ms
	MaxInFlight   int           // requests at once whose body has arrived; default 4,096
	Rate          Rate          // of events for each key; default 300,000/s, burst 600,000
}

// FrontDoor takes events in: the Segment HTTP API as its clients speak it. A
// request is answered with 200 only when its events are durable, with a 4xx
// only when sending it again would never help.
type FrontDoor struct {
	FrontDoorOptions
	limiter  limiter
	inFlight atomic.Int64
	durable  patience
	headers  keyMemory // by Authorization
	texts    keyMemory // by the key's text
	visits   sync.Pool
}

// NewFrontDoor returns a FrontDoor, ready to serve.
func NewFrontDoor(o FrontDoorOptions) *FrontDoor {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Rate == (Rate{}) {
		o.Rate = Rate{PerSecond: 300_000, Burst: 600_000}
	}
	o.ReadTimeout = cmp.Or(o.ReadTimeout, 10*time.Second)
	o.AppendTimeout = cmp.Or(o.AppendTimeout, 5*time.Second)
	o.AnswerTimeout = cmp.Or(o.AnswerTimeout, 150*time.Millisecond)
	o.MaxInFlight = cmp.Or(o.MaxInFlight, 4096)
	return &FrontDoor{
		FrontDoorOptions: o,
		limiter:          limiter{rate: o.Rate},
		durable:          patience{span: o.AppendTimeout},
		visits:           sync.Pool{New: func() any { return new(visit) }},
	}
}

// Before returns a handler that takes in events and leaves all else to next, so
// that most requests need not be looked up among all paths there are.
func (f *FrontDoor) Before(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if call, known := collect.Lookup(r.URL.Path); known && r.Method == http.MethodPost {
			f.receive(w, r, call) //nolint:contextcheck // the visit has r, and with it its context
			return
		}
		next.ServeHTTP(w, r)
	})
}

// ServeHTTP answers a request under /v1/.
func (f *FrontDoor) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	call, known := collect.Lookup(strings.TrimSuffix(r.URL.Path, "/"))
	if known && r.Method == http.MethodPost {
		f.receive(w, r, call) //nolint:contextcheck // the visit has r, and with it its context
		return
	}
	key, settings := settingsKey(r.URL.Path)
	switch {
	case !known && !settings:
		f.fail(w, r, cx.E(cx.NotFound, "", "there is no such path here"))
	case r.Method == http.MethodOptions:
		preflight(w, r)
	case settings && (r.Method == http.MethodGet || r.Method == http.MethodHead):
		f.settings(w, r, key)
	default:
		w.Header().Set("Allow", allowed(known))
		f.refuseMethod(w, r)
	}
}

func allowed(call bool) string {
	if call {
		return "POST, OPTIONS"
	}
	return "GET, HEAD, OPTIONS"
}

// receive is the way of one request through the door.
func (f *FrontDoor) receive(w http.ResponseWriter, r *http.Request, call collect.Call) {
	began := f.Now()
	allowOrigin(w, r)
	v := f.visits.Get().(*visit)
	v.begin(f, r, call, began)
	err := v.run(w)
	if err != nil {
		v.seen.Status = f.fail(w, r, err)
	} else {
		v.seen.Status = http.StatusOK
		accept(w, v.answer)
	}
	if f.Meter != nil {
		v.seen.Total = f.Now().Sub(began)
		f.Meter.Received(v.seen)
	}
	if v.reusable {
		v.forget()
		f.visits.Put(v)
	}
}
