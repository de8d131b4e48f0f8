package profile

import (
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// Knows reports whether there is a customer id, or one that it has become: not
// one who never came about, nor one who was forgotten. It may have to look at
// every identity there is.
func (r *Resolver) Knows(id cx.CustomerID) bool {
	r.settle()
	if id = r.Current(id); id == 0 {
		return false
	}
	if _, ok := r.standing[id]; ok || r.nameless.ids[id] {
		return true
	}
	return r.index.any(func(s *slot) bool { return s.customer == id }) ||
		len(r.merged) > 0 && r.index.any(func(s *slot) bool { return s.customer != 0 && r.Current(s.customer) == id })
}

// any reports whether some slot is so.
func (x *index) any(is func(*slot) bool) bool {
	for i := range x.tables {
		if slots := x.tables[i].slots; slices.ContainsFunc(slots, func(s slot) bool { return is(&s) }) {
			return true
		}
	}
	return false
}
