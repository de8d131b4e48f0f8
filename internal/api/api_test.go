package api

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

// bench is an API over fakes, with one key of each sort. Its clock stands still.
type bench struct {
	*API
	store *ledger
	shop  *shop
	post  post
	log   *bytes.Buffer

	root, admin, read, other, browser, server string // texts of keys; other is an admin of workspace "other"
}

func newBench(t *testing.T) *bench {
	t.Helper()
	b := &bench{
		store: &ledger{answers: map[[2]string]access.Answer{}},
		shop: &shop{
			customer: cx.NewCustomerID(7), decision: cx.NewDecisionID(9),
			condition: Condition{Ready: true, Stages: []Stage{{Stage: "warehouse", Lag: 0.5}}},
		},
		log: &bytes.Buffer{},
	}
	var keys access.Keyring
	b.API = New(Options{
		Keys: &keys, Store: b.store, Customers: b.shop, Identities: b.shop, History: b.shop, Publisher: b.shop, Imports: b.shop, Sends: &b.post, Records: b.shop, Backups: b.shop, Erasures: b.shop, Health: b.shop,
		Feed: &Feed{}, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.NewTextHandler(b.log, nil)), Version: "1.2.3",
		Now:       func() cx.Instant { return 1_000 * cx.Second },
		Heartbeat: time.Hour, Patience: 50 * time.Millisecond,
	})
	for _, slug := range []cx.Workspace{"other", "shop"} {
		w, err := access.NewWorkspace(slug, "", 1)
		if err != nil {
			t.Fatal(err)
		}
		b.store.workspaces = append(b.store.workspaces, w)
	}
	b.root = b.key(t, access.Everywhere, cx.AdminKey)
	b.admin = b.key(t, "shop", cx.AdminKey)
	b.read = b.key(t, "shop", cx.ReadKey)
	b.browser = b.key(t, "shop", cx.BrowserKey)
	b.server = b.key(t, "shop", cx.ServerKey)
	b.other = b.key(t, "other", cx.AdminKey)
	if err := keys.Reload(t.Context(), b.store); err != nil {
		t.Fatal(err)
	}
	return b
}

func (b *bench) key(t *testing.T, w cx.Workspace, kind cx.KeyKind) string {
	t.Helper()
	text := access.NewKeyText(kind)
	k, err := access.NewKey(w, kind, "", text, 1)
	if err != nil {
		t.Fatal(err)
	}
	b.store.keys = append(b.store.keys, k)
	return text
}

// ask sends one request; header lines are "Name: value".
func (b *bench) ask(t *testing.T, key, method, path, body string, header ...string) (*http.Response, string) {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), method, path, strings.NewReader(body))
	if body != "" {
		r.Header.Set("Content-Type", "application/json")
	}
	if key != "" {
		r.Header.Set("Authorization", "Bearer "+key)
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, ": ")
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	res := w.Result()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return res, strings.TrimSpace(string(text))
}

func TestWhoMayDoWhat(t *testing.T) {
	b := newBench(t)
	keys := map[string]string{"none": "", "wrong": "ck_read_wrong", "browser": b.browser, "server": b.server, "read": b.read, "admin": b.admin, "root": b.root}
	const (
		query   = `{"query":"select 1"}`
		publish = `{"files":[{"name":"a.yaml","text":"kind: segment"}]}`
	)
	for _, c := range []struct {
		method, path, body string
		want               map[string]int
	}{
		{"GET", "/api/v1/status", "", map[string]int{"none": 401, "wrong": 401, "browser": 403, "read": 200, "admin": 200, "root": 200}},
		{"GET", "/api/v1/imports/orders-1?workspace=shop", "", map[string]int{"none": 401, "browser": 403, "read": 403, "server": 200, "admin": 200, "root": 200}},
		{"GET", "/api/v1/imports/Orders", "", map[string]int{"server": 400}},
		{"GET", "/api/v1/imports/orders-1?workspace=other", "", map[string]int{"server": 403, "root": 200}},
		{"GET", "/api/v1/customers?workspace=shop", "", map[string]int{"browser": 403, "read": 200, "admin": 200, "root": 200}},
		{"GET", "/api/v1/customers", "", map[string]int{"read": 200, "admin": 200, "root": 400}},
		{"GET", "/api/v1/customers?workspace=other", "", map[string]int{"read": 403, "admin": 403, "root": 200}},
		{"GET", "/api/v1/customers?workspace=nowhere", "", map[string]int{"root": 404}},
		{"POST", "/api/v1/sql", query, map[string]int{"none": 401, "browser": 403, "read": 200, "admin": 200, "root": 200}},
		{"POST", "/api/v1/definitions", publish, map[string]int{"none": 401, "read": 403, "admin": 201, "root": 400}},
		{"GET", "/api/v1/journal", "", map[string]int{"none": 401, "server": 403, "read": 403, "admin": 403, "root": 200}},
		{"GET", "/api/v1/journal/entries", "", map[string]int{"none": 401, "server": 403, "read": 403, "admin": 403, "root": 200}},
		{"GET", "/api/v1/journal/entries?after=7.3&workspace=shop&wait=5&full=true", "", map[string]int{"root": 200}},
		{"GET", "/api/v1/journal/entries?after=7", "", map[string]int{"root": 400}},
		{"GET", "/api/v1/journal/entries?wait=60", "", map[string]int{"root": 400}},
		{"GET", "/api/v1/journal/entries?workspace=nowhere", "", map[string]int{"root": 404}},
		{"POST", "/api/v1/journal/archive", `{"release":true}`, map[string]int{"none": 401, "read": 403, "admin": 403, "root": 200}},
		{"GET", "/api/v1/keys", "", map[string]int{"read": 403, "admin": 200, "root": 200}},
		{"POST", "/api/v1/backups", `{"dir":"/backups/1"}`, map[string]int{"none": 401, "read": 403, "admin": 403, "root": 202}},
		{"GET", "/api/v1/backups", "", map[string]int{"none": 401, "read": 403, "admin": 403, "root": 200}},
		{"POST", "/api/v1/workspaces", `{"slug":"new"}`, map[string]int{"read": 403, "admin": 403, "root": 201}},
		{"POST", "/api/v1/keys", `{"kind":"read","workspace":"other"}`, map[string]int{"read": 403, "admin": 403, "root": 201}},
		{"POST", "/api/v1/keys", `{"kind":"admin","workspace":"*"}`, map[string]int{"admin": 403, "root": 201}},
		{"GET", "/healthz", "", map[string]int{"none": 200}},
		{"GET", "/readyz", "", map[string]int{"none": 200}},
		{"GET", "/metrics", "", map[string]int{"none": 200}},
		{"GET", "/api/v1/openapi.json", "", map[string]int{"none": 200}},
		{"GET", "/api/v1/nothing", "", map[string]int{"root": 404}},
		{"POST", "/api/v1/status", "{}", map[string]int{"root": 405}},
	} {
		for who, want := range c.want {
			if res, body := b.ask(t, keys[who], c.method, c.path, c.body); res.StatusCode != want {
				t.Errorf("%s %s with %s key: %d %s, want %d", c.method, c.path, who, res.StatusCode, body, want)
			}
		}
	}
}

func TestKeyAsBasicUser(t *testing.T) {
	b := newBench(t)
	r := httptest.NewRequestWithContext(t.Context(), "GET", "/api/v1/status", nil)
	r.SetBasicAuth(b.read, "")
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	if w.Code != 200 {
		t.Errorf("Basic: %d %s", w.Code, w.Body)
	}
}

func TestErrorsGoThroughOneTable(t *testing.T) {
	b := newBench(t)
	for kind, want := range map[cx.Kind]int{
		cx.Invalid: 400, cx.Denied: 403, cx.NotFound: 404, cx.Conflict: 409, cx.Limited: 429, cx.Unavailable: 503,
	} {
		b.shop.wrong = &cx.Error{Kind: kind, Err: faults{"a.yaml:3:1: unknown field", "b.yaml:9:2: no such segment"}}
		res, body := b.ask(t, b.admin, "POST", "/api/v1/definitions", `{"files":[{"name":"a","text":"b"}]}`)
		wantBody := `{"error":{"kind":"` + kind.String() + `","message":"2 faults","details":["a.yaml:3:1: unknown field","b.yaml:9:2: no such segment"]}}`
		if res.StatusCode != want || body != wantBody {
			t.Errorf("%s: %d %s, want %d %s", kind, res.StatusCode, body, want, wantBody)
		}
		if retry := res.Header.Get("Retry-After"); (retry == "1") != (want == 429 || want == 503) {
			t.Errorf("%s: Retry-After %q", kind, retry)
		}
	}
}

func TestInternalErrorsStayInTheLog(t *testing.T) {
	for _, query := range []string{"boom", "panic"} {
		b := newBench(t)
		res, body := b.ask(t, b.read, "POST", "/api/v1/sql", `{"query":"`+query+`"}`)
		var p Problem
		if err := json.Unmarshal([]byte(body), &p); err != nil || res.StatusCode != 500 || p.What.Kind != "internal" {
			t.Fatalf("%s: %d %s", query, res.StatusCode, body)
		}
		if strings.Contains(body, "secret") || strings.Contains(body, "bug") {
			t.Errorf("the caller sees internals: %s", body)
		}
		incident := p.What.Message[strings.LastIndex(p.What.Message, " ")+1:]
		if !strings.HasPrefix(incident, "e_") || !strings.Contains(b.log.String(), incident) {
			t.Errorf("the log does not know %q: %s", incident, b.log)
		}
	}
}

func TestTooSlowIsUnavailable(t *testing.T) {
	b := newBench(t)
	if res, body := b.ask(t, b.read, "POST", "/api/v1/sql", `{"query":"forever"}`); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

func TestCallersWhoLeaveAreNotLogged(t *testing.T) {
	b := newBench(t)
	ctx, leave := context.WithCancel(t.Context())
	leave()
	if p := problem(ctx, b.API.log, fmt.Errorf("query: %w", context.Canceled)); p.code != 503 || b.log.Len() != 0 {
		t.Errorf("%d %v; logged %s", p.code, p, b.log)
	}
	if p := problem(t.Context(), b.API.log, context.Canceled); p.code != 500 || b.log.Len() == 0 {
		t.Errorf("canceled by somebody else: %d %v", p.code, p)
	}
}

func TestWrongInput(t *testing.T) {
	b := newBench(t)
	for _, c := range []struct{ method, path, body, want string }{
		{"POST", "/api/v1/sql", `{"query":""}`, "length >= 1"},
		{"POST", "/api/v1/sql", `{"query":"x","more":1}`, "unexpected property"},
		{"POST", "/api/v1/sql", `{"query":`, "unexpected end"},
		{"POST", "/api/v1/keys", `{"kind":"golden"}`, "browser, server, admin, read"},
		{"GET", "/api/v1/customers?recent=0", "", "number >= 1"},
		{"GET", "/api/v1/customers/bob", "", "is no customer's id"},
		{"GET", "/api/v1/decisions/bob", "", "is no decision's id"},
		{"GET", "/api/v1/customers/" + b.shop.customer.String() + "/story?before=x", "", "is no position"},
		{"POST", "/api/v1/keys", `{"kind":"server","text":"mine"}`, "must be generated"},
	} {
		res, body := b.ask(t, b.admin, c.method, c.path, c.body)
		if res.StatusCode != 400 || !strings.HasPrefix(body, `{"error":{"kind":"invalid"`) || !strings.Contains(body, strings.ReplaceAll(c.want, ">", `\u003e`)) && !strings.Contains(body, c.want) {
			t.Errorf("%s %s %s: %d %s, want %q", c.method, c.path, c.body, res.StatusCode, body, c.want)
		}
	}
	if res, body := b.ask(t, b.admin, "POST", "/api/v1/sql", `{"query":"`+strings.Repeat("x", maxBody)+`"}`); res.StatusCode != 413 {
		t.Errorf("a body over the limit: %d %s", res.StatusCode, body)
	}
}

func TestEachWorkspaceSeesItsOwn(t *testing.T) {
	b := newBench(t)
	customer, decision := "/api/v1/customers/"+b.shop.customer.String(), "/api/v1/decisions/"+b.shop.decision.String()
	for path, want := range map[string]int{customer: 404, decision: 404, customer + "/story": 200} {
		res, body := b.ask(t, b.other, "GET", path, "")
		if res.StatusCode != want || strings.Contains(body, `"kind":"event"`) {
			t.Errorf("%s with the key of another workspace: %d %s", path, res.StatusCode, body)
		}
		if res, body := b.ask(t, b.read, "GET", path, ""); res.StatusCode != 200 {
			t.Errorf("%s with its own key: %d %s", path, res.StatusCode, body)
		}
	}
	b.ask(t, b.read, "POST", "/api/v1/sql", `{"query":"q"}`)
	b.ask(t, b.other, "POST", "/api/v1/sql", `{"query":"q"}`)
	b.ask(t, b.root, "POST", "/api/v1/sql", `{"query":"q"}`)
	b.ask(t, b.root, "POST", "/api/v1/sql?workspace=shop", `{"query":"q"}`)
	if diff := cmp.Diff([]string{"shop q", "other q", "* q", "shop q"}, b.shop.asked); diff != "" {
		t.Error(diff)
	}
	_, keys := b.ask(t, b.admin, "GET", "/api/v1/keys", "")
	if strings.Contains(keys, `"other"`) || !strings.Contains(keys, `"shop"`) {
		t.Errorf("keys of workspace shop: %s", keys)
	}
}

func TestStoryIsReadInPages(t *testing.T) {
	b := newBench(t)
	path := "/api/v1/customers/" + b.shop.customer.String() + "/story?limit=4"
	var read []string
	for before := ""; ; {
		_, body := b.ask(t, b.read, "GET", path+before, "")
		var page storyOutput
		if err := json.Unmarshal([]byte(body), &page); err != nil {
			t.Fatal(err)
		}
		if len(page.Items) == 0 {
			break
		}
		for _, i := range page.Items {
			read = append(read, i.Position)
		}
		before = "&before=" + read[len(read)-1]
	}
	if want := []string{"10.0", "9.0", "8.0", "7.0", "6.0", "5.0", "4.0", "3.0", "2.0", "1.0"}; !cmp.Equal(want, read) {
		t.Errorf("read %v", read)
	}
}

func TestReadiness(t *testing.T) {
	b := newBench(t)
	b.shop.condition = Condition{Reason: "replaying the journal", Stages: []Stage{{Stage: "checkpoint", Position: "9.0", Lag: 12.5, Stuck: true}}}
	res, body := b.ask(t, "", "GET", "/readyz", "")
	if res.StatusCode != 503 || res.Header.Get("Retry-After") == "" || !strings.Contains(body, `"lag_seconds":12.5`) {
		t.Errorf("not ready: %d %s", res.StatusCode, body)
	}
	if res, body := b.ask(t, "", "GET", "/healthz", ""); res.StatusCode != 200 || body != `{"alive":true}` {
		t.Errorf("alive: %d %s", res.StatusCode, body)
	}
}

func TestNothingIsAnsweredBeforeKeysAreLoaded(t *testing.T) {
	a := New(Options{
		Keys: &access.Keyring{}, Feed: &Feed{}, Metrics: prometheus.NewRegistry(), Log: slog.New(slog.DiscardHandler),
	})
	b := &bench{API: a}
	if res, body := b.ask(t, "ck_read_x", "GET", "/api/v1/status", ""); res.StatusCode != 503 || res.Header.Get("Retry-After") == "" {
		t.Errorf("%d %s", res.StatusCode, body)
	}
}

func TestAnswersCannotBeFramedOrCached(t *testing.T) {
	b := newBench(t)
	for _, path := range []string{"/api/v1/status", "/healthz", "/nothing"} {
		res, _ := b.ask(t, b.read, "GET", path, "")
		for _, name := range []string{"X-Content-Type-Options", "X-Frame-Options", "Referrer-Policy", "Content-Security-Policy", "Cache-Control"} {
			if res.Header.Get(name) == "" {
				t.Errorf("%s: no %s", path, name)
			}
		}
	}
}

func TestEmptyListsAreLists(t *testing.T) {
	b := newBench(t)
	for _, path := range []string{"/customers", "/customers/" + b.shop.customer.String(), "/decisions/" + b.shop.decision.String(), "/definitions", "/refused", "/changes"} {
		if res, body := b.ask(t, b.admin, "GET", prefix+path, ""); res.StatusCode != 200 || strings.Contains(body, "null") || !strings.Contains(body, "[]") {
			t.Errorf("%s: %d %s", path, res.StatusCode, body)
		}
	}
}

// The declaration of the routes is the document: each needs a key, says which,
// and is answered by the mux.
func TestEveryRouteIsInTheDocument(t *testing.T) {
	b := newBench(t)
	res, body := b.ask(t, "", "GET", "/api/v1/openapi.json", "")
	var doc struct {
		OpenAPI string
		Paths   map[string]map[string]struct {
			OperationID string
			Summary     string
			Responses   map[string]any
		}
	}
	if err := json.Unmarshal([]byte(body), &doc); err != nil || !strings.HasPrefix(doc.OpenAPI, "3.1") {
		t.Fatalf("%d %v %.200s", res.StatusCode, err, body)
	}
	want := []string{
		"GET /customers/{id}/export", "POST /customers/{id}/erase", "GET /erasures", "GET /erasures/{id}",
		"GET /backups", "POST /backups", "GET /changes", "GET /customers", "GET /customers/{id}", "GET /customers/lookup", "GET /customers/quarantine", "POST /customers/quarantine/release", "GET /customers/{id}/merges", "POST /customers/{id}/merge", "POST /customers/{id}/unmerge", "GET /customers/{id}/story", "GET /decisions/{id}",
		"GET /backfills", "GET /definitions", "POST /definitions", "GET /definitions/files", "POST /definitions/diff", "POST /definitions/rollback", "GET /imports/{job}", "GET /journal", "POST /journal/archive", "GET /journal/entries", "GET /keys", "POST /keys", "DELETE /keys/{id}", "GET /live", "GET /refused",
		"POST /sql", "GET /status", "GET /workspaces", "POST /workspaces",
		"GET /sends", "POST /sends/pause", "POST /sends/resume", "POST /sends/retry", "GET /destinations", "POST /destinations/{name}/secret",
	}
	n := 0
	for _, ops := range doc.Paths {
		n += len(ops)
	}
	if n != len(want) {
		t.Errorf("%d operations in the document, want %d", n, len(want))
	}
	for _, pattern := range want {
		method, path := splitPattern(pattern)
		op, ok := doc.Paths[prefix+path][strings.ToLower(method)]
		if !ok || op.Summary == "" || op.OperationID == "" || op.Responses["401"] == nil && path != "/live" {
			t.Errorf("%s is not described: %+v", pattern, op)
		}
		asksOrActs := path == "/sql" || strings.HasSuffix(path, "/erase") || path == "/journal/archive" || path == "/backups" || path == "/definitions/diff" || strings.HasPrefix(path, "/sends/") || strings.HasSuffix(path, "/secret") || strings.HasSuffix(path, "merge") || strings.HasSuffix(path, "/release")
		if strings.HasPrefix(pattern, "POST") && !asksOrActs && op.Responses["201"] == nil {
			t.Errorf("%s is not described as creating something", pattern)
		}
		asked := prefix + strings.NewReplacer("{id}", "x", "{name}", "x", "{namespace}", "user_id", "{value}", "x").Replace(path)
		if res, _ := b.ask(t, "", method, asked, ""); res.StatusCode != 401 {
			t.Errorf("%s without a key: %d, want 401", pattern, res.StatusCode)
		}
	}
}

func TestRefusedInputIsLookedUpByKey(t *testing.T) {
	b := newBench(t)
	k := b.keys.Ring().Key(b.browser)
	_ = b.store.Refuse(context.Background(), []access.Refused{
		{Workspace: "shop", Key: k.ID, Reason: "too_large", Index: 3},
		{Workspace: "shop", Key: "k_else", Reason: "bad_time", Index: -1},
		{Workspace: "other", Key: k.ID, Reason: "invalid_json"},
	})
	for key, want := range map[string]int{"": 2, string(k.ID): 1, b.browser: 1, "k_none": 0} {
		_, body := b.ask(t, b.read, "GET", "/api/v1/refused?key="+key, "")
		var out refusedOutput
		if err := json.Unmarshal([]byte(body), &out); err != nil || out.Refused == nil || len(out.Refused) != want {
			t.Errorf("key %q: %s (%v), want %d", key, body, err, want)
		}
	}
}
