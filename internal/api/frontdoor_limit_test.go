package api

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

// A key is remembered for the ring it was found in and for no other: what is
// revoked is refused with the very next request.
func TestRememberedKeysEndWithTheirRing(t *testing.T) {
	d := newDoorstep(t, nil)
	for range 3 {
		if w := d.post("/v1/p", pageCall, "Authorization", basic("demo")); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
		if w := d.post("/v1/b", `{"writeKey":"demo","batch":[`+pageCall+`]}`); w.Code != 200 {
			t.Fatalf("%d %s", w.Code, w.Body)
		}
	}
	d.Keys.Use(access.NewRing(d.ledger.workspaces, d.ledger.keys[1:]))
	if w := d.post("/v1/p", pageCall, "Authorization", basic("demo")); w.Code != 401 {
		t.Errorf("a revoked key in the header: %d %s", w.Code, w.Body)
	}
	if w := d.post("/v1/b", `{"writeKey":"demo","batch":[`+pageCall+`]}`); w.Code != 401 {
		t.Errorf("a revoked key in the body: %d %s", w.Code, w.Body)
	}
	// The text of a header is no key's text.
	if w := d.post("/v1/p", pageCall, "Authorization", basic("other")); w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	if w := d.post("/v1/b", `{"writeKey":"`+basic("other")+`","batch":[`+pageCall+`]}`); w.Code != 401 {
		t.Errorf("a header as a key: %d %s", w.Code, w.Body)
	}
}

func TestSharedDeadlines(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const span = 5 * time.Second
		p := patience{span: span}
		first := p.context()
		for range 300 { // a minute
			ctx, began := p.context(), time.Now()
			if end, ok := ctx.Deadline(); !ok || end.Sub(began) < span || end.Sub(began) > span+span/20 {
				t.Fatalf("ends after %v", end.Sub(began))
			}
			<-time.After(200 * time.Millisecond)
		}
		if first.Err() != context.DeadlineExceeded {
			t.Errorf("the first: %v", first.Err())
		}
		<-time.After(2 * span)
	})
}

func TestLimiterKeepsKeysApart(t *testing.T) {
	l := limiter{rate: Rate{PerSecond: 10, Burst: 20}}
	at := doorTime.Time()
	if err := l.take("k_1", 25, at); err != nil {
		t.Fatal(err)
	}
	if err := l.take("k_1", 1, at); cx.KindOf(err) != cx.Limited || waitOf(err) < time.Second/2 {
		t.Errorf("overdrawn: %v", err)
	}
	if err := l.take("k_2", 1, at); err != nil {
		t.Errorf("another key: %v", err)
	}
	if err := l.take("k_1", 1, at.Add(time.Second)); err != nil {
		t.Errorf("a second later: %v", err)
	}
}
