package rule

import (
	"math"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// num returns the closure of a number.
func (n *node) num() numFunc {
	if n.typ == Anything && (n.op == opStatistic || n.op == opAdd || n.op == opIf) {
		return numberIn(n.val())
	}
	switch n.op {
	case opConst:
		if n.konst.Kind == cx.Number {
			f := n.konst.Float()
			return func(*Scope) (float64, held) { return f, yes }
		}
	case opNamed:
		return n.args[0].num()
	case opStatistic:
		return statisticNumber(n.slot)
	case opSince:
		return since(n.slot)
	case opAdd, opSub, opMul, opDiv, opMod:
		return arithmetic(n.op, n.args[0].num(), n.args[1].num())
	case opNeg:
		a := n.args[0].num()
		return func(s *Scope) (float64, held) {
			f, h := a(s)
			return -f, both(h, yes)
		}
	case opIf:
		cond, then, or := n.args[0].cond(), n.args[1].num(), n.args[2].num()
		return func(s *Scope) (float64, held) {
			switch h := cond(s); h {
			case yes:
				return then(s)
			case no:
				return or(s)
			default:
				return 0, h
			}
		}
	case opSize:
		a := n.args[0].val()
		return func(s *Scope) (float64, held) { return size(a(s)) }
	case opSessionNumber, opSessionEvents, opSessionDuration:
		return session(n.op)
	case opHour, opMinute, opWeekday, opDay, opMonth:
		return clock(n.op)
	default:
	}
	return numberIn(n.val())
}

// numberIn reads a value of any kind as a number.
func numberIn(value valueFunc) numFunc {
	return func(s *Scope) (float64, held) {
		v := value(s)
		if v.Kind == cx.Number {
			return v.Float(), yes
		}
		return 0, unusable(v)
	}
}

func statisticNumber(slot int) numFunc {
	return func(s *Scope) (float64, held) { return s.number(slot) }
}

// number reads a statistic as a number; one of another kind fails.
func (s *Scope) number(slot int) (float64, held) {
	if s.Statistics == nil {
		return 0, failed
	}
	v := s.Statistics.Value(slot)
	if v.Kind == cx.Number {
		return v.Float(), yes
	}
	return 0, both(unusable(v), yes)
}

// since is how many seconds ago the instant in a slot was, 0 when it is still to
// come by the client's clock.
func since(slot int) numFunc {
	return func(s *Scope) (float64, held) {
		if s.Statistics == nil {
			return 0, failed
		}
		v := s.Statistics.Value(slot)
		if v.Kind == cx.Time {
			return secondsOf(max(s.Now-v.Instant(), 0)), yes
		}
		return 0, both(unusable(v), yes)
	}
}

func secondsOf(i cx.Instant) float64 { return float64(i) / float64(cx.Second) }

// arithmetic rounds after every operation, so that no processor fuses two. Sums
// and differences, which most values are made of, are spelled out.
func arithmetic(o op, a, b numFunc) numFunc {
	compute := math.Mod
	switch o {
	case opAdd:
		return func(s *Scope) (float64, held) {
			l, lh := a(s)
			r, rh := b(s)
			if lh == yes && rh == yes {
				return float64(l + r), yes
			}
			return 0, both(lh, rh)
		}
	case opSub:
		return func(s *Scope) (float64, held) {
			l, lh := a(s)
			r, rh := b(s)
			if lh == yes && rh == yes {
				return float64(l - r), yes
			}
			return 0, both(lh, rh)
		}
	case opMul:
		compute = func(l, r float64) float64 { return float64(l * r) }
	case opDiv:
		compute = func(l, r float64) float64 { return float64(l / r) }
	default:
	}
	return func(s *Scope) (float64, held) {
		l, lh := a(s)
		r, rh := b(s)
		if h := both(lh, rh); h != yes {
			return 0, h
		}
		return compute(l, r), yes
	}
}

// session reads a number of the running session; there is always a number of
// the latest session, but events and a duration only while it runs.
func session(o op) numFunc {
	return func(s *Scope) (float64, held) {
		c := s.Customer
		switch {
		case c == nil:
			return 0, failed
		case o == opSessionNumber:
			return float64(c.Session.Number), yes
		case !c.InSession(s.Now):
			return 0, yes
		case o == opSessionEvents:
			return float64(c.Session.Events), yes
		}
		return secondsOf(c.Session.End - c.Session.Start), yes
	}
}

// clock reads the log time on the workspace's wall.
func clock(o op) numFunc {
	return func(s *Scope) (float64, held) {
		t := wall(s.Now, s.Zone)
		switch o {
		case opHour:
			return float64(t.Hour()), yes
		case opMinute:
			return float64(t.Minute()), yes
		case opWeekday:
			return float64((t.Weekday()+6)%7 + 1), yes
		case opDay:
			return float64(t.Day()), yes
		default:
			return float64(t.Month()), yes
		}
	}
}

func wall(now cx.Instant, zone *time.Location) time.Time {
	if zone == nil {
		zone = time.UTC
	}
	return time.UnixMicro(int64(now)).In(zone)
}
