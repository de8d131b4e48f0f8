package profile

import (
	"maps"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// Forget makes the Resolver know nothing of the customer that id has become, nor
// of those that were merged into it: whoever comes with one of its identities is
// new. It returns their ids, that of the customer first and then ascending. It
// looks at every identity and every merge there is. Rows in the store that name
// one of the ids are to be deleted.
func (r *Resolver) Forget(id cx.CustomerID) (family []cx.CustomerID) {
	r.settle()
	root := r.Current(id)
	family = []cx.CustomerID{root}
	for _, loser := range slices.Sorted(maps.Keys(r.merged)) {
		if r.Current(loser) == root {
			family = append(family, loser)
		}
	}
	gone := make(map[cx.CustomerID]bool, len(family))
	for _, id := range family {
		gone[id] = true
		delete(r.merged, id)
		r.unset(id)
	}
	if len(r.parted.pairs) > 0 {
		r.parted.set(slices.DeleteFunc(r.parted.pairs, func(p [2]cx.CustomerID) bool { return gone[p[0]] || gone[p[1]] }))
	}
	r.unsee(gone)
	r.index.drop(gone)
	return family
}

// unsee forgets the sightings of values that belong to some customers, and takes
// those customers out of all others. A value that nobody is left of leaves
// quarantine. The index still knows the customers.
func (r *Resolver) unsee(gone map[cx.CustomerID]bool) {
	for _, key := range sortedHashes(r.sightings) {
		x := r.sightings[key]
		left := slices.DeleteFunc(slices.Clone(x.Seen), func(id cx.CustomerID) bool { return gone[id] })
		theirs := gone[r.index.find(key)] || gone[x.Own]
		if !theirs && len(left) == len(x.Seen) {
			continue
		}
		if theirs || len(left) == 0 {
			if x.Since != 0 {
				r.shut--
			}
			x.forget()
		} else {
			x.Seen = left
		}
		r.sighted = append(r.sighted, key)
	}
}

// drop removes every identity of some customers.
func (x *index) drop(gone map[cx.CustomerID]bool) {
	for i := range x.tables {
		t := &x.tables[i]
		if !slices.ContainsFunc(t.slots, func(s slot) bool { return gone[s.customer] }) {
			continue
		}
		old := t.slots
		x.n -= t.n
		t.slots, t.n = make([]slot, len(old)), 0
		for _, s := range old {
			if s.customer != 0 && !gone[s.customer] {
				t.slots[t.place(s.key)] = s
				t.n++
			}
		}
		x.n += t.n
	}
}
