package rule

import (
	"unicode/utf8"

	"github.com/kikubari/kikubari/internal/cx"
)

// held is what a sub-expression came to. Numbers and texts are there (yes),
// failed, unknown, or there with another type (misfit).
type held uint8

const (
	no held = iota
	yes
	unknown
	failed
	misfit
)

func truth(b bool) held {
	if b {
		return yes
	}
	return no
}

// both is what a strict operator makes of two operands. An error weighs more
// than something unknown, and that more than a value of the wrong type, because
// cel-go looks at types last.
func both(a, b held) held {
	switch {
	case a == failed || b == failed:
		return failed
	case a == unknown || b == unknown:
		return unknown
	case a == misfit || b == misfit:
		return failed
	}
	return yes
}

// The closures. A valueFunc says Missing for failed and Unknown for unknown.
type (
	condFunc  func(*Scope) held
	numFunc   func(*Scope) (float64, held)
	textFunc  func(*Scope) (string, held)
	valueFunc func(*Scope) cx.Value
)

// there says whether a value can be used.
func there(v cx.Value) held {
	switch v.Kind {
	case cx.Missing:
		return failed
	case cx.Unknown:
		return unknown
	default:
		return yes
	}
}

// unusable is how a value that is not of the kind asked for is held.
func unusable(v cx.Value) held {
	if h := there(v); h != yes {
		return h
	}
	return misfit
}

// notThere is the value for a sub-expression that is not there.
func notThere(h held) cx.Value {
	if h == unknown {
		return cx.UnknownValue()
	}
	return cx.Value{}
}

// str returns the closure of a text.
func (n *node) str() textFunc {
	switch n.op {
	case opConst:
		if n.konst.Kind == cx.Text {
			text := n.konst.Str()
			return func(*Scope) (string, held) { return text, yes }
		}
	case opNamed:
		return n.args[0].str()
	case opEventName:
		return func(s *Scope) (string, held) {
			if s.Event == nil {
				return "", failed
			}
			return string(s.Event.Name), yes
		}
	case opEventType:
		return func(s *Scope) (string, held) {
			if s.Event == nil {
				return "", failed
			}
			return s.Event.Type.String(), yes
		}
	case opEventLocale:
		return func(s *Scope) (string, held) {
			if s.Event == nil {
				return "", failed
			}
			return s.Event.Locale, yes
		}
	default:
	}
	value := n.val()
	return func(s *Scope) (string, held) {
		v := value(s)
		if v.Kind == cx.Text {
			return v.Str(), yes
		}
		return "", unusable(v)
	}
}

// val returns the closure of any value.
func (n *node) val() valueFunc {
	switch n.op {
	case opConst:
		v := n.konst
		return func(*Scope) cx.Value { return v }
	case opNamed:
		return n.args[0].val()
	case opPath:
		return n.follow()
	case opStatistic:
		return n.statistic()
	case opCel:
		return n.run()
	case opIf:
		cond, then, or := n.args[0].cond(), n.args[1].val(), n.args[2].val()
		return func(s *Scope) cx.Value {
			switch h := cond(s); h {
			case yes:
				return then(s)
			case no:
				return or(s)
			default:
				return notThere(h)
			}
		}
	case opAdd:
		return n.sum()
	case opEventName, opEventType, opEventLocale:
		text := n.str()
		return func(s *Scope) cx.Value {
			t, h := text(s)
			if h != yes {
				return notThere(h)
			}
			return cx.TextValue(t)
		}
	default:
	}
	if n.isCondition() {
		cond := n.cond()
		return func(s *Scope) cx.Value {
			switch h := cond(s); h {
			case yes, no:
				return cx.BoolValue(h == yes)
			default:
				return notThere(h)
			}
		}
	}
	number := n.num()
	return func(s *Scope) cx.Value {
		f, h := number(s)
		if h != yes {
			return notThere(h)
		}
		return cx.NumberValue(f)
	}
}

// isCondition reports whether n's operation yields true or false.
func (n *node) isCondition() bool {
	switch n.op {
	case opAnd, opOr, opNot, opEq, opNe, opLt, opLe, opGt, opGe, opIn, opAmong, opHas,
		opContains, opStartsWith, opEndsWith, opMatches, opSegment, opKnown, opClaimed, opRunning:
		return true
	default:
		return false
	}
}

// sum is + on two numbers or two texts, whichever the values turn out to be.
func (n *node) sum() valueFunc {
	a, b := n.args[0].val(), n.args[1].val()
	return func(s *Scope) cx.Value {
		l, r := a(s), b(s)
		if h := both(there(l), there(r)); h != yes {
			return notThere(h)
		}
		switch {
		case l.Kind == cx.Number && r.Kind == cx.Number:
			return cx.NumberValue(l.Float() + r.Float())
		case l.Kind == cx.Text && r.Kind == cx.Text:
			return cx.TextValue(l.Str() + r.Str())
		}
		return cx.Value{}
	}
}

// size returns how many characters or members v has.
func size(v cx.Value) (float64, held) {
	switch v.Kind {
	case cx.Text:
		return float64(utf8.RuneCountInString(v.Str())), yes
	case cx.List:
		count := 0
		elements(v, func(cx.Value) bool { count++; return true })
		return float64(count), yes
	case cx.Map:
		return float64(len(members(v))), yes
	case cx.Unknown:
		return 0, unknown
	default:
		return 0, failed
	}
}
