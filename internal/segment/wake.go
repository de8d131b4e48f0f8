package segment

import (
	"cmp"
	"math"
	"math/bits"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/rule"
)

// cause is something that time does and that may change memberships: it does so
// at one instant at most for each customer as they are.
type cause struct {
	kind  causeKind
	slot  int        // of the statistic; none for sessionEnds
	after cx.Instant // spanPasses: see rule.Threshold
	rules mask       // the segments that look at it
}

type causeKind uint8

const (
	valueMoves  causeKind = iota // a statistic changes by time alone
	spanPasses                   // since(…) passes a constant
	sessionEnds                  // the running session ends by silence
)

// indexTime notes what time may do to segment i, whose rule looks at d.
func (s *Set) indexTime(i int, d *rule.Deps) {
	for _, st := range d.Statistics {
		if st.Spec.Aggregate != cx.LastTime && st.Spec.Window.Kind != cx.AllTime {
			s.causeOf(valueMoves, st.Slot, 0).add(i)
		}
	}
	for _, th := range d.Thresholds {
		s.causeOf(spanPasses, th.Slot, th.After).add(i)
	}
	if d.Session || d.Visit {
		s.causeOf(sessionEnds, 0, 0).add(i)
	}
	if d.Clock {
		s.clocked = append(s.clocked, i)
	}
}

// causeOf returns the segments that look at a cause, which may be a new one.
func (s *Set) causeOf(kind causeKind, slot int, after cx.Instant) *mask {
	for i := range s.causes {
		if c := &s.causes[i]; c.kind == kind && c.slot == slot && c.after == after {
			return &c.rules
		}
	}
	s.causes = append(s.causes, cause{kind: kind, slot: slot, after: after})
	return &s.causes[len(s.causes)-1].rules
}

// sortCauses puts those that look at one statistic side by side.
func (s *Set) sortCauses() {
	slices.SortFunc(s.causes, func(a, b cause) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(a.slot, b.slot), cmp.Compare(a.after, b.after))
	})
}

// never is later than everything.
const never = cx.Instant(math.MaxInt64)

// Wake returns the earliest instant after sc.Now at which a membership may
// change by time alone, 0 when none does: the earliest of what the segments'
// rules say themselves. next returns the instant at which the value of a
// statistic changes by time alone, ok is false when it does not. Until the
// instant returned, a step of time alone would find nothing to do.
//
// A rule does not change before one of its causes comes, so rules are asked in
// the order in which their causes come, and only until no later one can matter.
func (e *Evaluator) Wake(set *Set, sc *rule.Scope, next func(slot int) (at cx.Instant, ok bool)) cx.Instant {
	w := waking{set: set, scope: sc, next: next, earliest: never, slot: -1}
	for _, i := range set.clocked {
		w.ask(i)
	}
	e.due = w.causes(e.due[:0])
	for {
		i := soonest(e.due)
		if i < 0 || e.due[i] >= w.earliest {
			break
		}
		w.askAll(set.causes[i].rules, e.due[i])
		e.due[i] = never
	}
	if w.earliest == never {
		return 0
	}
	return w.earliest
}

// soonest returns the index of the least instant, -1 for none.
func soonest(due []cx.Instant) int {
	least, at := never, -1
	for i, t := range due {
		if t < least {
			least, at = t, i
		}
	}
	return at
}

// waking is one Wake.
type waking struct {
	set      *Set
	scope    *rule.Scope
	next     func(slot int) (cx.Instant, bool)
	earliest cx.Instant // of the rules asked so far

	slot  int        // of the LastTime statistic read last, -1 for none
	since cx.Instant // what it read; 0 for nothing
}

// causes appends when each cause of the set comes, never for those that do not.
func (w *waking) causes(due []cx.Instant) []cx.Instant {
	for i := range w.set.causes {
		at := w.comes(&w.set.causes[i])
		if at <= w.scope.Now {
			at = never
		}
		due = append(due, at)
	}
	return due
}

// comes returns when a cause comes, something past or never when it does not.
func (w *waking) comes(c *cause) cx.Instant {
	switch c.kind {
	case valueMoves:
		if at, ok := w.next(c.slot); ok {
			return at
		}
	case spanPasses:
		if at := w.lastTime(c.slot); at != 0 {
			return at + c.after
		}
	case sessionEnds:
		if who := w.scope.Customer; who != nil && who.InSession(w.scope.Now) {
			return who.Session.End + cx.SessionGap
		}
	}
	return never
}

// lastTime returns the instant that a LastTime statistic reads, 0 for none.
func (w *waking) lastTime(slot int) cx.Instant {
	if w.slot != slot && w.scope.Statistics != nil {
		w.slot, w.since = slot, w.scope.Statistics.Value(slot).Instant()
	}
	return w.since
}

// askAll asks the rules that look at a cause that comes at due, until one says
// that it changes then: none that was not asked changes sooner.
func (w *waking) askAll(rules mask, due cx.Instant) {
	for k, word := range rules {
		for ; word != 0 && w.earliest > due; word &= word - 1 {
			w.ask(k<<6 + bits.TrailingZeros64(word))
		}
	}
}

// ask asks one segment's rule when it changes.
func (w *waking) ask(i int) {
	if at := w.set.segments[i].When.Wake(w.scope, w.next); at != 0 {
		w.earliest = min(w.earliest, at)
	}
}
