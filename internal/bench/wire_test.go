package bench

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
)

func host(s *httptest.Server) string { return strings.TrimPrefix(s.URL, "http://") }

func TestWireReadsWhatServersAnswer(t *testing.T) {
	long := strings.Repeat("x", 100_000)
	mux := http.NewServeMux()
	mux.HandleFunc("/fixed", func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, `{"success":true}`) })
	mux.HandleFunc("/none", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(204) })
	mux.HandleFunc("/chunked", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Trailer", "X-Sum")
		for _, part := range []string{"one", long, "three"} {
			_, _ = io.WriteString(w, part)
			_ = http.NewResponseController(w).Flush()
		}
		w.Header().Set("X-Sum", "1")
	})
	mux.HandleFunc("/busy", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Retry-After", "7")
		http.Error(w, "busy", http.StatusServiceUnavailable)
	})
	mux.HandleFunc("/close", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Connection", "close")
		_, _ = io.WriteString(w, "bye")
	})
	server := httptest.NewServer(mux)
	defer server.Close()
	w, err := dial(t.Context(), host(server))
	if err != nil {
		t.Fatal(err)
	}
	defer w.close()
	for _, c := range []struct {
		path string
		want reply
		body string
	}{
		{"/fixed", reply{status: 200}, `{"success":true}`},
		{"/chunked", reply{status: 200}, "one" + long + "three"},
		{"/none", reply{status: 204}, ""},
		{"/busy", reply{status: 503, retryAfter: 7 * time.Second}, "busy\n"},
		{"/nowhere", reply{status: 404}, "404 page not found\n"},
		{"/fixed", reply{status: 200}, `{"success":true}`},
		{"/close", reply{status: 200, closing: true}, "bye"},
	} {
		if err := w.send(fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: x\r\n\r\n", c.path)); err != nil {
			t.Fatal(err)
		}
		got, err := w.receive()
		if err != nil || got.status != c.want.status || got.retryAfter != c.want.retryAfter || got.closing != c.want.closing || string(got.body) != c.body {
			t.Errorf("%s: %d %v %v %.60q (%v)", c.path, got.status, got.retryAfter, got.closing, got.body, err)
		}
	}
}

func TestWireRefusesWhatIsNoAnswer(t *testing.T) {
	for _, text := range []string{
		"", "SSH-2.0-OpenSSH\r\n\r\n", "HTTP/1.1 abc\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: -1\r\n\r\n",
		"HTTP/1.1 200 OK\r\nContent-Length: 99999999999\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nshort",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffff\r\n",
		"HTTP/1.1 200 OK\r\n" + strings.Repeat("A: b\r\n", 20_000) + "\r\n",
	} {
		ours, theirs := net.Pipe()
		go func() {
			_, _ = io.WriteString(theirs, text)
			theirs.Close()
		}()
		w := &wire{conn: ours, in: bufio.NewReader(ours)}
		if r, err := w.receive(); err == nil {
			t.Errorf("%.60q was taken for %+v", text, r)
		}
		ours.Close()
	}
}

// collector is a front door that notes what it was sent.
type collector struct {
	mu       sync.Mutex
	requests int
	messages map[string]int
	paths    map[string]int
	answer   func(n int, w http.ResponseWriter) bool // true: it has answered
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.requests++
	if c.answer != nil && c.answer(c.requests, w) {
		return
	}
	body, err := io.ReadAll(r.Body)
	key, _, _ := r.BasicAuth()
	var in struct {
		MessageID string
		Batch     []struct{ MessageID string }
	}
	if json.Unmarshal(body, &in) != nil || err != nil || key != "secret" || int64(len(body)) != r.ContentLength {
		http.Error(w, "bad", 400)
		return
	}
	for _, e := range in.Batch {
		c.messages[e.MessageID]++
	}
	if in.MessageID != "" {
		c.messages[in.MessageID]++
	}
	c.paths[r.URL.String()]++
	_, _ = io.WriteString(w, `{"success":true,"actions":[{"decision":"d_1"}]}`)
}

func newCollector() *collector {
	return &collector{messages: map[string]int{}, paths: map[string]int{}}
}

func newSender(t *testing.T, server *httptest.Server, stream, batch int, actions bool, s span) *sender {
	t.Helper()
	w, err := dial(t.Context(), host(server))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.close)
	v := NewShop(1, 1000).Visitors(stream)
	return &sender{composer: newComposer(v, host(server), "secret", batch, actions), wire: w, span: s}
}

func TestRequestsAreUnderstood(t *testing.T) {
	c := newCollector()
	server := httptest.NewServer(c)
	defer server.Close()
	s := newSpan(time.Now(), 0, time.Hour, time.Second)
	single, batch := newSender(t, server, 0, 1, true, s), newSender(t, server, 1, 50, false, s)
	if err := fill(t.Context(), []*sender{single, batch}, 100); err != nil {
		t.Fatal(err)
	}
	if single.acked != 100 || batch.acked != 5000 || single.decided != 100 || len(c.messages) != 5100 || single.latency.Count() != 100 {
		t.Errorf("acknowledged %d and %d, decided %d, arrived %d, measured %d", single.acked, batch.acked, single.decided, len(c.messages), single.latency.Count())
	}
	if c.paths["/v1/batch"] != 100 || c.paths["/v1/t?actions=1"] == 0 || c.paths["/v1/p?actions=1"] == 0 {
		t.Errorf("paths %v", c.paths)
	}
}

func TestWhatIsNotAcknowledgedIsSentAgain(t *testing.T) {
	c := newCollector()
	c.answer = func(n int, w http.ResponseWriter) bool {
		switch n {
		case 2:
			w.WriteHeader(503)
		case 3:
			w.WriteHeader(429)
		case 5:
			conn, _, err := http.NewResponseController(w).Hijack()
			if err == nil {
				conn.Close()
			}
		default:
			return false
		}
		return true
	}
	server := httptest.NewServer(c)
	defer server.Close()
	s := newSender(t, server, 0, 10, false, newSpan(time.Now(), 0, time.Hour, time.Second))
	if err := fill(t.Context(), []*sender{s}, 5); err != nil {
		t.Fatal(err)
	}
	if s.busy != 1 || s.limited != 1 || s.broken != 1 || s.acked != 50 || len(c.messages) != 50 {
		t.Errorf("busy %d, limited %d, broken %d, acknowledged %d, arrived %d", s.busy, s.limited, s.broken, s.acked, len(c.messages))
	}
	for id, n := range c.messages {
		if n != 1 {
			t.Errorf("%s arrived %d times", id, n)
		}
	}
}

func TestGivingUpIsAnError(t *testing.T) {
	c := newCollector()
	c.answer = func(_ int, w http.ResponseWriter) bool { w.WriteHeader(503); return true }
	server := httptest.NewServer(c)
	defer server.Close()
	s := newSender(t, server, 0, 10, false, newSpan(time.Now(), 0, 0, 100*time.Millisecond))
	if err := fill(t.Context(), []*sender{s}, 1); err == nil || s.abandoned != 10 || s.acked != 0 || s.busy == 0 {
		t.Errorf("%v; abandoned %d, acknowledged %d, busy %d", err, s.abandoned, s.acked, s.busy)
	}
	c.answer = func(_ int, w http.ResponseWriter) bool { w.WriteHeader(401); return true }
	if err := fill(t.Context(), []*sender{s}, 1); err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("a refusal: %v", err)
	}
}
