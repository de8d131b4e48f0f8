package static

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"
)

var page = "<!doctype html><title>t</title>" + strings.Repeat("<p>words words words", 50)

func serve(t *testing.T, o Options, method, path string, head map[string]string) *http.Response {
	t.Helper()
	h, err := Handler(fstest.MapFS{
		"index.html":     {Data: []byte(page)},
		"js/main.js":     {Data: []byte("1")},
		"sub/index.html": {Data: []byte("sub")},
		".keep":          {Data: []byte("hidden")},
	}, o)
	if err != nil {
		t.Fatal(err)
	}
	r := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	for k, v := range head {
		r.Header.Set(k, v)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestStatusAndType(t *testing.T) {
	for _, c := range []struct {
		method, path, kind string
		status             int
	}{
		{"GET", "/", "text/html; charset=utf-8", 200},
		{"HEAD", "/index.html", "text/html; charset=utf-8", 200},
		{"GET", "/sub/", "text/html; charset=utf-8", 200},
		{"GET", "/js/main.js", "text/javascript; charset=utf-8", 200},
		{"GET", "/absent.js", "text/plain; charset=utf-8", 404},
		{"GET", "/.keep", "text/plain; charset=utf-8", 404},
		{"GET", "/../static.go", "text/plain; charset=utf-8", 404},
		{"POST", "/", "text/plain; charset=utf-8", 405},
	} {
		reply := serve(t, Options{}, c.method, c.path, nil)
		if reply.StatusCode != c.status || reply.Header.Get("Content-Type") != c.kind {
			t.Errorf("%s %s: %d %s, want %d %s", c.method, c.path, reply.StatusCode, reply.Header.Get("Content-Type"), c.status, c.kind)
		}
	}
}

func TestCompressedWhenAskedFor(t *testing.T) {
	for accept, want := range map[string]string{"gzip, br": "gzip", "br;q=1, gzip;q=0.5": "gzip", "gzip;q=0": "", "": ""} {
		reply := serve(t, Options{}, "GET", "/", map[string]string{"Accept-Encoding": accept})
		if got := reply.Header.Get("Content-Encoding"); got != want {
			t.Fatalf("Accept-Encoding %q: Content-Encoding %q, want %q", accept, got, want)
		}
		body := io.Reader(reply.Body)
		if want == "gzip" {
			unpacked, err := gzip.NewReader(reply.Body)
			if err != nil {
				t.Fatal(err)
			}
			body = unpacked
		}
		got, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(page, string(got)); diff != "" {
			t.Errorf("Accept-Encoding %q: body (-want +got):\n%s", accept, diff)
		}
	}
}

func TestKnownTagIsNotSentAgain(t *testing.T) {
	tag := serve(t, Options{}, "GET", "/", nil).Header.Get("ETag")
	reply := serve(t, Options{}, "GET", "/", map[string]string{"If-None-Match": tag})
	body, _ := io.ReadAll(reply.Body)
	if reply.StatusCode != 304 || len(body) != 0 {
		t.Errorf("got %d with %d bytes, want 304 with none", reply.StatusCode, len(body))
	}
	if other := serve(t, Options{}, "GET", "/", map[string]string{"If-None-Match": tag, "Accept-Encoding": "gzip"}); other.StatusCode != 200 {
		t.Errorf("the compressed form has the plain form's tag")
	}
}

func TestHeaders(t *testing.T) {
	o := Options{Policy: Strict, MaxAge: 5 * time.Minute, AnyPlace: true}
	head := serve(t, o, "GET", "/", nil).Header
	for name, want := range map[string]string{
		"Content-Security-Policy":     Strict,
		"Cache-Control":               "public, max-age=300",
		"Access-Control-Allow-Origin": "*",
		"X-Content-Type-Options":      "nosniff",
	} {
		if got := head.Get(name); got != want {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if got := serve(t, o, "GET", "/js/main.js", nil).Header.Get("Content-Security-Policy"); got != "" {
		t.Errorf("a script carries the policy %q", got)
	}
}
