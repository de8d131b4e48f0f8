package rule

import "github.com/kikubari/kikubari/internal/cx"

// customerCond is a condition that the customer answers at once.
func (n *node) customerCond() condFunc {
	ask := (*cx.Customer).Known
	switch n.op {
	case opSegment:
		slot := n.slot
		return func(s *Scope) held {
			if s.Customer == nil {
				return failed
			}
			if s.unsure(slot) {
				return unknown
			}
			return truth(s.Customer.InSegment(slot))
		}
	case opRunning:
		return func(s *Scope) held {
			if s.Customer == nil {
				return failed
			}
			return truth(s.Customer.InSession(s.Now))
		}
	case opClaimed:
		ask = (*cx.Customer).Claimed
	default:
	}
	return func(s *Scope) held {
		if s.Customer == nil {
			return failed
		}
		return truth(ask(s.Customer))
	}
}

// statistic reads a statistic of any kind. Instants do not occur: LastTime is
// read by since.
func (n *node) statistic() valueFunc {
	slot, want := n.slot, n.typ
	return func(s *Scope) cx.Value {
		if s.Statistics == nil {
			return cx.Value{}
		}
		v := s.Statistics.Value(slot)
		wrong := want == Number && v.Kind != cx.Number || want == List && v.Kind != cx.List || v.Kind == cx.Time
		if wrong && v.Kind != cx.Unknown {
			return cx.Value{}
		}
		return v
	}
}

// follow reads what is at the end of a path.
func (n *node) follow() valueFunc {
	first, rest := n.path[0], n.path[1:]
	start := n.args[0].open(first)
	if start == nil {
		object := n.args[0].val()
		start, rest = func(s *Scope) cx.Value { return object(s) }, n.path
	}
	if len(rest) == 0 {
		return start
	}
	return func(s *Scope) cx.Value {
		v := start(s)
		for _, p := range rest {
			v = p.into(v)
		}
		return v
	}
}

// has reports whether the last member of a path is there. As in CEL, it fails
// when something before it is not; on a text or a number nothing is there.
func (n *node) has() condFunc {
	last := n.path[len(n.path)-1]
	if len(n.path) == 1 {
		if first := n.args[0].open(last); first != nil {
			group := n.args[0].op
			return func(s *Scope) held {
				if group == opTraits && s.Customer == nil || group != opTraits && s.Event == nil {
					return failed
				}
				return truth(first(s).Kind != cx.Missing)
			}
		}
	}
	object := n.args[0].val
	if len(n.path) > 1 {
		object = (&node{op: opPath, args: n.args, path: n.path[:len(n.path)-1]}).follow
	}
	parent := object()
	return func(s *Scope) held {
		v := parent(s)
		switch {
		case there(v) != yes:
			return there(v)
		case v.Kind == cx.List:
			return failed
		}
		return truth(member(v, last.name).Kind != cx.Missing)
	}
}

// open returns how to read one member of the traits or of the event's properties
// or context; nil for any other object.
func (n *node) open(first step) valueFunc {
	name := first.name
	switch {
	case n.op < opProperties || n.op > opTraits:
		return nil
	case first.array:
		return func(*Scope) cx.Value { return cx.Value{} }
	case n.op == opTraits:
		return func(s *Scope) cx.Value {
			if s.Customer == nil {
				return cx.Value{}
			}
			return s.Customer.Trait(name)
		}
	case n.op == opContext:
		return func(s *Scope) cx.Value {
			if s.Event == nil {
				return cx.Value{}
			}
			return cx.ParseValue(find(s.Event.Context, name))
		}
	}
	return func(s *Scope) cx.Value {
		if s.Event == nil {
			return cx.Value{}
		}
		return s.Fields.Get(name)
	}
}
