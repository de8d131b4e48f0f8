package bench

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

func TestRulesMode(t *testing.T) {
	var out bytes.Buffer
	r, err := Run(t.Context(), Options{Mode: Rules, Customers: 100, Duration: 100 * time.Millisecond, JSON: true}, &out)
	if err != nil {
		t.Fatal(err)
	}
	var line Result
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line.Acked != r.Acked || bytes.Count(out.Bytes(), []byte("\n")) != 1 {
		t.Errorf("%v: %s", err, &out)
	}
	if r.SegmentsPerEvent <= 0 || r.DecisionPerEvent <= 0 || r.Acked == 0 || r.Decided == 0 || r.Decided == r.Acked {
		t.Errorf("%+v", r)
	}
	if r.RulesPerEvent <= 0 || r.SaidPerEvent <= 0 || r.IdlePerEvent <= 0 || r.DecisionShare < 0.02 || r.DecisionShare > 0.6 {
		t.Errorf("shares and medians: %+v", r)
	}
	if r.RulesAllocs == nil || *r.RulesAllocs > 0.5 {
		t.Errorf("silence allocates: %v", r.RulesAllocs)
	}
}

// whole is a server with everything that a measurement asks for. It stores each
// message once, and keeps a share of what it acknowledges when lossy.
type whole struct {
	*collector
	lossy bool
}

func (h *whole) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch r.URL.Path {
	case "/metrics":
		h.mu.Lock()
		defer h.mu.Unlock()
		fmt.Fprintf(w, "# HELP x y\nkikubari_stage_seconds_total{stage=\"fold\"} %g\nkikubari_stage_seconds_total{stage=\"log\"} %g\ngo_goroutines 9\n", float64(h.requests)*0.003, float64(h.requests)*0.001)
	case "/api/v1/sql":
		if r.Header.Get("Authorization") != "Bearer reader" {
			w.WriteHeader(401)
			return
		}
		h.mu.Lock()
		defer h.mu.Unlock()
		n := len(h.messages)
		if h.lossy && n > 0 {
			n--
		}
		fmt.Fprintf(w, `{"columns":[{"name":"n","type":"BIGINT"}],"rows":[[%d]],"truncated":false}`, n)
	default:
		h.collector.ServeHTTP(w, r)
	}
}

func TestMeasuringATarget(t *testing.T) {
	for _, mode := range []Mode{Closed, Open} {
		h := &whole{collector: newCollector()}
		server := httptest.NewServer(h)
		defer server.Close()
		var out bytes.Buffer
		r, err := Run(t.Context(), Options{
			Mode: mode, Target: host(server), Key: "secret", Admin: "reader", PID: os.Getpid(), Connections: 4, Batch: 5, Rate: 200,
			Customers: 1000, WarmUp: 50 * time.Millisecond, Duration: 200 * time.Millisecond,
		}, &out)
		if err != nil {
			t.Fatalf("%s: %v", mode, err)
		}
		if r.Acked == 0 || r.Acked != r.Stored || r.Acked != uint64(len(h.messages)) {
			t.Errorf("%s: acknowledged %d, stored %d, arrived %d", mode, r.Acked, r.Stored, len(h.messages))
		}
		if share := r.Stages["fold"]; math.Abs(share-0.75) > 1e-9 || len(r.Stages) != 2 {
			t.Errorf("%s: stages %v", mode, r.Stages)
		}
		if r.P50 <= 0 || r.P50 > r.P99 || r.P99 > r.P999 || r.P999 > r.Max || r.EventsPerSecond <= 0 {
			t.Errorf("%s: %+v", mode, r)
		}
		if runtime.GOOS == "linux" && (r.RSS < 1 || r.Peak < r.RSS) {
			t.Errorf("%s: resident %v MB, peak %v MB", mode, r.RSS, r.Peak)
		}
		if !strings.Contains(out.String(), "events_per_second") {
			t.Errorf("%s wrote %q", mode, &out)
		}
	}
}

func TestLossIsAnError(t *testing.T) {
	h := &whole{collector: newCollector(), lossy: true}
	h.messages["one"], h.messages["two"] = 1, 1
	server := httptest.NewServer(h)
	defer server.Close()
	ours := &target{control: newControl(host(server), "reader"), own: &process{}}
	ours.patience = time.Millisecond
	r := Result{Acked: 2}
	if err := r.verify(t.Context(), ours, 0); err == nil || r.Stored != 1 {
		t.Errorf("2 acknowledged, %d stored: %v", r.Stored, err)
	}
}

func TestWrongOptions(t *testing.T) {
	for _, o := range []Options{
		{Mode: "fast"},
		{Batch: 501},
		{Connections: -1},
		{Target: "127.0.0.1:1"},
		{Actions: true, Batch: 2},
		{Mode: Memory, Target: "127.0.0.1:1", Key: "k"},
		{Customers: -5},
	} {
		if _, err := Run(t.Context(), o, io.Discard); err == nil {
			t.Errorf("%+v was accepted", o)
		}
	}
}

func TestFloorMode(t *testing.T) {
	dir := t.TempDir()
	r, err := Run(t.Context(), Options{Mode: Floor, Data: dir, Duration: 20 * time.Millisecond}, io.Discard)
	if err != nil || r.Floor50 <= 0 || r.Floor50 > r.Floor999 {
		t.Errorf("%+v (%v)", r, err)
	}
	if left, _ := os.ReadDir(dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

// A child of this test plays the server: it says what a first start says, takes
// its time, and ends on SIGTERM.
func TestServerProcess(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "server")
	text := "#!/bin/sh\ntrap 'echo stopping; exit 0' TERM\necho 'The admin key is: ck_admin_0abc'\necho \"on http://127.0.0.1:4711 with $*\"\nwhile :; do sleep 0.05; done\n"
	if err := os.WriteFile(script, []byte(text), 0o700); err != nil {
		t.Fatal(err)
	}
	s, err := startServer(t.Context(), script, dir, []string{"--set", "a=b"})
	if err != nil {
		t.Fatal(err)
	}
	if s.address != "127.0.0.1:4711" || s.admin != "ck_admin_0abc" || !strings.Contains(s.lastWords(), "serve --data "+dir+" --listen 127.0.0.1:0 --set a=b") {
		t.Errorf("address %q, key %q, said %q", s.address, s.admin, s.lastWords())
	}
	if err := s.stop(); err != nil || !strings.Contains(s.lastWords(), "stopping") {
		t.Errorf("%v; said %q", err, s.lastWords())
	}
	script += "-broken"
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho no such flag\nexit 2\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := startServer(t.Context(), script, dir, nil); err == nil || !strings.Contains(err.Error(), "no such flag") {
		t.Errorf("a server that ends at once: %v", err)
	}
}

func TestCPUTime(t *testing.T) {
	got, err := cpuTime([]byte("7 (a (b) c) S 1 7 7 0 -1 4194560 2 0 0 0 150 50 0 0 20 0 9 0 1 2 3"))
	if err != nil || got != 2*time.Second {
		t.Errorf("%v, %v", got, err)
	}
	if n := statusBytes([]byte("Name:\tx\nVmHWM:\t    20 kB\nVmRSS:\t    12 kB\n"), "VmRSS:"); n != 12<<10 {
		t.Errorf("VmRSS %d", n)
	}
	for _, bad := range []string{"", "7 (x) S", "7 (x) S 1 7 7 0 -1 4194560 2 0 0 0 a b 0"} {
		if _, err := cpuTime([]byte(bad)); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
