package rule

import (
	"cmp"
	"math"

	"cel.dev/cel-go/common/types"

	"github.com/kikubari/kikubari/internal/cx"
)

// comparison returns the closure of ==, !=, <, <=, > or >=.
func (n *node) comparison() condFunc {
	o, a, b := n.op, n.args[0], n.args[1]
	if _, ok := a.constant(); ok {
		o, a, b = mirrored(o), b, a
	}
	k, constant := b.constant()
	if a.typ == Number && b.typ == Number {
		switch {
		case constant && a.definition().op == opStatistic:
			return statisticAgainst(o, a.definition().slot, k.Float())
		case constant:
			return againstNumber(o, a.num(), k.Float())
		}
		return numbers(o, a.num(), b.num())
	}
	if constant && k.Kind == cx.Text && (o == opEq || o == opNe) {
		switch {
		case a.definition().op == opEventName && o == opEq:
			return isEvent(cx.EventName(k.Str()))
		case a.typ == Text:
			return isText(a.str(), k.Str(), o == opNe)
		}
		return holdsText(a.val(), k.Str(), o == opNe)
	}
	return values(o, a.val(), b.val())
}

// mirrored is the operator that means the same with the sides exchanged.
func mirrored(o op) op {
	switch o {
	case opLt:
		return opGt
	case opLe:
		return opGe
	case opGt:
		return opLt
	case opGe:
		return opLe
	default:
		return o
	}
}

// test reports whether a o b. NaN is unequal to everything and has no order.
func test(o op, a, b float64) bool {
	switch o {
	case opEq:
		return a == b
	case opNe:
		return a != b
	case opLt:
		return a < b
	case opLe:
		return a <= b
	case opGt:
		return a > b
	default:
		return a >= b
	}
}

// statisticAgainst compares a statistic with a constant. It is what most rules
// consist of, so it is one closure.
func statisticAgainst(o op, slot int, k float64) condFunc {
	return func(s *Scope) held {
		if s.Statistics == nil {
			return failed
		}
		v := s.Statistics.Value(slot)
		if v.Kind != cx.Number {
			return both(unusable(v), yes)
		}
		if o == opGe {
			return truth(v.Float() >= k)
		}
		return truth(test(o, v.Float(), k))
	}
}

// isEvent reports whether the event at hand has a name.
func isEvent(name cx.EventName) condFunc {
	return func(s *Scope) held {
		if s.Event == nil {
			return failed
		}
		return truth(s.Event.Name == name)
	}
}

// againstNumber compares with a constant; the two usual operators are spelled
// out.
func againstNumber(o op, a numFunc, k float64) condFunc {
	switch o {
	case opGe:
		return func(s *Scope) held {
			f, h := a(s)
			if h != yes {
				return h
			}
			return truth(f >= k)
		}
	case opLt:
		return func(s *Scope) held {
			f, h := a(s)
			if h != yes {
				return h
			}
			return truth(f < k)
		}
	default:
	}
	return func(s *Scope) held {
		f, h := a(s)
		if h != yes {
			return h
		}
		return truth(test(o, f, k))
	}
}

func numbers(o op, a, b numFunc) condFunc {
	return func(s *Scope) held {
		l, lh := a(s)
		r, rh := b(s)
		if h := both(lh, rh); h != yes {
			return h
		}
		return truth(test(o, l, r))
	}
}

// isText compares a text with a constant.
func isText(a textFunc, k string, unequal bool) condFunc {
	return func(s *Scope) held {
		t, h := a(s)
		if h != yes {
			return h
		}
		return truth((t == k) != unequal)
	}
}

// holdsText compares any value with a constant text.
func holdsText(a valueFunc, k string, unequal bool) condFunc {
	return func(s *Scope) held {
		v := a(s)
		if h := there(v); h != yes {
			return h
		}
		return truth((v.Kind == cx.Text && v.Str() == k) != unequal)
	}
}

// values compares by the kinds that the values turn out to have: equality
// across kinds is false, order across kinds is an error.
func values(o op, a, b valueFunc) condFunc {
	return func(s *Scope) held {
		l, r := a(s), b(s)
		if h := both(there(l), there(r)); h != yes {
			return h
		}
		switch o {
		case opEq:
			return equal(l, r)
		case opNe:
			return truth(equal(l, r) == no)
		default:
			return ordered(o, l, r)
		}
	}
}

// equal compares two values that are there.
func equal(a, b cx.Value) held {
	if a.Kind == b.Kind && (a.Kind == cx.List || a.Kind == cx.Map) {
		return truth(types.Equal(toCel(a), toCel(b)) == types.True)
	}
	return truth(a.Equal(b))
}

func ordered(o op, a, b cx.Value) held {
	switch {
	case a.Kind != cx.Number && a.Kind != cx.Text && a.Kind != cx.Bool:
		return failed
	case isNaN(a) || isNaN(b):
		return no
	case a.Kind != b.Kind:
		return failed
	case a.Kind == cx.Text:
		return truth(test(o, float64(cmp.Compare(a.Str(), b.Str())), 0))
	case a.Kind == cx.Bool:
		return truth(test(o, bit(a), bit(b)))
	}
	return truth(test(o, a.Float(), b.Float()))
}

func isNaN(v cx.Value) bool { return v.Kind == cx.Number && math.IsNaN(v.Float()) }

func bit(v cx.Value) float64 {
	if v.IsTrue() {
		return 1
	}
	return 0
}
