package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// tape is a journal in memory. What answers is called for each append with a
// Waiter, once the events are on the tape.
type tape struct {
	mu      sync.Mutex
	events  []*cx.Event
	fail    error
	answers func(events []*cx.Event, w *pipeline.Waiter)
}

func (t *tape) Append(_ context.Context, entries []cx.Entry, tag any) (cx.Position, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.fail != nil {
		return 0, t.fail
	}
	var now []*cx.Event
	for _, entry := range entries {
		var e cx.Event
		if err := cx.DecodeEvent(entry.Payload, &e); err != nil || entry.Kind != cx.EntryEvent {
			return 0, errors.Join(err, errors.New("not an event"))
		}
		now = append(now, e.Clone())
	}
	first := len(t.events)
	t.events = append(t.events, now...)
	if w, ok := tag.(*pipeline.Waiter); ok && t.answers != nil {
		t.answers(now, w)
	}
	return cx.At(1, first), nil
}

func (t *tape) names() (names []string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, e := range t.events {
		names = append(names, string(e.Name))
	}
	return names
}

// houses are the Sites of a test.
type houses struct {
	site    Site
	loading bool
}

func (h *houses) Site(cx.Workspace) (Site, bool) { return h.site, !h.loading }

type counter struct {
	mu   sync.Mutex
	seen []Reception
}

func (c *counter) Received(r Reception) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.seen = append(c.seen, r)
}

// doorstep is a front door with everything around it.
type doorstep struct {
	*FrontDoor
	tape    *tape
	houses  *houses
	counter *counter
	ledger  *ledger
	log     *bytes.Buffer
	server  string // text of the server key of workspace shop
	admin   string
}

const doorTime = cx.Instant(1_795_334_400_000_000) // 2026-11-22T08:00:00Z

func newDoorstep(tb testing.TB, change func(o *FrontDoorOptions)) *doorstep {
	tb.Helper()
	d := &doorstep{
		tape: &tape{}, houses: &houses{}, counter: &counter{}, log: &bytes.Buffer{}, ledger: &ledger{},
		server: access.NewKeyText(cx.ServerKey), admin: access.NewKeyText(cx.AdminKey),
	}
	add := func(w cx.Workspace, kind cx.KeyKind, text string) {
		k, err := access.NewKey(w, kind, "", text, doorTime)
		if err != nil {
			tb.Fatal(err)
		}
		d.ledger.keys = append(d.ledger.keys, k)
	}
	d.ledger.workspaces = []access.Workspace{{Slug: "shop", SigningSecret: []byte("secret")}, {Slug: "other"}}
	add("shop", cx.BrowserKey, "demo")
	add("other", cx.BrowserKey, "other")
	add("shop", cx.ServerKey, d.server)
	add("shop", cx.AdminKey, d.admin)
	keys := &access.Keyring{}
	if err := keys.Reload(tb.Context(), d.ledger); err != nil {
		tb.Fatal(err)
	}
	o := FrontDoorOptions{
		Journal: d.tape, Keys: keys, Sites: d.houses, Meter: d.counter,
		Log: slog.New(slog.NewTextHandler(d.log, nil)),
		Now: doorTime.Time,
	}
	if change != nil {
		change(&o)
	}
	d.FrontDoor = NewFrontDoor(o)
	return d
}

func basic(key string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(key+":"))
}

// post sends a body; headers are pairs of name and value.
func (d *doorstep) post(path, body string, headers ...string) *httptest.ResponseRecorder {
	return d.send("POST", path, strings.NewReader(body), headers...)
}

func (d *doorstep) send(method, path string, body io.Reader, headers ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(method, path, body)
	r.RemoteAddr = "203.0.113.77:4711"
	for i := 0; i < len(headers); i += 2 {
		r.Header.Set(headers[i], headers[i+1])
	}
	w := httptest.NewRecorder()
	d.ServeHTTP(w, r)
	return w
}

const pageCall = `{"type":"page","anonymousId":"a1","messageId":"m1"}`

func TestEveryPathIsTaken(t *testing.T) {
	const body = `{"event":"E","userId":"u","groupId":"g","previousId":"p"}`
	for path, name := range map[string]string{
		"/v1/identify": "Identified", "/v1/track": "E", "/v1/page": "Page Viewed", "/v1/screen": "Screen Viewed", "/v1/group": "Grouped", "/v1/alias": "Aliased",
		"/v1/i": "Identified", "/v1/t": "E", "/v1/p": "Page Viewed", "/v1/s": "Screen Viewed", "/v1/g": "Grouped", "/v1/a": "Aliased",
		"/v1/batch": "Page Viewed", "/v1/import": "Page Viewed", "/v1/b": "Page Viewed", "/v1/b/": "Page Viewed",
	} {
		d := newDoorstep(t, nil)
		sent := body
		if strings.Contains(path, "/b") || path == "/v1/import" {
			sent = `{"batch":[` + pageCall + `]}`
		}
		w := d.post(path, sent, "Authorization", basic("demo"), "Content-Type", "text/plain")
		if w.Code != 200 || w.Body.String() != `{"success":true}` || w.Header().Get("Content-Type") != "application/json" {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
		if got := d.tape.names(); len(got) != 1 || got[0] != name || d.tape.events[0].Workspace != "shop" {
			t.Errorf("%s: %v", path, got)
		}
	}
}

func TestClientReportsAreDropped(t *testing.T) {
	d := newDoorstep(t, nil)
	w := d.post("/v1/m", `{"series":[{"type":"Counter"}]}`)
	if w.Code != 200 || w.Body.String() != `{"success":true}` || len(d.tape.events) != 0 {
		t.Errorf("%d %s, %d events", w.Code, w.Body, len(d.tape.events))
	}
}

func TestWhatIsNotHere(t *testing.T) {
	d := newDoorstep(t, nil)
	for _, tt := range []struct {
		method, path string
		want         int
	}{
		{"GET", "/v1/track", 405},
		{"PUT", "/v1/batch", 405},
		{"POST", "/v1/projects/demo/settings", 405},
		{"POST", "/v1/nothing", 404},
		{"GET", "/analytics.js/v1/demo/analytics.min.js", 404},
		{"GET", "/v1/projects//settings", 404},
		{"GET", "/v1/projects/a/b/settings", 404},
	} {
		w := d.send(tt.method, tt.path, strings.NewReader(pageCall), "Authorization", basic("demo"))
		if w.Code != tt.want || tt.want == 405 && w.Header().Get("Allow") == "" {
			t.Errorf("%s %s: %d %v", tt.method, tt.path, w.Code, w.Header())
		}
	}
}

func TestKeysInEveryPlace(t *testing.T) {
	keyed := func(key string) string { return `{"writeKey":"` + key + `","type":"page","anonymousId":"a"}` }
	for _, tt := range []struct {
		name, path, body, authorization string
		want                            int
		workspace                       cx.Workspace
	}{
		{"basic", "/v1/p", pageCall, basic("demo"), 200, "shop"},
		{"basic with a password", "/v1/p", pageCall, "Basic " + base64.StdEncoding.EncodeToString([]byte("demo:x")), 200, "shop"},
		{"basic without a colon", "/v1/p", pageCall, "Basic " + base64.StdEncoding.EncodeToString([]byte("demo")), 200, "shop"},
		{"basic without padding", "/v1/p", pageCall, "basic " + base64.RawStdEncoding.EncodeToString([]byte("demo")), 200, "shop"},
		{"in the body", "/v1/p", keyed("demo"), "", 200, "shop"},
		{"in the batch", "/v1/b", `{"batch":[` + pageCall + `],"writeKey":"demo"}`, "", 200, "shop"},
		{"in the batch's events", "/v1/b", `{"batch":[` + keyed("demo") + `]}`, "", 200, "shop"},
		{"in the query, k", "/v1/p?k=demo", pageCall, "", 200, "shop"},
		{"in the query, writeKey", "/v1/p?writeKey=demo", pageCall, "", 200, "shop"},
		{"bearer and body", "/v1/p", keyed("demo"), "Bearer some-oauth-token", 200, "shop"},
		{"bearer alone", "/v1/p", pageCall, "Bearer demo", 200, "shop"},
		{"basic before body", "/v1/p", keyed("other"), basic("demo"), 200, "shop"},
		{"basic before query", "/v1/p?k=other", pageCall, basic("demo"), 200, "shop"},
		{"another workspace", "/v1/p", pageCall, basic("other"), 200, "other"},
		{"none", "/v1/p", pageCall, "", 401, ""},
		{"unknown", "/v1/p", pageCall, basic("nobody"), 401, ""},
		{"unknown, good body", "/v1/p", keyed("demo"), basic("nobody"), 401, ""},
		{"unknown in the body", "/v1/p", keyed("nobody"), "", 401, ""},
		{"unknown bearer", "/v1/p", pageCall, "Bearer nobody", 401, ""},
		{"not base64", "/v1/p", pageCall, "Basic !!!", 401, ""},
		{"a key that is no text", "/v1/p", `{"writeKey":5,"anonymousId":"a"}`, "", 401, ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoorstep(t, nil)
			var headers []string
			if tt.authorization != "" {
				headers = []string{"Authorization", tt.authorization}
			}
			w := d.post(tt.path, tt.body, headers...)
			if w.Code != tt.want {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if tt.want != 200 {
				if len(d.tape.events) != 0 || w.Header().Get("WWW-Authenticate") == "" {
					t.Errorf("%d events, %v", len(d.tape.events), w.Header())
				}
				return
			}
			if got := d.tape.events[0].Workspace; got != tt.workspace {
				t.Errorf("workspace %q, want %q", got, tt.workspace)
			}
		})
	}
}

func TestAdminKeysSendNoEvents(t *testing.T) {
	d := newDoorstep(t, nil)
	if w := d.post("/v1/p", pageCall, "Authorization", basic(d.admin)); w.Code != 403 || len(d.tape.events) != 0 {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}

func TestServerKeysVouch(t *testing.T) {
	d := newDoorstep(t, nil)
	const body = `{"userId":"u1","context":{}}`
	d.post("/v1/identify", body, "Authorization", basic(d.server))
	d.post("/v1/identify", body, "Authorization", basic("demo"))
	d.post("/v1/identify", `{"userId":"u1","context":{"user_signature":"`+collect.Sign([]byte("secret"), "u1")+`"}}`, "Authorization", basic("demo"))
	got := [3]bool{}
	for i, e := range d.tape.events {
		got[i] = e.Has(cx.Verified)
	}
	if got != [3]bool{true, false, true} {
		t.Errorf("verified %v", got)
	}
	if string(d.tape.events[1].Context) != `{"ip":"203.0.113.0"}` || string(d.tape.events[0].Context) != `{}` {
		t.Errorf("contexts %s %s", d.tape.events[0].Context, d.tape.events[1].Context)
	}
}

func TestRefusedForGood(t *testing.T) {
	long := func(n int) string { return `{"anonymousId":"a","x":"` + strings.Repeat("x", n-26) + `"}` }
	many := func(n int) string { return `{"batch":[` + strings.Repeat(pageCall+",", n-1) + pageCall + `]}` }
	var bomb bytes.Buffer
	z := gzip.NewWriter(&bomb)
	if _, err := z.Write(bytes.Repeat([]byte(" "), 5<<20)); err != nil {
		t.Fatal(err)
	}
	z.Close()
	for _, tt := range []struct {
		name, path, body string
		status           int
		reason           collect.Reason
	}{
		{"32 KB", "/v1/p", long(32 << 10), 200, ""},
		{"32 KB and 1", "/v1/p", long(32<<10 + 1), 400, collect.TooLarge},
		{"500 KB and 1", "/v1/b", long(500<<10 + 1), 400, collect.RequestTooLarge},
		{"a gzip bomb", "/v1/b", bomb.String(), 400, collect.RequestTooLarge},
		{"2,500 events", "/v1/b", many(2500), 200, ""},
		{"2,501 events", "/v1/b", many(2501), 400, collect.TooManyEvents},
		{"bad JSON", "/v1/p", `{"a":`, 400, collect.InvalidJSON},
		{"nothing", "/v1/p", ``, 400, collect.InvalidJSON},
		{"no id", "/v1/p", `{}`, 400, collect.NoID},
		{"no name", "/v1/t", `{"userId":"u"}`, 400, collect.NoEventName},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoorstep(t, nil)
			w := d.post(tt.path, tt.body, "Authorization", basic("demo"))
			var got failure
			if w.Code != tt.status || w.Code != 200 && json.Unmarshal(w.Body.Bytes(), &got) != nil {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			if got.Error.Reason != tt.reason || got.Success || w.Code == 400 && (got.Error.Kind != "invalid" || got.Error.Message == "") {
				t.Errorf("%s", w.Body)
			}
			if (tt.status == 200) != (len(d.tape.events) > 0) {
				t.Errorf("%d events", len(d.tape.events))
			}
		})
	}
}

func TestBodyOfUnknownLength(t *testing.T) {
	d := newDoorstep(t, nil)
	for n, want := range map[int]int{400 << 10: 200, 600 << 10: 400} {
		body := `{"batch":[` + pageCall + `]}` + strings.Repeat(" ", n)
		if w := d.send("POST", "/v1/b", struct{ io.Reader }{strings.NewReader(body)}, "Authorization", basic("demo")); w.Code != want {
			t.Errorf("%d bytes: %d %s", n, w.Code, w.Body)
		}
	}
}

func TestGoodEventsOfABatchAreTaken(t *testing.T) {
	d := newDoorstep(t, nil)
	big := `{"type":"page","anonymousId":"a","properties":{"x":"` + strings.Repeat("x", 33<<10) + `"}}`
	w := d.post("/v1/b", `{"batch":[`+strings.Join([]string{pageCall, pageCall, pageCall, big, pageCall, `{"type":"page"}`}, ",")+`]}`, "Authorization", basic("demo"))
	const want = `{"success":true,"rejected":[{"index":3,"reason":"too_large"},{"index":5,"reason":"no_user_anon_id"}]}`
	if w.Code != 200 || w.Body.String() != want || len(d.tape.events) != 4 {
		t.Errorf("%d %s, %d events", w.Code, w.Body, len(d.tape.events))
	}
	w = d.post("/v1/b", `{"batch":[0,0,0,`+big+`]}`, "Authorization", basic("demo"))
	if !strings.HasSuffix(w.Body.String(), `{"index":3,"reason":"too_large"}]}`) || len(d.tape.events) != 4 {
		t.Errorf("nothing good: %d %s", w.Code, w.Body)
	}
}

func TestTemporaryTroubleIsRetriable(t *testing.T) {
	for _, tt := range []struct {
		name    string
		trouble func(d *doorstep)
		want    int
	}{
		{"journal unavailable", func(d *doorstep) { d.tape.fail = cx.E(cx.Unavailable, "append", "the journal is full") }, 503},
		{"journal overloaded", func(d *doorstep) { d.tape.fail = cx.E(cx.Limited, "append", "too much at once") }, 429},
		{"deadline", func(d *doorstep) { d.tape.fail = context.DeadlineExceeded }, 503},
		{"something unknown", func(d *doorstep) { d.tape.fail = errors.New("disk u-12345 on fire") }, 500},
		{"no keys yet", func(d *doorstep) { d.Keys = &access.Keyring{} }, 503},
		{"no definitions yet", func(d *doorstep) { d.houses.loading = true }, 503},
		{"too many requests", func(d *doorstep) { d.inFlight.Store(int64(d.MaxInFlight)) }, 429},
	} {
		t.Run(tt.name, func(t *testing.T) {
			d := newDoorstep(t, nil)
			tt.trouble(d)
			w := d.post("/v1/p", pageCall, "Authorization", basic("demo"), "Origin", "https://shop.example")
			if w.Code != tt.want || w.Header().Get("Access-Control-Allow-Origin") == "" {
				t.Fatalf("%d %v %s", w.Code, w.Header(), w.Body)
			}
			if wait := w.Header().Get("Retry-After"); tt.want != 500 && wait != "1" {
				t.Errorf("Retry-After %q", wait)
			}
			if reset := w.Header().Get("X-RateLimit-Reset"); (tt.want == 429) != (reset == "1") {
				t.Errorf("X-RateLimit-Reset %q", reset)
			}
			if strings.Contains(w.Body.String(), "fire") {
				t.Errorf("internals are shown: %s", w.Body)
			}
		})
	}
}

// After a failed append the journal may still be reading the events: their
// memory must not be used for the next request.
func TestMemoryAfterAFailedAppend(t *testing.T) {
	d := newDoorstep(t, nil)
	held := &holdingJournal{}
	d.Journal = held
	for i := range 50 {
		body := `{"anonymousId":"a","messageId":"m` + string(rune('a'+i%26)) + `","properties":{"x":"` + strings.Repeat(string(rune('a'+i%26)), 100) + `"}}`
		if w := d.post("/v1/p", body, "Authorization", basic("demo")); w.Code != 503 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	for i, entry := range held.entries {
		if !bytes.Equal(entry, held.copies[i]) {
			t.Fatalf("the payload of append %d changed after it failed", i)
		}
	}
	if len(held.entries) != 50 {
		t.Errorf("%d appends", len(held.entries))
	}
}

type holdingJournal struct{ entries, copies [][]byte }

func (h *holdingJournal) Append(_ context.Context, entries []cx.Entry, _ any) (cx.Position, error) {
	for _, e := range entries {
		h.entries = append(h.entries, e.Payload)
		h.copies = append(h.copies, bytes.Clone(e.Payload))
	}
	return 0, cx.E(cx.Unavailable, "append", "not known to be durable")
}

func TestRateOfAKey(t *testing.T) {
	at := doorTime.Time()
	d := newDoorstep(t, func(o *FrontDoorOptions) {
		o.Rate = Rate{PerSecond: 2, Burst: 10}
		o.Now = func() time.Time { return at }
	})
	batch := `{"batch":[` + strings.Repeat(pageCall+",", 11) + pageCall + `]}`
	send := func(key string) *httptest.ResponseRecorder {
		return d.post("/v1/b", batch, "Authorization", basic(key))
	}
	if w := send("demo"); w.Code != 200 {
		t.Fatalf("a batch beyond the burst is cut: %d %s", w.Code, w.Body)
	}
	w := send("demo")
	if w.Code != 429 || w.Header().Get("Retry-After") != "2" || w.Header().Get("X-RateLimit-Reset") != "2" {
		t.Fatalf("overdrawn by 2 at 2/s: %d %v", w.Code, w.Header())
	}
	if w := send("other"); w.Code != 200 {
		t.Errorf("another key waits with it: %d", w.Code)
	}
	at = at.Add(1500 * time.Millisecond)
	if w := send("demo"); w.Code != 200 {
		t.Errorf("after the wait: %d %v", w.Code, w.Header())
	}
	if n := len(d.tape.events); n != 36 {
		t.Errorf("%d events", n)
	}
}

func TestCrossOrigin(t *testing.T) {
	d := newDoorstep(t, nil)
	w := d.send("OPTIONS", "/v1/t", nil, "Origin", "http://127.0.0.1:8124", "Access-Control-Request-Method", "POST", "Access-Control-Request-Headers", "authorization")
	want := map[string]string{
		"Access-Control-Allow-Origin":      "http://127.0.0.1:8124",
		"Access-Control-Allow-Credentials": "true",
		"Access-Control-Allow-Methods":     "GET, POST, OPTIONS",
		"Access-Control-Allow-Headers":     "authorization, content-type, x-retry-count, idempotency-key",
		"Access-Control-Expose-Headers":    "Retry-After, X-RateLimit-Reset",
		"Access-Control-Max-Age":           "86400",
		"Vary":                             "Origin, Access-Control-Request-Method, Access-Control-Request-Headers",
	}
	got := map[string]string{}
	for name, values := range w.Header() {
		got[name] = strings.Join(values, ", ")
	}
	if diff := cmp.Diff(want, got); w.Code != 204 || diff != "" {
		t.Errorf("%d %s", w.Code, diff)
	}
	w = d.post("/v1/t", `{"event":"E","userId":"u"}`, "Authorization", basic("demo"), "Origin", "http://127.0.0.1:8124")
	if w.Code != 200 || w.Header().Get("Access-Control-Allow-Origin") != "http://127.0.0.1:8124" || w.Header().Get("Vary") != "Origin" {
		t.Errorf("%d %v", w.Code, w.Header())
	}
	if w = d.post("/v1/t", `{"event":"E","userId":"u"}`, "Authorization", basic("demo")); w.Header().Get("Access-Control-Allow-Origin") != "" {
		t.Errorf("without an origin: %v", w.Header())
	}
}

func TestMeterIsTold(t *testing.T) {
	d := newDoorstep(t, nil)
	body := `{"batch":[` + pageCall + `,0,{"type":"page","anonymousId":"a","userId":"null"}]}`
	d.post("/v1/b", body, "Authorization", basic("demo"))
	d.post("/v1/p", `{}`, "Authorization", basic("nobody"))
	got := d.counter.seen
	want := []Reception{
		{Workspace: "shop", Key: d.ledger.keys[0].ID, Path: "/v1/b", Status: 200, Bytes: len(body), Events: 2, Rejected: 1, Altered: 1},
		{Path: "/v1/p", Status: 401},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestLogHoldsNothingPersonal(t *testing.T) {
	d := newDoorstep(t, nil)
	d.tape.fail = errors.New("disk on fire")
	d.post("/v1/identify", `{"userId":"u-12345","traits":{"email":"taro@example.com"}}`, "Authorization", basic("demo"))
	d.post("/v1/identify", `{"userId":"u-12345","traits":"taro@example.com"}`, "Authorization", basic("demo"))
	if log := d.log.String(); !strings.Contains(log, "disk on fire") || strings.Contains(log, "12345") || strings.Contains(log, "taro") || strings.Contains(log, "203.0.113") {
		t.Errorf("log: %s", log)
	}
}

func BenchmarkFrontDoor(b *testing.B) {
	d := newDoorstep(b, func(o *FrontDoorOptions) { o.Journal, o.Now = nowhere{}, nil })
	for _, bm := range []struct{ name, path, body string }{
		{"one", "/v1/p", pageCall},
		{"fifty", "/v1/b", `{"batch":[` + strings.Repeat(pageCall+",", 49) + pageCall + `]}`},
	} {
		b.Run(bm.name, func(b *testing.B) {
			body := strings.NewReader(bm.body)
			r := httptest.NewRequest("POST", bm.path, body)
			r.Header.Set("Authorization", basic("demo"))
			w := &blankWriter{header: http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				body.Reset(bm.body)
				clear(w.header)
				d.ServeHTTP(w, r)
				if w.code != 200 {
					b.Fatal(w.code)
				}
			}
		})
	}
}

// blankWriter is a ResponseWriter that costs nothing.
type blankWriter struct {
	header http.Header
	code   int
}

func (w *blankWriter) Header() http.Header  { return w.header }
func (w *blankWriter) WriteHeader(code int) { w.code = code }

func (w *blankWriter) Write(b []byte) (int, error) {
	w.code = max(w.code, http.StatusOK)
	return len(b), nil
}

type nowhere struct{}

func (nowhere) Append(context.Context, []cx.Entry, any) (cx.Position, error) { return 1, nil }
