package api

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

func TestSettingsDocument(t *testing.T) {
	d := newDoorstep(t, nil)
	w := d.send("GET", "/v1/projects/demo/settings", nil, "Origin", "https://shop.example")
	const want = `{"integrations":{"Segment.io":{"apiKey":"demo","apiHost":"example.com/v1","protocol":"http","retryQueue":true,"addBundledMetadata":true,` +
		`"unbundledIntegrations":[],"bundledConfigIds":[],"unbundledConfigIds":[],"maybeBundledConfigIds":{}}},` +
		`"plan":{"track":{"__default":{"enabled":true,"integrations":{}}},"identify":{"__default":{"enabled":true,"integrations":{}}},"group":{"__default":{"enabled":true,"integrations":{}}}},` +
		`"edgeFunction":{},"metrics":{"sampleRate":0},"enabledMiddleware":{},"remotePlugins":[]}`
	if diff := cmp.Diff(want, w.Body.String()); w.Code != 200 || diff != "" {
		t.Errorf("%d %s", w.Code, diff)
	}
	tag := w.Header().Get("ETag")
	if w.Header().Get("Access-Control-Allow-Origin") != "*" || w.Header().Get("Cache-Control") != "public, max-age=60" || tag == "" {
		t.Errorf("%v", w.Header())
	}
	if w := d.send("GET", "/v1/projects/demo/settings", nil, "If-None-Match", "W/"+tag); w.Code != 304 || w.Body.Len() != 0 {
		t.Errorf("not modified: %d %s", w.Code, w.Body)
	}
	d.houses.site.Batching = Batching{Size: 10, Timeout: 5 * time.Second}
	w = d.send("GET", "/v1/projects/demo/settings", nil, "If-None-Match", tag)
	if !strings.Contains(w.Body.String(), `"deliveryStrategy":{"strategy":"batching","config":{"size":10,"timeout":5000}}`) {
		t.Errorf("batching: %d %s", w.Code, w.Body)
	}
}

func TestSettingsOfNobody(t *testing.T) {
	d := newDoorstep(t, nil)
	for _, key := range []string{"nobody", d.server, d.admin} {
		if w := d.send("GET", "/v1/projects/"+key+"/settings", nil); w.Code != 404 || w.Header().Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("%s: %d %s", key, w.Code, w.Body)
		}
	}
	d.houses.loading = true
	if w := d.send("GET", "/v1/projects/demo/settings", nil); w.Code != 503 {
		t.Errorf("loading: %d", w.Code)
	}
	d.Keys = &access.Keyring{}
	if w := d.send("GET", "/v1/projects/demo/settings", nil); w.Code != 503 {
		t.Errorf("starting: %d", w.Code)
	}
}

func TestSettingsNameTheHostThatWasAsked(t *testing.T) {
	d := newDoorstep(t, func(o *FrontDoorOptions) {
		o.TrustedProxies = []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	})
	ask := func(remote string, secure bool) (host, protocol string) {
		r := httptest.NewRequest("GET", "/v1/projects/demo/settings", nil)
		r.Host, r.RemoteAddr = `cx.example:7700`, remote
		r.Header.Set("X-Forwarded-Proto", "https")
		r.Header.Set("X-Forwarded-Host", "public.example, inner.example")
		if secure {
			r.TLS = &tls.ConnectionState{}
		}
		w := httptest.NewRecorder()
		d.ServeHTTP(w, r)
		var got settingsDocument
		if err := json.Unmarshal(w.Body.Bytes(), &got); err != nil {
			t.Fatal(err)
		}
		return got.Integrations["Segment.io"].APIHost, got.Integrations["Segment.io"].Protocol
	}
	if host, protocol := ask("203.0.113.7:1", false); host != "cx.example:7700/v1" || protocol != "http" {
		t.Errorf("a stranger's headers are believed: %s %s", protocol, host)
	}
	if host, protocol := ask("203.0.113.7:1", true); host != "cx.example:7700/v1" || protocol != "https" {
		t.Errorf("TLS: %s %s", protocol, host)
	}
	if host, protocol := ask("10.1.2.3:1", false); host != "public.example/v1" || protocol != "https" {
		t.Errorf("behind a proxy: %s %s", protocol, host)
	}
}

func TestRemoteAddress(t *testing.T) {
	f := NewFrontDoor(FrontDoorOptions{TrustedProxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	for _, tt := range []struct{ remote, forwarded, want string }{
		{"203.0.113.7:1", "", "203.0.113.7"},
		{"203.0.113.7:1", "198.51.100.1", "203.0.113.7"},
		{"10.0.0.1:1", "198.51.100.1", "198.51.100.1"},
		{"10.0.0.1:1", "1.1.1.1, 198.51.100.1, 10.0.0.2", "198.51.100.1"},
		{"10.0.0.1:1", "junk", "10.0.0.1"},
		{"10.0.0.1:1", "", "10.0.0.1"},
		{"[::ffff:10.0.0.1]:1", "2001:db8::1", "2001:db8::1"},
		{"@", "198.51.100.1", "invalid IP"},
	} {
		r := &http.Request{RemoteAddr: tt.remote, Header: http.Header{}}
		if tt.forwarded != "" {
			r.Header.Set("X-Forwarded-For", tt.forwarded)
		}
		if got := f.remoteAddress(r).String(); got != tt.want {
			t.Errorf("%s, %q: %s, want %s", tt.remote, tt.forwarded, got, tt.want)
		}
	}
}

func TestRefusedInputIsSampled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoorstep(t, nil)
		samples := NewRefusalLog(d.ledger, d.Log)
		d.Refusals = samples
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		done := make(chan error)
		go func() { done <- samples.Run(ctx) }()
		d.post("/v1/b", `{"batch":[`+pageCall+`,{"type":"track","event":"Café \u0000","userId":"u-12345"},{"type":"page","anonymousId":"a","userId":"guest"}]}`, "Authorization", basic("demo"))
		d.post("/v1/t", `{"userId":"u-12345","email":"taro@example.com"}`, "Authorization", basic(d.server))
		d.post("/v1/t", `{"userId":"u-12345`, "Authorization", basic("demo"))
		d.post("/v1/t", `{"userId":"u-12345`, "Authorization", basic("nobody"))
		<-time.After(2 * time.Second) // one tick writes what has come
		cancel()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		browser, server := d.ledger.keys[0].ID, d.ledger.keys[2].ID
		want := []access.Refused{
			{At: doorTime, Workspace: "shop", Key: browser, Reason: "invalid_id", Index: 1, Type: "track", Name: "Café \x00", Excerpt: `{"type":<text 5>,"event":<text 12>,"userId":<text 7>}`},
			{At: doorTime, Workspace: "shop", Key: browser, Altered: true, Reason: "junk_id", Index: 2, Type: "page", Excerpt: `{"type":<text 4>,"anonymousId":<text 1>,"userId":<text 5>}`},
			{At: doorTime, Workspace: "shop", Key: server, Reason: "no_event_name", Index: -1, Type: "track", Excerpt: `{"userId":<text 7>,"email":<mail 16>}`},
			{At: doorTime, Workspace: "shop", Key: browser, Reason: "invalid_json", Index: -1, Type: "track", Excerpt: `{"userId":<unfinished text 7>`},
		}
		if diff := cmp.Diff(want, d.ledger.refuse); diff != "" {
			t.Error(diff)
		}
	})
}

func TestSamplesAreBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := newDoorstep(t, nil)
		samples := NewRefusalLog(d.ledger, d.Log)
		d.Refusals = samples
		for range 100 {
			d.post("/v1/b", `{"batch":[0,`+strings.Repeat(`1,`, 100)+`2]}`, "Authorization", basic("demo"))
			d.post("/v1/p", `{"anonymousId":"a","userId":"guest"}`, "Authorization", basic("demo"))
			d.post("/v1/p", `{}`, "Authorization", basic("other"))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := samples.Run(ctx); err != nil { // writes what is waiting
			t.Fatal(err)
		}
		if n := len(d.ledger.refuse); n != 2*refusedPerSecond+alteredPerSecond {
			t.Errorf("%d samples of one second", n)
		}
	})
}

type brokenStore struct{}

func (brokenStore) Refuse(context.Context, []access.Refused) error { return errors.New("disk on fire") }

func TestSamplesDoNotBlock(t *testing.T) {
	var log strings.Builder
	l := NewRefusalLog(brokenStore{}, slog.New(slog.NewTextHandler(&log, nil)))
	for i := range 3 * refusedQueue { // nobody is writing
		l.Take(access.Refused{At: cx.Instant(i) * cx.Second}, []byte(`{}`))
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := l.Run(ctx); err != nil || !strings.Contains(log.String(), "not kept") {
		t.Errorf("%v %s", err, log.String())
	}
}
