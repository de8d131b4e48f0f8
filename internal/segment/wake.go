package segment

import (
	"math"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/rule"
)

// timing is what time changes in one segment's rule. It gives a bound that is
// much cheaper than the rule's own Wake.
type timing struct {
	when       *rule.Program
	moving     []int // indexes into Set.moving
	thresholds []rule.Threshold
	visit      bool // something about the running session
	clock      bool // the wall clock: no bound
}

func (s *Set) timing(p *rule.Program) timing {
	d := p.Deps()
	t := timing{when: p, thresholds: d.Thresholds, visit: d.Session || d.Visit, clock: d.Clock}
	for _, st := range d.Statistics {
		if st.Spec.Aggregate == cx.LastTime || st.Spec.Window.Kind == cx.AllTime {
			continue
		}
		i := slices.Index(s.moving, st.Slot)
		if i < 0 {
			i = len(s.moving)
			s.moving = append(s.moving, st.Slot)
		}
		t.moving = append(t.moving, i)
	}
	return t
}

// never is later than everything.
const never = cx.Instant(math.MaxInt64)

// Wake returns the earliest instant after sc.Now at which a membership may
// change by time alone, 0 when none does. next returns the instant at which the
// value of a statistic changes by time alone, ok is false when it does not. Until the instant returned, a step
// of time alone would find nothing to do.
func (s *Set) Wake(sc *rule.Scope, next func(slot int) (at cx.Instant, ok bool)) cx.Instant {
	w := sleeper{set: s, scope: sc, next: next}
	earliest := never
	for i := range s.timings {
		t := &s.timings[i]
		if w.bound(t) >= earliest {
			continue
		}
		if at := t.when.Wake(sc, next); at != 0 {
			earliest = min(earliest, at)
		}
	}
	if earliest == never {
		return 0
	}
	return earliest
}

// sleeper remembers, during one Wake, when statistics change.
type sleeper struct {
	set   *Set
	scope *rule.Scope
	next  func(slot int) (cx.Instant, bool)
	known [64]cx.Instant // by index into Set.moving; 0 is not asked yet
}

// bound returns an instant before which the rule of t does not change.
func (w *sleeper) bound(t *timing) cx.Instant {
	now := w.scope.Now
	if t.clock {
		return now
	}
	bound := never
	if c := w.scope.Customer; t.visit && c != nil && c.InSession(now) {
		bound = c.Session.End + cx.SessionGap
	}
	for _, i := range t.moving {
		bound = min(bound, w.change(i))
	}
	for _, th := range t.thresholds {
		if w.scope.Statistics == nil {
			break
		}
		v := w.scope.Statistics.Value(th.Slot)
		if at := v.Instant() + th.After; v.Kind == cx.Time && at > now {
			bound = min(bound, at)
		}
	}
	return bound
}

// change returns when the statistic with an index into Set.moving changes.
func (w *sleeper) change(i int) cx.Instant {
	if i < len(w.known) && w.known[i] != 0 {
		return w.known[i]
	}
	at, ok := w.next(w.set.moving[i])
	if !ok || at <= w.scope.Now {
		at = never
	}
	if i < len(w.known) {
		w.known[i] = at
	}
	return at
}
