package bench

import (
	"math"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"
)

func TestArrivalsArePoisson(t *testing.T) {
	const n = 100_000
	start := noon
	a := newArrivals(5, start, 10_000)
	var sum, squares float64
	last := start
	for range n {
		due := a.advance()
		gap := due.Sub(last).Seconds()
		sum += gap
		squares += gap * gap
		last = due
	}
	mean := sum / n
	deviation := math.Sqrt(squares/n - mean*mean)
	if math.Abs(mean-1e-4) > 2e-6 || math.Abs(deviation-mean) > 0.02*mean {
		t.Errorf("mean gap %.3g s, standard deviation %.3g s, want both 1e-4", mean, deviation)
	}
	if b := newArrivals(5, start, 10_000); b.advance() != newArrivals(5, start, 10_000).advance() {
		t.Error("the same seed gives another schedule")
	}
}

// A server that stalls must show in the latency of everything that was due
// meanwhile, even though nothing could be sent to it.
func TestStallIsNotHidden(t *testing.T) {
	const stall, rate = 200 * time.Millisecond, 500.0
	c := newCollector()
	gate := make(chan struct{})
	c.answer = func(n int, _ http.ResponseWriter) bool {
		if n == 20 {
			<-gate
		}
		return false
	}
	server := httptest.NewServer(c)
	defer server.Close()
	start := time.Now()
	s := newSender(t, server, 0, 1, false, newSpan(start, 0, 600*time.Millisecond, 5*time.Second))
	time.AfterFunc(stall+50*time.Millisecond, func() { close(gate) })
	lateness, err := openLoop(t.Context(), []*sender{s}, newArrivals(1, start, rate))
	if err != nil {
		t.Fatal(err)
	}
	want := int(0.6 * rate)
	if n := int(s.acked); n < want/2 || n > want*2 || uint64(n) != s.latency.Count() || c.requests != n {
		t.Fatalf("%d sent, %d measured, %d arrived; %d were due", n, s.latency.Count(), c.requests, want)
	}
	slow := 0.0
	for q := 0.01; q < 1; q += 0.01 {
		if s.latency.Quantile(q) > stall/4 {
			slow++
		}
	}
	if slow < 15 {
		t.Errorf("a stall of a third of the run shows in %.0f %% of the requests only", slow)
	}
	if lateness.Max() < stall/4 {
		t.Errorf("with one connection the generator came %v late at most", lateness.Max())
	}
}

func TestClosedLoopStops(t *testing.T) {
	server := httptest.NewServer(newCollector())
	defer server.Close()
	start := time.Now()
	s := newSender(t, server, 0, 5, false, newSpan(start, 30*time.Millisecond, 50*time.Millisecond, time.Second))
	if err := closedLoop(t.Context(), []*sender{s}); err != nil {
		t.Fatal(err)
	}
	if s.measured == 0 || s.measured >= s.acked || time.Since(start) > 5*time.Second {
		t.Errorf("measured %d of %d in %v", s.measured, s.acked, time.Since(start))
	}
}
