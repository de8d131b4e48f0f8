package profile

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// QuarantineAbove is on how many users a value may be seen.
const QuarantineAbove = 5

// Sighting says on which users a value was seen that belongs to one of them: a
// tablet in a shop, the mail address of an office. Only customers with a user id
// count, vouched for or claimed: one person's many devices are many customers
// until the person logs in. A value that was seen on more than QuarantineAbove is
// in quarantine: it finds and links nobody any more. Events that tell nothing but
// it are of a customer of its own, who shares them with nobody.
type Sighting struct {
	Workspace cx.Workspace
	Identity  cx.Identity
	Seen      []cx.CustomerID // as they were; empty says that the sighting is forgotten
	Since     cx.Position     // of the event that put it in quarantine, 0 while it is not
	Own       cx.CustomerID   // in quarantine: the customer of its own
}

// ownBit tells the customers of quarantined values from those that an entry
// created: no position has it.
const ownBit = cx.Position(1) << 63

// sight notes that n, which belongs to owner, came with the event's customer.
func (s *resolving) sight(n *name, owner cx.CustomerID, at cx.Position) {
	if n.alias || n.Namespace <= cx.ClaimedUserID || s.r.heeds != nil {
		return
	}
	x := s.r.sightings[n.key]
	if x == nil {
		x = &Sighting{Workspace: cx.Workspace(strings.Clone(string(s.ev.Workspace))), Identity: n.Identity}
		x.Identity.Value = strings.Clone(n.Value)
	}
	if a, b := s.r.see(x, owner), s.r.see(x, s.out.Customer); !a && !b {
		return
	}
	if s.r.sightings == nil {
		s.r.sightings = map[cx.HashKey]*Sighting{}
	}
	s.r.sightings[n.key] = x
	if who := s.r.at(s.r.owner(n.key)); len(x.Seen) > QuarantineAbove && (n.Namespace == cx.AnonymousID || who.verified() || who.claimed()) {
		s.quarantine(x, n, at)
	}
	s.r.sighted = append(s.r.sighted, n.key)
}

// see adds a user to a sighting and reports whether that is news.
func (r *Resolver) see(x *Sighting, id cx.CustomerID) bool {
	if who := r.at(id); !who.verified() && !who.claimed() {
		return false
	}
	if slices.ContainsFunc(x.Seen, func(seen cx.CustomerID) bool { return seen == id || r.Current(seen) == id }) {
		return false
	}
	x.Seen = append(x.Seen, id)
	return true
}

// quarantine takes the value from its owner and gives it to a customer of its
// own.
func (s *resolving) quarantine(x *Sighting, n *name, at cx.Position) {
	owner := s.r.owner(n.key)
	x.Since, x.Own = at, cx.NewCustomerID(at|ownBit|cx.Position(n.Namespace)<<60)
	s.r.shut++
	s.r.shutEver++
	who := s.r.at(owner)
	who.remove(n.Namespace)
	s.r.set(owner, who)
	if owner == s.out.Customer { // by this very event
		s.out.Links = slices.DeleteFunc(s.out.Links, func(l cx.Identity) bool { return compareIdentities(l, x.Identity) == 0 })
	} else {
		s.out.Moves = append(s.out.Moves, Move{x.Identity, owner})
	}
	s.r.index.put(n.key, x.Own)
	own := standing{}
	own.add(n.Namespace)
	s.r.set(x.Own, own)
	x.Identity.Since = s.now
	s.r.rows = append(s.r.rows, IdentityRow{x.Workspace, x.Identity, x.Own})
	s.out.Isolated = append(s.out.Isolated, Isolated{x.Identity, x.Own})
}

// isShut reports whether an identity is in quarantine.
func (r *Resolver) isShut(key cx.HashKey) bool {
	x := r.sightings[key]
	return x != nil && x.Since != 0
}

// shutOut leaves quarantined values out of names, unless there is nothing else;
// then it returns the strongest of them alone.
func (r *Resolver) shutOut(names []name) []name {
	shut := func(n name) bool { return r.isShut(n.key) }
	if open := slices.IndexFunc(names, func(n name) bool { return !n.alias && !shut(n) }); open < 0 {
		return names[:min(1, len(names))]
	}
	return slices.DeleteFunc(names, shut)
}

// Quarantined returns the values in quarantine, of all workspaces, those first
// that came first.
func (r *Resolver) Quarantined() []Sighting {
	var out []Sighting
	for _, k := range sortedHashes(r.sightings) {
		if x := r.sightings[k]; x.Since != 0 {
			out = append(out, x.clone())
		}
	}
	slices.SortStableFunc(out, func(a, b Sighting) int { return cmp.Compare(a.Since, b.Since) })
	return out
}

// Release takes a value out of quarantine and forgets on whom it was seen; it is
// an ordinary one of the customer of its own from then on. It returns false when
// the value is not in quarantine.
func (r *Resolver) Release(w cx.Workspace, id cx.Identity) bool {
	key := id.Hash(w)
	x := r.sightings[key]
	if x == nil || x.Since == 0 {
		return false
	}
	r.shut--
	x.forget()
	r.sighted = append(r.sighted, key)
	return true
}

// forget leaves of the sighting nothing but which value it is of, as one that
// has just begun.
func (x *Sighting) forget() {
	*x = Sighting{Workspace: x.Workspace, Identity: cx.Identity{Namespace: x.Identity.Namespace, Value: x.Identity.Value}}
}

// LoadSighting takes a stored sighting at start, before the first event.
func (r *Resolver) LoadSighting(x Sighting) {
	if r.sightings == nil {
		r.sightings = map[cx.HashKey]*Sighting{}
	}
	x = x.clone()
	r.sightings[x.Identity.Hash(x.Workspace)] = &x
	if x.Since != 0 {
		r.shut++
		r.shutEver++
	}
}

// Sightings returns every sighting that changed since the last call, in order of
// the first change.
func (r *Resolver) Sightings() []Sighting {
	var out []Sighting
	done := map[cx.HashKey]bool{}
	for _, k := range r.sighted {
		if !done[k] {
			done[k] = true
			x := r.sightings[k]
			out = append(out, x.clone())
			if len(x.Seen) == 0 {
				delete(r.sightings, k)
			}
		}
	}
	r.sighted = nil
	return out
}

func (x *Sighting) clone() Sighting {
	c := *x
	c.Seen = slices.Clone(x.Seen)
	return c
}

func sortedHashes[V any](m map[cx.HashKey]V) []cx.HashKey {
	keys := make([]cx.HashKey, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b cx.HashKey) int { return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1])) })
	return keys
}

// AppendSightings writes all sightings in a fixed order. Equal ones have equal
// encodings.
func (r *Resolver) AppendSightings(b []byte) []byte {
	for _, k := range sortedHashes(r.sightings) {
		x := r.sightings[k]
		if len(x.Seen) == 0 {
			continue // released, and gone with the next checkpoint
		}
		b = appendUvarint(appendUvarint(b, k[0]), k[1])
		b = appendUvarint(appendUvarint(b, uint64(x.Since)), uint64(x.Own))
		b = appendUvarint(b, uint64(len(x.Seen)))
		for _, id := range x.Seen {
			b = appendUvarint(b, uint64(id))
		}
	}
	return b
}

// Quarantines returns a number that grows whenever a value comes into quarantine.
func (r *Resolver) Quarantines() int { return r.shutEver }

// Shut returns how many values are in quarantine.
func (r *Resolver) Shut() int { return r.shut }
