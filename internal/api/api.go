package api

import (
	"context"
	"fmt"
	"log/slog"
	"maps"
	"net/http"
	"runtime/debug"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

// Options is what an API is made of. Every field is needed but the last three.
type Options struct {
	Keys       *access.Keyring
	Store      access.Store
	Customers  Customers
	Identities Identities
	History    History
	Publisher  Publisher
	Imports    Imports
	Sends      Sends
	Backups    Backups
	Erasures   Erasures
	Records    Records
	Health     Health
	Feed       *Feed // closed by its owner, before the server is shut down
	Metrics    prometheus.Gatherer
	Log        *slog.Logger
	Version    string // of the program

	Now       func() cx.Instant // the wall clock when nil
	Heartbeat time.Duration     // between comments on a live stream; 15 s when 0
	Patience  time.Duration     // longest time one request may take, live streams apart; 30 s when 0
}

// API serves /api/v1, /healthz, /readyz and /metrics. It is safe for concurrent
// use.
type API struct {
	keys       *access.Keyring
	store      access.Store
	customers  Customers
	identities Identities
	history    History
	publisher  Publisher
	imports    Imports
	sends      Sends
	backups    Backups
	erasures   Erasures
	records    Records
	health     Health
	feed       *Feed
	log        *slog.Logger
	now        func() cx.Instant
	heartbeat  time.Duration
	patience   time.Duration

	busy sync.Map // idempotency keys in use
	huma huma.API
	mux  *http.ServeMux
	next http.Handler
}

// New returns an API over o.
func New(o Options) *API {
	a := &API{
		keys: o.Keys, store: o.Store, customers: o.Customers, identities: o.Identities, history: o.History,
		publisher: o.Publisher, imports: o.Imports, sends: o.Sends, records: o.Records, backups: o.Backups, erasures: o.Erasures, health: o.Health, feed: o.Feed, log: o.Log,
		now: o.Now, heartbeat: o.Heartbeat, patience: o.Patience,
		mux: http.NewServeMux(),
	}
	if a.now == nil {
		a.now = func() cx.Instant { return cx.InstantOf(time.Now()) }
	}
	if a.heartbeat == 0 {
		a.heartbeat = 15 * time.Second
	}
	if a.patience == 0 {
		a.patience = 30 * time.Second
	}
	a.huma = humago.New(a.mux, document(o.Version))
	a.huma.UseMiddleware(a.authenticate)
	a.routes()
	a.operate(o.Metrics)
	a.next = a.guard(a.mux)
	return a
}

// ServeHTTP answers one request.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) { a.next.ServeHTTP(w, r) }

// document is the head of the OpenAPI document; the routes fill in the rest.
func document(version string) huma.Config {
	c := huma.DefaultConfig("Kikubari", version)
	c.Info.Description = "The operator's and analyst's side of Kikubari. Events come in elsewhere: POST /v1/{track,page,identify,…}."
	c.Info.License = &huma.License{Name: "Apache-2.0", Identifier: "Apache-2.0"}
	c.OpenAPIPath = prefix + "/openapi"
	c.DocsPath, c.SchemasPath, c.CreateHooks = "", "", nil
	c.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		"bearer": {Type: "http", Scheme: "bearer", Description: "A read or admin key"},
		"basic":  {Type: "http", Scheme: "basic", Description: "The key as user name, no password"},
	}
	c.Security = []map[string][]string{{"bearer": {}}, {"basic": {}}}
	return c
}

// refuse answers a request that does not reach its handler.
func (a *API) refuse(c huma.Context, err error) {
	_, w := humago.Unwrap(c)
	a.fail(c.Context(), w, err)
}

// fail writes err as every failure looks.
func (a *API) fail(ctx context.Context, w http.ResponseWriter, err error) {
	p := problem(ctx, a.log, err)
	maps.Copy(w.Header(), p.GetHeaders())
	writeJSON(w, p.code, p)
}

// guard puts the limits and headers around h that hold for every answer, and
// turns a panic into an ordinary failure.
func (a *API) guard(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		secure(w.Header())
		defer a.rescue(w, r)
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		if r.URL.Path == prefix+"/live" || strings.HasSuffix(r.URL.Path, "/export") {
			h.ServeHTTP(w, r)
			return
		}
		ctx, cancel := context.WithTimeout(r.Context(), a.patience)
		defer cancel()
		h.ServeHTTP(w, r.WithContext(ctx))
	})
}

// rescue is deferred around a handler: what panics there ends as an ordinary
// failure, with the stack in the log.
func (a *API) rescue(w http.ResponseWriter, r *http.Request) {
	switch p := recover(); p {
	case nil:
	case http.ErrAbortHandler:
		panic(p)
	default:
		a.fail(r.Context(), w, fmt.Errorf("panic: %v\n%s", p, debug.Stack()))
	}
}

// secure sets the headers under which nothing we answer can be framed, sniffed,
// cached or made to load anything.
func secure(h http.Header) {
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("X-Frame-Options", "DENY")
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set("Cache-Control", "no-store")
}

func quote(s string) string {
	if len(s) > 60 {
		s = s[:60] + "…"
	}
	return strconv.Quote(s)
}
