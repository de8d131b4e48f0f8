package profile

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// shopSpecs are twenty statistics as a shop would keep them; a Product Added
// event touches ten of them.
func shopSpecs(tb testing.TB) []SlotSpec {
	tb.Helper()
	var out []SlotSpec
	for i, text := range []string{
		`sum("Product Added", "price * quantity", "session")`,
		`count("Product Added", "session")`,
		`sum("Product Added", "price", "7d")`,
		`count("Product Added", "1h")`,
		`max("Product Added", "price", "all")`,
		`last("Product Added", "category", "all")`,
		`distinct("Product Added", "category", "30d")`,
		`count("*", "session")`,
		`count("*", "day")`,
		`last_time("*", "all")`,
		`count("Page Viewed", "session")`,
		`count("Page Viewed", "7d")`,
		`count("Product Viewed", "session")`,
		`top("Product Viewed", "category", 3, "30d")`,
		`recent("Product Viewed", "sku", 5, "all")`,
		`avg("Product Viewed", "price", "7d")`,
		`sum("Order Completed", "revenue", "all")`,
		`count("Order Completed", "30d")`,
		`last_time("Order Completed", "all")`,
		`sum("Product Removed", "price * quantity", "session")`,
	} {
		out = append(out, SlotSpec{Slot: i, Spec: parseSpec(tb, text)})
	}
	return out
}

// shopper makes the events of one visitor, deterministically.
type shopper struct {
	rand *rand.Rand
	n    int
	now  cx.Instant
	ev   cx.Event
}

func newShopper(seed uint64) *shopper {
	return &shopper{rand: rand.New(rand.NewPCG(seed, 1)), now: cx.InstantOf(time.Date(2026, 11, 22, 9, 0, 0, 0, time.UTC))}
}

func (s *shopper) next(name cx.EventName) *cx.Event {
	s.n++
	s.now += cx.Instant(1+s.rand.IntN(60)) * cx.Second
	if s.n%7 == 0 {
		s.now += 5 * cx.Hour
	}
	category := s.rand.IntN(12)
	s.ev = cx.Event{
		Workspace: "demo", Key: "demo", KeyKind: cx.BrowserKey, Type: cx.Track, Name: name, Time: s.now, ReceivedAt: s.now,
		MessageID: fmt.Sprintf("ajs-next-%016x-%08d", s.rand.Uint64(), s.n), AnonymousID: "5f0c2d2e-6b0e-4b57-9d52-58f7f9b7d001",
		Properties: fmt.Appendf(nil, `{"product_id":"p-%d","sku":"sku-%d","category":"category %d","name":"A product","brand":"brand","price":%d,"quantity":1,"currency":"JPY","url":"https://shop.example/p/1"}`,
			s.rand.IntN(300), s.rand.IntN(300), category, 500*(1+s.rand.IntN(20))),
	}
	return &s.ev
}

var mix = []cx.EventName{cx.PageViewed, "Product Viewed", "Product Viewed", "Product Added", cx.PageViewed, "Product Viewed", "Product Added", "Product Removed", "Product Added", cx.OrderCompleted}

func benchPlan(tb testing.TB) *Plan {
	tb.Helper()
	return NewPlan(Settings{Zone: mustZone(tb, "Asia/Tokyo"), Currency: "JPY"}, shopSpecs(tb))
}

// BenchmarkApply folds an event that touches ten of twenty statistics into a
// customer of a few dozen events.
func BenchmarkApply(b *testing.B) { benchmarkApply(b, "Product Added") }

// BenchmarkApplyLists folds an event that touches six, among them a top-N and a
// recent-N.
func BenchmarkApplyLists(b *testing.B) { benchmarkApply(b, "Product Viewed") }

func benchmarkApply(b *testing.B, name cx.EventName) {
	p, s := benchPlan(b), newShopper(1)
	var f Folder
	c := &cx.Customer{ID: 1, Workspace: "demo"}
	for range 30 {
		f.Apply(p, c, s.next(name), cx.At(uint64(s.n), 0), s.now, nil)
	}
	ev := s.next(name).Clone()
	ids := make([]string, 1024)
	for i := range ids {
		ids[i] = fmt.Sprintf("ajs-next-%016x-%08d", s.rand.Uint64(), i)
	}
	now := s.now
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if n := len(c.Seen); n > 80 { // as if the rest had expired
			c.Seen = c.Seen[:copy(c.Seen, c.Seen[n-20:])]
		}
		ev.MessageID = ids[i&1023]
		now += cx.Second
		ev.Time = now
		if out := f.Apply(p, c, ev, cx.At(uint64(i), 0), now, nil); out.Duplicate {
			b.Fatal("a duplicate")
		}
		i++
	}
	b.ReportMetric(float64(len(c.Stats)), "stats-B")
}

// BenchmarkView reads all twenty statistics.
func BenchmarkView(b *testing.B) {
	p, s := benchPlan(b), newShopper(1)
	var f Folder
	c := &cx.Customer{ID: 1, Workspace: "demo"}
	for i := range 30 {
		f.Apply(p, c, s.next(mix[i%len(mix)]), cx.At(uint64(s.n), 0), s.now, nil)
	}
	b.ReportAllocs()
	sum := 0.0
	for b.Loop() {
		v := f.View(p, c, s.now)
		for slot := range 20 {
			sum += v.Value(slot).Float()
		}
	}
	if sum == 0 {
		b.Fatal("nothing was read")
	}
}

func tenEvents(p *Plan, f *Folder, seed uint64) *cx.Customer {
	s := newShopper(seed)
	c := &cx.Customer{ID: cx.CustomerID(seed), Workspace: "demo", Identities: []cx.Identity{{Namespace: cx.AnonymousID, Value: fmt.Sprintf("5f0c2d2e-6b0e-4b57-9d52-%012x", seed), Since: s.now}}}
	for _, name := range mix {
		f.Apply(p, c, s.next(name), cx.At(seed<<8+uint64(s.n), 0), s.now, nil)
	}
	c.Timers = []cx.Timer{{Due: s.now + cx.Hour, Kind: cx.TimerSegments}}
	c.Segments = []uint64{seed, 1}
	return c
}

// BenchmarkAppendCustomer and BenchmarkDecodeCustomer use a customer of ten
// events.
func BenchmarkAppendCustomer(b *testing.B) {
	var f Folder
	c := tenEvents(benchPlan(b), &f, 1)
	buf := AppendCustomer(nil, c)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendCustomer(buf[:0], c)
	}
	b.ReportMetric(float64(len(buf)), "B")
	b.ReportMetric(float64(len(c.Stats)), "stats-B")
}

func BenchmarkDecodeCustomer(b *testing.B) {
	var f Folder
	buf := AppendCustomer(nil, tenEvents(benchPlan(b), &f, 1))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := DecodeCustomer(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkResolve(b *testing.B) {
	var r Resolver
	s := newShopper(1)
	ev := s.next(cx.PageViewed)
	r.Resolve(ev, 1, s.now)
	b.ReportAllocs()
	for b.Loop() {
		r.Resolve(ev, 2, s.now)
	}
}

// BenchmarkResolveMillion looks up visitors among a million, in no order.
func BenchmarkResolveMillion(b *testing.B) {
	var r Resolver
	const visitors = 1_000_000
	names := make([]string, 1<<16)
	for i := range visitors {
		name := fmt.Sprintf("5f0c2d2e-6b0e-4b57-9d52-%012x", i)
		if k := i / (visitors >> 16); i%(visitors>>16) == 0 && k < len(names) {
			names[k*40503&(len(names)-1)] = name
		}
		r.LoadIdentity(IdentityRow{"demo", cx.Identity{Namespace: cx.AnonymousID, Value: name}, cx.NewCustomerID(cx.Position(i + 1))})
	}
	ev := newShopper(1).next(cx.PageViewed)
	r.Resolve(ev, visitors, 1)
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		if ev.AnonymousID = names[i&(len(names)-1)]; r.Resolve(ev, visitors, 1).New {
			b.Fatal("a visitor is not known again")
		}
		i++
	}
}

// TestMemory measures what a customer of ten events and twenty statistics, and
// what an identity, takes in memory, against the budget.
func TestMemory(t *testing.T) {
	const customers = 20_000
	p := benchPlan(t)
	var f Folder
	list := make([]*cx.Customer, customers)
	before := heap()
	for i := range list {
		list[i] = tenEvents(p, &f, uint64(i+1))
	}
	each, stats := float64(heap()-before)/customers, 0
	for _, c := range list {
		stats += len(c.Stats)
	}
	t.Logf("a customer of 10 events takes %.0f bytes, %d of them packed statistics", each, stats/customers)
	if each > 1300 || stats/customers > 700 {
		t.Error("that is more than 1,300 and 700")
	}
	runtime.KeepAlive(list)
	var x index
	before = heap()
	const names = 200_000
	for i := range names {
		x.put(cx.Hash128(fmt.Sprint(i)), cx.CustomerID(i+1))
	}
	each = float64(heap()-before) / names
	t.Logf("an identity takes %.1f bytes", each)
	if each > 40 {
		t.Error("that is more than 40")
	}
	runtime.KeepAlive(&x)
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
