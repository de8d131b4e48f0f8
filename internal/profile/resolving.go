package profile

import (
	"slices"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// resolving is one event on its way through the Resolver.
type resolving struct {
	r     *Resolver
	ev    *cx.Event
	names []name
	now   cx.Instant
	out   Resolution
}

// choose sets the event's customer: the owner of its strongest identity, else
// the first owner of a weaker one that may take the strongest, else a new one.
func (s *resolving) choose(at cx.Position) {
	lead := &s.names[0]
	if id := s.r.owner(lead.key); id != 0 && !s.disowned(lead, id) {
		s.out.Customer = id
		return
	}
	for i := range s.names[1:] {
		n := &s.names[1+i]
		if id := s.r.owner(n.key); id != 0 && !s.unsignedAlias(n, id) && s.mayTake(lead, n, id) {
			s.out.Customer = id
			return
		}
	}
	s.out.Customer, s.out.New = cx.NewCustomerID(at), true
	s.r.put(s.out.Customer, standing{}) // its first identity comes next
}

// disowned reports whether a claimed id belongs to a customer that the company
// vouches for by now: an unsigned claim does not reach it any more.
func (s *resolving) disowned(n *name, id cx.CustomerID) bool {
	return n.Namespace == cx.ClaimedUserID && s.r.at(id).verified()
}

// mayTake reports whether customer id, found by the weaker identity n, may take
// the unowned identity lead as its own.
func (s *resolving) mayTake(lead, n *name, id cx.CustomerID) bool {
	who := s.r.at(id)
	switch lead.Namespace {
	case cx.UserID:
		return who.verified() && s.serverAlias(n) || !who.verified() && (!who.claimed() || s.onlyDevice(n, id))
	case cx.ClaimedUserID:
		return !who.verified() && !who.claimed()
	default:
		return true
	}
}

// onlyDevice reports whether the claimed customer id claims to be the very user
// of this event and n is the only device it was ever seen on.
func (s *resolving) onlyDevice(n *name, id cx.CustomerID) bool {
	lead := s.names[0]
	if n.Namespace != cx.AnonymousID || lead.Namespace != cx.UserID || s.r.at(id).devices() != 1 {
		return false
	}
	return s.r.Lookup(s.ev.Workspace, cx.Identity{Namespace: cx.ClaimedUserID, Value: lead.Value}) == id
}

// join brings one identity of the event to its customer, or leaves it where it
// is.
func (s *resolving) join(n *name, at cx.Position) {
	id := s.r.owner(n.key)
	switch {
	case id == 0 && !s.unsignedAlias(n, s.out.Customer):
		s.link(n)
	case id == 0 || id == s.out.Customer || s.unsignedAlias(n, id):
	case s.r.apart(s.out.Customer, id):
		s.sight(n, id, at)
	case s.disowned(n, id):
		s.move(n, id)
	case s.mayMerge(n, id):
		s.merge(n, id)
	case s.mayMove(n, id):
		s.move(n, id)
		s.sight(n, id, at)
	default:
		s.sight(n, id, at)
	}
}

// unsignedAlias reports whether n is the previous id of an alias call that
// nobody vouches for, while the event's customer or id is vouched for.
func (s *resolving) unsignedAlias(n *name, id cx.CustomerID) bool {
	return n.alias && !s.ev.Has(cx.Verified) && (s.r.at(s.out.Customer).verified() || s.r.at(id).verified())
}

// serverAlias reports whether n is the previous id of an alias call by a server,
// which alone may join two users.
func (s *resolving) serverAlias(n *name) bool {
	return n.alias && s.ev.KeyKind != cx.BrowserKey && s.ev.Has(cx.Verified)
}

// mayMerge reports whether the event's customer and id, the owner of n, are one
// person because n belongs to both.
func (s *resolving) mayMerge(n *name, id cx.CustomerID) bool {
	here, there := s.r.at(s.out.Customer), s.r.at(id)
	switch {
	case here.verified() && there.verified():
		return s.serverAlias(n)
	case here.verified() && there.claimed():
		return s.onlyDevice(n, id)
	case here.claimed() && (there.verified() || there.claimed()):
		return false
	}
	return true
}

// mayMove reports whether n, a device of the claimed customer id, moves to the
// event's customer, for whom the company vouches.
func (s *resolving) mayMove(n *name, id cx.CustomerID) bool {
	return n.Namespace == cx.AnonymousID && s.ev.Has(cx.Verified) &&
		s.r.at(s.out.Customer).verified() && s.r.at(id).claimed()
}

// link gives n to the event's customer.
func (s *resolving) link(n *name) {
	id := n.Identity
	id.Value, id.Since = strings.Clone(id.Value), s.now
	s.out.Links = append(s.out.Links, id)
	s.r.index.put(n.key, s.out.Customer)
	s.r.rows = append(s.r.rows, IdentityRow{cx.Workspace(strings.Clone(string(s.ev.Workspace))), id, s.out.Customer})
	who := s.r.at(s.out.Customer)
	who.add(id.Namespace)
	s.r.set(s.out.Customer, who)
}

// move takes n from customer id and gives it to the event's.
func (s *resolving) move(n *name, id cx.CustomerID) {
	who := s.r.at(id)
	who.remove(n.Namespace)
	s.r.set(id, who)
	s.link(n)
	s.out.Moves = append(s.out.Moves, Move{s.out.Links[len(s.out.Links)-1], id})
}

// merge makes the event's customer and id one.
func (s *resolving) merge(n *name, id cx.CustomerID) {
	m := s.r.unite(s.out.Customer, id, n.Namespace.String()+" "+s.ev.Type.String())
	m.Identity, m.Lead = n.Identity, s.names[0].Identity
	s.out.Moves = slices.DeleteFunc(s.out.Moves, func(v Move) bool {
		return v.From == m.Loser && (s.r.shut == 0 || !s.r.isShut(v.Identity.Hash(s.ev.Workspace)))
	})
	for i := range s.out.Moves {
		if v := &s.out.Moves[i]; v.From == m.Loser { // into quarantine, from whoever has it now
			v.From = m.Winner
		}
	}
	s.out.Customer = m.Winner
	s.out.Merges = append(s.out.Merges, m)
}
