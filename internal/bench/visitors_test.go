package bench

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"
)

var noon = time.Date(2026, 11, 22, 3, 0, 0, 123e6, time.UTC)

type sentEvent struct {
	Type, Event, Timestamp, MessageID, AnonymousID, UserID string
	Properties                                             struct {
		Price    float64
		Products []any
	}
	Context struct {
		Page struct{ URL string }
	}
}

func TestVisitorsAreTheSameForEver(t *testing.T) {
	hash := func(seed uint64, stream int) string {
		v, h := NewShop(seed, 1_000_000).Visitors(stream), sha256.New()
		var b []byte
		for i := range 400 {
			b = v.AppendBatch(b[:0], 25, noon.Add(time.Duration(i)*time.Millisecond))
			h.Write(b)
		}
		return hex.EncodeToString(h.Sum(nil))[:16]
	}
	const golden = "50b59101199554c7"
	if got := hash(1, 0); got != golden {
		t.Errorf("10,000 events of seed 1, stream 0: %s, want %s", got, golden)
	}
	if hash(1, 1) == golden || hash(2, 0) == golden {
		t.Error("another seed or stream gives the same events")
	}
}

func TestEventsLookReal(t *testing.T) {
	const n = 6_000
	v := NewShop(7, 100_000).Visitors(3)
	size, ids, people, names := 0, map[string]bool{}, map[string]int{}, map[string]int{}
	var b []byte
	for i := range n {
		var letter byte
		b, letter = v.AppendSingle(b[:0], noon.Add(time.Duration(i)*time.Millisecond))
		size += len(b)
		var e sentEvent
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatalf("%v: %s", err, b)
		}
		if e.Event == "Product Added" && e.Properties.Price < 1 || e.Context.Page.URL == "" || len(e.Timestamp) != 24 || e.Type[0] != letter {
			t.Fatalf("not a real event: %s", b)
		}
		ids[e.MessageID] = true
		people[e.AnonymousID]++
		names[e.Type+" "+e.Event]++
	}
	if len(ids) != n {
		t.Errorf("%d message ids for %d events", len(ids), n)
	}
	if mean := size / n; mean < 700 || mean > 860 {
		t.Errorf("an event has %d bytes on average", mean)
	}
	if busiest := slices.Max(slices.Collect(maps.Values(people))); len(people) < n/20 || busiest > n/100 {
		t.Errorf("%d people, the busiest sent %d of %d", len(people), busiest, n)
	}
	for _, name := range []string{"page ", "identify ", "track Product Viewed", "track Product Added", "track Product Removed", "track Cart Viewed", "track Checkout Started", "track Order Completed", "track Products Searched"} {
		if names[name] == 0 {
			t.Errorf("no %s among %v", name, names)
		}
	}
	if names["track Order Completed"] > names["track Checkout Started"] || names["track Product Removed"] > names["track Product Added"] {
		t.Errorf("more orders than checkouts: %v", names)
	}
}

func TestProductsFollowZipf(t *testing.T) {
	c, seen := newCatalogue(NewShop(1, 1).Visitors(0).r), make([]int, catalogueSize)
	for _, p := range c.popular {
		seen[p]++
	}
	if !slices.IsSortedFunc(seen[:100], func(a, b int) int { return b - a }) {
		t.Error("the first hundred products are not in order of popularity")
	}
	if ratio := float64(seen[0]) / float64(seen[9]); ratio < 9.5 || ratio > 10.5 {
		t.Errorf("the first product is drawn %.1f times as often as the tenth, want 10", ratio)
	}
	if slices.Min(seen) == 0 {
		t.Error("a product is never drawn")
	}
}

func TestRollVisitsEverybodyOnce(t *testing.T) {
	v, people := NewShop(1, 1000).Roll(0, 1, 4, 10), map[string]int{}
	for range 50 {
		var e sentEvent
		b, _ := v.AppendSingle(nil, noon)
		if err := json.Unmarshal(b, &e); err != nil {
			t.Fatal(err)
		}
		people[e.AnonymousID]++
	}
	if len(people) != 5 || slices.Max(slices.Collect(maps.Values(people))) != 10 {
		t.Errorf("50 events of 5 customers: %v", people)
	}
}

func BenchmarkAppendEvent(b *testing.B) {
	v, buf, now := NewShop(1, 1_000_000).Visitors(0), make([]byte, 0, 4096), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		buf = v.AppendEvent(buf[:0], now)
	}
}
