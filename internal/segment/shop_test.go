package segment_test

import (
	"slices"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/bench"
	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/profile"
	"github.com/kikubari/kikubari/internal/rule"
	"github.com/kikubari/kikubari/internal/segment"
)

// shop plays the visits of the load generator against its 100 segments.
type shop struct {
	testing.TB
	set       *definition.Set
	plan      *profile.Plan
	visitors  *bench.Visitors
	customers map[string]*cx.Customer
	folder    profile.Folder
	evaluator segment.Evaluator
	scope     rule.Scope
	now       time.Time
	at        cx.Position
}

func openShop(tb testing.TB, customers int) *shop {
	tb.Helper()
	docs, problems := definition.Parse([]definition.File{{Name: "shop.yaml", Text: []byte(bench.Definitions("w"))}})
	set, more := definition.Build(docs, new(definition.Registry), 1)
	if len(problems)+len(more) > 0 {
		tb.Fatal(problems, more)
	}
	specs := make([]profile.SlotSpec, len(set.Statistics))
	for i, s := range set.Statistics {
		specs[i] = profile.SlotSpec{Slot: s.Slot, Spec: s.Spec}
	}
	return &shop{
		TB: tb, set: set, visitors: bench.NewShop(1, customers).Visitors(0), customers: map[string]*cx.Customer{},
		plan: profile.NewPlan(profile.Settings{Zone: set.Settings.Zone, Currency: set.Settings.Currency}, specs),
		now:  time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
	}
}

// events returns the next 500 events, half a second later.
func (s *shop) events() []cx.Event {
	s.now = s.now.Add(500 * time.Millisecond)
	call, _ := collect.Lookup("/v1/batch")
	body := s.visitors.AppendBatch(nil, 500, s.now)
	got, err := collect.Parse(call, body, collect.Sender{Workspace: "w", Key: "k", Kind: cx.ServerKey}, cx.InstantOf(s.now))
	if err != nil {
		s.Fatal(err)
	}
	return got.Events
}

// fold takes one event and lets the rules see what it made of its customer.
func (s *shop) fold(ev *cx.Event) (ch cx.Change) {
	s.at++
	c := s.customers[ev.AnonymousID]
	if c == nil {
		c = &cx.Customer{ID: cx.NewCustomerID(s.at), CreatedAt: cx.InstantOf(s.now)}
		s.customers[ev.AnonymousID] = c
	}
	now := cx.InstantOf(s.now)
	ch = s.folder.Apply(s.plan, c, ev, s.at, now, nil).Change
	if c.Judged == 0 {
		ch.All, c.Judged = true, 1
	}
	s.scope.Event, s.scope.Fields, s.scope.Customer, s.scope.Zone, s.scope.Now = ev, s.folder.Fields(), c, s.set.Settings.Zone, now
	return ch
}

// look lets the rules see the customer's statistics.
func (s *shop) look() { s.scope.Statistics = s.folder.View(s.plan, s.scope.Customer, s.scope.Now) }

// wake returns when a membership may next change.
func (s *shop) wake() cx.Instant { return s.evaluator.Wake(s.set.Segments, &s.scope, s.next) }

func (s *shop) next(slot int) (cx.Instant, bool) {
	return s.folder.NextChange(s.plan, s.scope.Customer, slot, s.scope.Now)
}

// BenchmarkShop tells what the steps after the fold cost for one event of a shop
// of 50,000 customers. "cold" has the processor's caches emptied of most of it
// between events, as the rest of a whole server does.
func BenchmarkShop(b *testing.B) {
	for _, run := range []struct {
		name string
		junk []byte
	}{{"warm", nil}, {"cold", make([]byte, 128<<10)}} {
		b.Run(run.name, func(b *testing.B) {
			s := openShop(b, 50_000)
			for range 100 {
				for _, ev := range s.events() {
					s.judge(&ev, nil)
				}
			}
			var t times
			b.ReportAllocs()
			b.ResetTimer()
			for n := 0; n < b.N; n += 500 {
				b.StopTimer()
				events := s.events()
				b.StartTimer()
				for i := range events {
					for j := 0; j < len(run.junk); j += 64 {
						run.junk[j]++
					}
					s.judge(&events[i], &t)
				}
				t.close(len(events))
			}
			t.report(b)
		})
	}
}

// judge does with an event what a lane does.
func (s *shop) judge(ev *cx.Event, t *times) {
	ch := s.fold(ev)
	folded := time.Now()
	s.look()
	looked := time.Now()
	entered, left := s.evaluator.Evaluate(s.set.Segments, s.scope.Customer, &s.scope, &ch)
	judged := time.Now()
	s.wake()
	if t != nil {
		t.look += looked.Sub(folded)
		t.judge += judged.Sub(looked)
		t.wake += time.Since(judged)
		t.clock += time.Since(time.Now())
		t.moves += len(entered) + len(left)
	}
}

// times is where the time went: in the events at hand, and on average in each
// batch before.
type times struct {
	look, judge, wake, clock time.Duration
	moves, events            int
	batches                  [3][]float64
}

// close ends a batch of n events.
func (t *times) close(n int) {
	for i, d := range [...]time.Duration{t.look, t.judge, t.wake} {
		t.batches[i] = append(t.batches[i], float64(d-t.clock)/float64(n))
	}
	t.look, t.judge, t.wake, t.clock = 0, 0, 0, 0
	t.events += n
}

// report tells the medians: other processes share the cores.
func (t *times) report(b *testing.B) {
	b.Helper()
	for i, name := range [...]string{"look-ns", "judge-ns", "wake-ns"} {
		slices.Sort(t.batches[i])
		b.ReportMetric(t.batches[i][len(t.batches[i])/2], name)
	}
	b.ReportMetric(float64(t.moves)/float64(t.events), "moves")
}
