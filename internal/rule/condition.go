package rule

import (
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// cond returns the closure of a condition.
func (n *node) cond() condFunc {
	switch n.op {
	case opConst:
		if n.konst.Kind == cx.Bool {
			is := truth(n.konst.IsTrue())
			return func(*Scope) held { return is }
		}
	case opNamed:
		return n.args[0].cond()
	case opAnd:
		return all(byCost(n.args))
	case opOr:
		return some(byCost(n.args))
	case opNot:
		return not(n.args[0].cond())
	case opIf:
		return n.choice()
	case opEq, opNe, opLt, opLe, opGt, opGe:
		return n.comparison()
	case opIn:
		return in(n.args[0].val(), n.args[1].val())
	case opAmong:
		return n.among()
	case opHas:
		return n.has()
	case opContains, opStartsWith, opEndsWith:
		return n.search()
	case opMatches:
		text, pattern := n.args[0].str(), n.pattern
		return func(s *Scope) held {
			t, h := text(s)
			if h != yes {
				return both(h, yes)
			}
			return truth(pattern.MatchString(t))
		}
	case opSegment, opKnown, opClaimed, opRunning:
		return n.customerCond()
	default:
	}
	value := n.val()
	return func(s *Scope) held { return condOf(value(s)) }
}

// condOf reads a value as a condition.
func condOf(v cx.Value) held {
	switch v.Kind {
	case cx.Bool:
		return truth(v.IsTrue())
	case cx.Unknown:
		return unknown
	default:
		return failed
	}
}

// byCost orders the parts of a chain so that cheap and selective ones come
// first. CEL's && and || do not depend on the order: an error or an unknown on
// one side is absorbed by the other.
func byCost(parts []*node) []condFunc {
	sorted := slices.Clone(parts)
	slices.SortStableFunc(sorted, func(a, b *node) int { return a.cost() - b.cost() })
	out := make([]condFunc, len(sorted))
	for i, p := range sorted {
		out[i] = p.cond()
	}
	return out
}

// cost is a rough measure of what evaluating n takes.
func (n *node) cost() int {
	own := 1
	switch n.op {
	case opConst, opNamed:
		own = 0
	case opStatistic, opSince:
		own = 3
	case opHour, opMinute, opWeekday, opDay, opMonth:
		own = 5
	case opPath, opHas:
		own = 10 + 5*len(n.path)
	case opMatches:
		own = 100
	case opCel:
		own = 1000
	default:
	}
	for _, a := range n.args {
		own += a.cost()
	}
	return own
}

func all(parts []condFunc) condFunc {
	if len(parts) == 2 {
		a, b := parts[0], parts[1]
		return func(s *Scope) held {
			l := a(s)
			if l == no {
				return no
			}
			r := b(s)
			switch {
			case r == no:
				return no
			case l == yes && r == yes:
				return yes
			case l == unknown || r == unknown:
				return unknown
			}
			return failed
		}
	}
	return func(s *Scope) held {
		result := yes
		for _, part := range parts {
			h := part(s)
			if h == yes {
				continue
			}
			if h == no {
				return no
			}
			result = weaker(result, h)
		}
		return result
	}
}

// weaker is what an undecided part makes of a chain that was so far so: something unknown
// may still settle it, so it weighs more than an error.
func weaker(so, h held) held {
	if so == unknown || h == unknown {
		return unknown
	}
	return failed
}

func some(parts []condFunc) condFunc {
	return func(s *Scope) held {
		result := no
		for _, part := range parts {
			h := part(s)
			if h == no {
				continue
			}
			if h == yes {
				return yes
			}
			result = weaker(result, h)
		}
		return result
	}
}

func not(a condFunc) condFunc {
	return func(s *Scope) held {
		switch h := a(s); h {
		case yes:
			return no
		case no:
			return yes
		default:
			return h
		}
	}
}

// choice is a ? b : c where b and c are conditions.
func (n *node) choice() condFunc {
	cond, then, or := n.args[0].cond(), n.args[1].cond(), n.args[2].cond()
	return func(s *Scope) held {
		switch h := cond(s); h {
		case yes:
			return then(s)
		case no:
			return or(s)
		default:
			return h
		}
	}
}
