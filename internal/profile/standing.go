package profile

import (
	"cmp"
	"math/bits"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// standing is what the Resolver has to know of a customer. Customers with
// nothing but one anonymous id, which are most, are not kept.
type standing struct {
	has     uint8  // bit n: has an identity in namespace n
	devices uint32 // how many anonymous ids
}

var plainVisitor = standing{has: 1 << cx.AnonymousID, devices: 1}

func (s standing) verified() bool { return s.has&(1<<cx.UserID) != 0 }
func (s standing) claimed() bool  { return !s.verified() && s.has&(1<<cx.ClaimedUserID) != 0 }

// strength returns the strongest namespace the customer has an identity in.
func (s standing) strength() int { return bits.TrailingZeros8(s.has) }

func (s *standing) add(n cx.Namespace) {
	s.has |= 1 << n
	if n == cx.AnonymousID {
		s.devices++
	}
}

// remove takes one identity of namespace n away: the only one, unless it is a
// device.
func (s *standing) remove(n cx.Namespace) {
	if n == cx.AnonymousID {
		if s.devices--; s.devices > 0 {
			return
		}
	}
	s.has &^= 1 << n
}

func (r *Resolver) at(id cx.CustomerID) standing {
	if s, ok := r.standing[id]; ok {
		return s
	}
	return plainVisitor
}

func (r *Resolver) set(id cx.CustomerID, s standing) {
	if s == plainVisitor {
		delete(r.standing, id)
		return
	}
	if r.standing == nil {
		r.standing = make(map[cx.CustomerID]standing)
	}
	r.standing[id] = s
}

// unite makes two customers one. The one with the stronger identity wins, of
// equals the older.
func (r *Resolver) unite(winner, loser cx.CustomerID, reason string) Merge {
	a, b := r.at(winner), r.at(loser)
	if b.strength() < a.strength() || a.strength() == b.strength() && loser.Position() < winner.Position() {
		winner, loser = loser, winner
	}
	a.has |= b.has
	a.devices += b.devices
	delete(r.standing, loser)
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
