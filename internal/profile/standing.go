package profile

import (
	"cmp"
	"maps"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// standing is what the Resolver has to know of a customer: how many identities it
// has, by namespace less one. Customers with nothing but one anonymous id, which
// are most, are not kept.
type standing [cx.AnonymousID]uint32

var plainVisitor = standing{cx.AnonymousID - 1: 1}

func (s standing) has(n cx.Namespace) bool { return s[n-1] > 0 }
func (s standing) verified() bool          { return s.has(cx.UserID) }
func (s standing) claimed() bool           { return !s.verified() && s.has(cx.ClaimedUserID) }
func (s standing) devices() uint32         { return s[cx.AnonymousID-1] }

// strength returns the strongest namespace the customer has an identity in, less
// one; the number of namespaces when it has none.
func (s standing) strength() int {
	if i := slices.IndexFunc(s[:], func(n uint32) bool { return n > 0 }); i >= 0 {
		return i
	}
	return len(s)
}

func (s *standing) add(n cx.Namespace) { s[n-1]++ }

// remove takes one identity of namespace n away. An Unmerging does not know of
// all that somebody outside of it has.
func (s *standing) remove(n cx.Namespace) {
	if s[n-1] > 0 {
		s[n-1]--
	}
}

func (r *Resolver) at(id cx.CustomerID) standing {
	if s, ok := r.standing[id]; ok {
		return s
	}
	return plainVisitor
}

func (r *Resolver) set(id cx.CustomerID, s standing) {
	r.nameless.put(id, s == standing{})
	if s == plainVisitor {
		delete(r.standing, id)
		return
	}
	r.put(id, s)
}

func (r *Resolver) put(id cx.CustomerID, s standing) {
	if r.standing == nil {
		r.standing = make(map[cx.CustomerID]standing)
	}
	r.standing[id] = s
}

// unset forgets a customer.
func (r *Resolver) unset(id cx.CustomerID) {
	r.nameless.put(id, false)
	delete(r.standing, id)
}

// nameless holds the customers who have no identity any more: those whose only
// one went to another customer by an un-merge, a move or a quarantine. No stored
// row tells of them.
type nameless struct {
	ids   map[cx.CustomerID]bool
	moved bool // since NamelessMoved was asked
}

func (n *nameless) put(id cx.CustomerID, is bool) {
	switch {
	case is == n.ids[id]:
		return
	case !is:
		delete(n.ids, id)
	case n.ids == nil:
		n.ids = map[cx.CustomerID]bool{id: true}
	default:
		n.ids[id] = true
	}
	n.moved = true
}

// Nameless returns the customers who have no identity any more, ascending.
func (r *Resolver) Nameless() []cx.CustomerID { return slices.Sorted(maps.Keys(r.nameless.ids)) }

// NamelessMoved reports whether Nameless returns others than when this was last
// asked.
func (r *Resolver) NamelessMoved() bool {
	moved := r.nameless.moved
	r.nameless.moved = false
	return moved
}

// LoadNameless takes one of Nameless at start, before the first event.
func (r *Resolver) LoadNameless(id cx.CustomerID) { r.set(id, standing{}) }

// unite makes two customers one. The one with the stronger identity wins, of
// equals the older.
func (r *Resolver) unite(winner, loser cx.CustomerID, reason string) Merge {
	a, b := r.at(winner), r.at(loser)
	if b.strength() < a.strength() || a.strength() == b.strength() && loser.Position() < winner.Position() {
		winner, loser = loser, winner
	}
	for n := range a {
		a[n] += b[n]
	}
	r.unset(loser)
	r.set(winner, a)
	r.LoadMerged(loser, winner)
	r.parted.moved(loser)
	r.pairs = append(r.pairs, [2]cx.CustomerID{loser, winner})
	return Merge{Winner: winner, Loser: loser, Reason: reason}
}

// loadedName is an identity that was loaded and not yet counted.
type loadedName struct {
	customer  cx.CustomerID
	namespace cx.Namespace
}

// LoadIdentity takes a stored row at start, before the first event. Rows and
// merges may come in any order.
func (r *Resolver) LoadIdentity(row IdentityRow) {
	r.index.put(row.Identity.Hash(row.Workspace), row.Customer)
	r.loaded = append(r.loaded, loadedName{row.Customer, row.Identity.Namespace})
}

// LoadMerged takes a stored merge at start, before the first event.
func (r *Resolver) LoadMerged(loser, winner cx.CustomerID) {
	if r.merged == nil {
		r.merged = make(map[cx.CustomerID]cx.CustomerID)
	}
	r.merged[loser] = winner
}

// settle counts what was loaded.
func (r *Resolver) settle() {
	if len(r.loaded) == 0 {
		return
	}
	for i := range r.loaded {
		r.loaded[i].customer = r.Current(r.loaded[i].customer)
	}
	slices.SortFunc(r.loaded, func(a, b loadedName) int {
		return cmp.Or(cmp.Compare(a.customer, b.customer), cmp.Compare(a.namespace, b.namespace))
	})
	var s standing
	for i, l := range r.loaded {
		s.add(l.namespace)
		if i+1 == len(r.loaded) || r.loaded[i+1].customer != l.customer {
			r.set(l.customer, s)
			s = standing{}
		}
	}
	r.loaded = nil
}
