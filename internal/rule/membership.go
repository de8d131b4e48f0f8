package rule

import (
	"slices"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// in reports whether an element is in a list, or a name is a key of a map.
func in(element, container valueFunc) condFunc {
	return func(s *Scope) held {
		e, c := element(s), container(s)
		if h := both(there(e), there(c)); h != yes {
			return h
		}
		switch c.Kind {
		case cx.List:
			if e.Kind == cx.Text && !mayHold(c.Str(), e.Str()) {
				return no
			}
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

// mayHold reports whether text may be one of the texts in a JSON list: not if it
// does not occur there, unless something is escaped.
func mayHold(list, text string) bool {
	return strings.Contains(list, text) || strings.IndexByte(list, '\\') >= 0
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
