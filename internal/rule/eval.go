package rule

import (
	"slices"
	"strings"
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
			switch part(s) {
			case no:
				return no
			case unknown:
				result = unknown
			case failed:
				if result == yes {
					result = failed
				}
			default:
			}
		}
		return result
	}
}

func some(parts []condFunc) condFunc {
	return func(s *Scope) held {
		result := no
		for _, part := range parts {
			switch part(s) {
			case yes:
				return yes
			case unknown:
				result = unknown
			case failed:
				if result == no {
					result = failed
				}
			default:
			}
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

// in reports whether an element is in a list, or a name is a key of a map.
func in(element, container valueFunc) condFunc {
	return func(s *Scope) held {
		e, c := element(s), container(s)
		if h := both(there(e), there(c)); h != yes {
			return h
		}
		switch c.Kind {
		case cx.List:
			found := no
			elements(c, func(v cx.Value) bool {
				found = equal(e, v)
				return found != yes
			})
			return found
		case cx.Map:
			return truth(e.Kind == cx.Text && member(c, e.Str()).Kind != cx.Missing)
		default:
			return failed
		}
	}
}

// among reports whether an element is one of the members of a list literal.
func (n *node) among() condFunc {
	element := n.args[0].val()
	if texts, ok := constantTexts(n.args[1:]); ok {
		return func(s *Scope) held {
			e := element(s)
			if h := there(e); h != yes {
				return h
			}
			return truth(e.Kind == cx.Text && slices.Contains(texts, e.Str()))
		}
	}
	candidates := make([]valueFunc, len(n.args)-1)
	for i, a := range n.args[1:] {
		candidates[i] = a.val()
	}
	return func(s *Scope) held {
		e := element(s)
		usable, found := there(e), no
		for _, candidate := range candidates {
			v := candidate(s)
			if usable = both(usable, there(v)); usable == yes && found == no {
				found = equal(e, v)
			}
		}
		if usable != yes {
			return usable
		}
		return found
	}
}

func constantTexts(nodes []*node) ([]string, bool) {
	out := make([]string, len(nodes))
	for i, n := range nodes {
		v, ok := n.constant()
		if !ok || v.Kind != cx.Text {
			return nil, false
		}
		out[i] = v.Str()
	}
	return out, true
}

// search is contains, startsWith or endsWith.
func (n *node) search() condFunc {
	text, part := n.args[0].str(), n.args[1].str()
	find := strings.Contains
	switch n.op {
	case opStartsWith:
		find = strings.HasPrefix
	case opEndsWith:
		find = strings.HasSuffix
	default:
	}
	return func(s *Scope) held {
		t, a := text(s)
		p, b := part(s)
		if h := both(a, b); h != yes {
			return h
		}
		return truth(find(t, p))
	}
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
