package rule

import (
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// Timed reports whether time alone can change the rule's truth.
func (p *Program) Timed() bool { return p.root.timed }

// Wake returns the earliest instant after s.Now at which the truth of the
// condition may change by time alone, 0 when it never does. Until then the rule
// need not be looked at again unless its inputs change. It is exact for since
// and the end of a session; for the clock it is the moment at which the
// comparison turns, or an earlier one when that is far off. next returns the
// instant at which the value of a statistic changes by time alone; ok is false
// when it does not.
func (p *Program) Wake(s *Scope, next func(slot int) (at cx.Instant, ok bool)) cx.Instant {
	w := waker{s, next}
	if at := w.wake(p.root); at != never {
		return at
	}
	return 0
}

// waker finds out when a sub-expression may change.
type waker struct {
	*Scope
	next func(slot int) (cx.Instant, bool)
}

func (w waker) wake(n *node) cx.Instant {
	switch {
	case !n.timed:
		return never
	case n.clock && n.typ == Condition:
		return w.turn(n)
	case n.after != 0:
		return w.cross(n)
	}
	switch n.op {
	case opAnd:
		return w.chain(n, no)
	case opOr:
		return w.chain(n, yes)
	case opIf:
		at := w.wake(n.args[0])
		switch condOf(n.args[0].value(w.Scope)) {
		case yes:
			at = min(at, w.wake(n.args[1]))
		case no:
			at = min(at, w.wake(n.args[2]))
		default:
		}
		return at
	case opStatistic:
		if at, ok := w.next(n.slot); ok && at > w.Now {
			return at
		}
		return never
	case opRunning, opSessionEvents, opSessionDuration:
		if w.Customer != nil && w.Customer.InSession(w.Now) {
			return w.Customer.Session.End + cx.SessionGap
		}
		return never
	default:
	}
	at := never
	for _, a := range n.args {
		at = min(at, w.wake(a))
	}
	return at
}

// holds decides a part of a chain.
func (n *node) holds(s *Scope) held {
	if n.judge != nil {
		return n.judge(s)
	}
	return condOf(n.value(s))
}

// chain wakes for && (settled by no) or || (settled by yes). A chain stays as it
// is for as long as one of the parts that settle it does.
func (w waker) chain(n *node, settles held) cx.Instant {
	for _, a := range n.args {
		if !a.timed && a.holds(w.Scope) == settles {
			return never
		}
	}
	settled, open := cx.Instant(-1), never
	for _, a := range n.args {
		switch {
		case !a.timed:
		case a.holds(w.Scope) == settles:
			settled = max(settled, w.wake(a))
		case settled < 0:
			open = min(open, w.wake(a))
		}
	}
	if settled >= 0 {
		return settled
	}
	return open
}

// cross wakes for a comparison of since with a constant.
func (w waker) cross(n *node) cx.Instant {
	event := n.args[0].definition()
	if event.op != opSince {
		event = n.args[1].definition()
	}
	if w.Statistics == nil || n.after == never {
		return never
	}
	v := w.Statistics.Value(event.slot)
	if at := v.Instant() + n.after; v.Kind == cx.Time && at > w.Now {
		return at
	}
	return never
}

// turning is what turn found out: nothing changes from one instant up to, but
// not including, the other.
type turning struct {
	from, until cx.Instant
	zone        *time.Location
}

// reach is how far turn looks ahead, in minutes, hours or days: to the next
// instant that is a whole number of reaches after 1970.
const reach = 128

// turn wakes for a condition on the clock alone. The answer depends on nothing
// but the time, and is the same for every instant up to it: so the Scope may
// remember it from one customer to the next without changing any answer.
func (w waker) turn(n *node) cx.Instant {
	if t, ok := w.turns[n]; ok && t.from <= w.Now && w.Now < t.until && t.zone == w.Zone {
		return t.until
	}
	unit := n.unit()
	until := w.Now - w.Now%(reach*unit) + reach*unit
	then := *w.Scope
	before := n.holds(&then)
	for {
		then.Now = boundary(then.Now, w.Zone, unit)
		if then.Now >= until {
			break
		}
		if n.holds(&then) != before {
			until = then.Now
			break
		}
	}
	w.remember(n, turning{w.Now, until, w.Zone})
	return until
}

// unit is the smallest unit of the clock that n looks at.
func (n *node) unit() cx.Instant {
	unit := cx.Day
	n.walk(func(n *node) bool {
		switch n.op {
		case opMinute:
			unit = cx.Minute
		case opHour:
			unit = min(unit, cx.Hour)
		default:
		}
		return true
	})
	return unit
}

func (s *Scope) remember(n *node, t turning) {
	if s.turns == nil || len(s.turns) > 1000 {
		s.turns = map[*node]turning{}
	}
	s.turns[n] = t
}

// boundary returns the first instant after now at which the wall clock of zone
// shows another minute, hour or day, or is put forward or back.
func boundary(now cx.Instant, zone *time.Location, unit cx.Instant) cx.Instant {
	t := wall(now, zone)
	_, east := t.Zone()
	offset := cx.Instant(east) * cx.Second
	local := now + offset
	next := local - (local%unit+unit)%unit + unit - offset
	if _, end := t.ZoneBounds(); !end.IsZero() {
		if change := cx.InstantOf(end); change > now {
			next = min(next, change)
		}
	}
	return next
}
