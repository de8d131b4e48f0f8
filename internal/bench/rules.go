package bench

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/learn"
	"github.com/kikubari/kikubari/internal/profile"
	"github.com/kikubari/kikubari/internal/rule"
	"github.com/kikubari/kikubari/internal/segment"
)

// How the rules are measured: each customer has had a few visits already.
const (
	rulesWarm  = 20 // events a customer before measuring, so that windows are filled
	rulesBatch = 500
)

// rules measures, in this process, what segments and a decision cost for one
// event: the median, because other processes share the cores. The fold of the
// event is done and not counted, and neither is the clock's own cost.
func (r *Result) rules(ctx context.Context, customers int, d time.Duration) error {
	r.Customers = customers
	l, err := newRuleLane(customers)
	if err != nil {
		return err
	}
	for range customers * rulesWarm / rulesBatch {
		if err := l.batch(); err != nil {
			return err
		}
	}
	l.spent = spent{}
	var before, after runtime.MemStats
	from := time.Now()
	for time.Since(from) < d && ctx.Err() == nil {
		if err := l.batch(); err != nil {
			return err
		}
	}
	clock := clockCost()
	r.Seconds = round(time.Since(from).Seconds())
	r.SegmentsPerEvent = middling(&l.segments, clock)
	r.DecisionPerEvent = middling(&l.decision, clock)
	r.RulesPerEvent = middling(&l.silent, clock)
	r.SaidPerEvent = middling(&l.said, clock)
	r.IdlePerEvent = middling(&l.idle, clock)
	r.EventsPerSecond = round(float64(time.Second) / max(float64(l.segments.Mean()+l.decision.Mean()), 1))
	r.Acked, r.Stored, r.Decided = l.segments.Count(), l.segments.Count(), l.said.Count()
	r.DecisionShare = round(float64(l.silent.Count()+l.said.Count()) / float64(r.Acked))

	const rounds = 1000
	runtime.GC()
	runtime.ReadMemStats(&before)
	for range rounds {
		l.again()
	}
	runtime.ReadMemStats(&after)
	allocs := float64(after.Mallocs-before.Mallocs) / rounds
	r.RulesAllocs = &allocs
	return ctx.Err()
}

// ruleLane does what a lane does with an event, and times the rules.
type ruleLane struct {
	visitors  *Visitors
	set       *definition.Set
	plan      *profile.Plan
	customers map[string]*cx.Customer
	folder    profile.Folder
	evaluator segment.Evaluator
	decider   decide.Decider
	rates     learn.Table // nothing is learned yet
	result    decide.Result
	scope     rule.Scope
	change    cx.Change
	now       time.Time
	at        cx.Position
	body      []byte
	spent
}

// spent is how long events took.
type spent struct {
	segments, decision Histogram // parts of all events
	idle               Histogram // events that triggered no action
	silent             Histogram // events for which all actions were judged and nothing was said
	said               Histogram // events that were answered
}

func newRuleLane(customers int) (*ruleLane, error) {
	docs, problems := definition.Parse([]definition.File{{Name: "bench.yaml", Text: []byte(Definitions(workspace))}})
	if len(problems) > 0 {
		return nil, definition.AsError(problems)
	}
	set, problems := definition.Build(docs, new(definition.Registry), 1)
	if len(problems) > 0 {
		return nil, definition.AsError(problems)
	}
	specs := make([]profile.SlotSpec, len(set.Statistics))
	for i, s := range set.Statistics {
		specs[i] = profile.SlotSpec{Slot: s.Slot, Spec: s.Spec}
	}
	return &ruleLane{
		visitors:  NewShop(1, customers).Visitors(0),
		set:       set,
		plan:      profile.NewPlan(profile.Settings{Zone: set.Settings.Zone, Currency: set.Settings.Currency}, specs),
		customers: map[string]*cx.Customer{},
		now:       time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC),
	}, nil
}

// batch takes the next events through the lane.
func (l *ruleLane) batch() error {
	l.now = l.now.Add(30 * time.Second)
	l.body = l.visitors.AppendBatch(l.body[:0], rulesBatch, l.now)
	call, ok := collect.Lookup("/v1/batch")
	if !ok {
		return errors.New("there is no /v1/batch")
	}
	got, err := collect.Parse(call, l.body, collect.Sender{Workspace: workspace, Key: "k_bench", Kind: cx.ServerKey}, cx.InstantOf(l.now))
	if err != nil || len(got.Events) != rulesBatch {
		return fmt.Errorf("%d of %d events were taken: %w", len(got.Events), rulesBatch, err)
	}
	for i := range got.Events {
		l.at++
		l.event(got.Events[i].Clone())
	}
	return nil
}

func (l *ruleLane) event(ev *cx.Event) {
	c := l.customers[ev.AnonymousID]
	if c == nil {
		c = &cx.Customer{ID: cx.NewCustomerID(l.at), Workspace: workspace, CreatedAt: cx.InstantOf(l.now)}
		l.customers[ev.AnonymousID] = c
	}
	now := cx.InstantOf(l.now)
	out := l.folder.Apply(l.plan, c, ev, l.at, now, nil)
	l.change = out.Change
	l.scope.Event, l.scope.Fields, l.scope.Customer, l.scope.Zone, l.scope.Now = ev, l.folder.Fields(), c, l.set.Settings.Zone, now
	l.scope.Statistics = l.folder.View(l.plan, c, now)
	l.judge(c)
	decide.Reserve(c, l.result.Lines, now, l.scope.Zone)
}

// judge is what is measured.
func (l *ruleLane) judge(c *cx.Customer) {
	began := time.Now()
	entered, _ := l.evaluator.Evaluate(l.set.Segments, c, &l.scope, &l.change)
	halfway := time.Now()
	in := decide.Input{ID: cx.NewDecisionID(l.at), Scope: &l.scope, Entered: entered, Offer: l.set.Offer, Policy: l.set.Policy, Scorer: &l.rates}
	l.decider.Refresh(&in, &l.result)
	decided := l.decider.Decide(&in, &l.result)
	end := time.Now()
	l.segments.Record(halfway.Sub(began))
	l.decision.Record(end.Sub(halfway))
	switch {
	case !decided:
		l.idle.Record(end.Sub(began))
	case len(l.result.Lines) == 0:
		l.silent.Record(end.Sub(began))
	default:
		l.said.Record(end.Sub(began))
	}
}

// middling is the median in nanoseconds, less the clock's own cost.
func middling(h *Histogram, clock float64) float64 {
	return round(max(float64(h.Quantile(0.5))-clock, 0))
}

// again judges the last event once more, with all its changes; nothing is said
// twice, so what it allocates is what silence costs.
func (l *ruleLane) again() { l.judge(l.scope.Customer) }

// clockCost is what one of two adjacent readings of the clock costs, in
// nanoseconds.
func clockCost() float64 {
	const n = 10_000
	from := time.Now()
	var last time.Time
	for range n {
		last = time.Now()
	}
	return float64(last.Sub(from)) / n
}
