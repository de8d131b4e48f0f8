package profile

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// parted holds the pairs of customers that are kept apart: an un-merge found
// that they are two persons, so no event makes them one again. A pair names them
// as they were told apart; it stands for whoever they are now. Mostly there are
// no pairs.
type parted struct {
	pairs [][2]cx.CustomerID // each ascending, all ascending

	// What the pairs stand for now, unless stale.
	now   map[[2]cx.CustomerID]bool
	who   map[cx.CustomerID]bool
	stale bool
}

func (p *parted) set(pairs [][2]cx.CustomerID) {
	slices.SortFunc(pairs, comparePairs)
	p.pairs, p.stale = slices.Compact(pairs), true
}

// moved must be called when somebody is another customer than before.
func (p *parted) moved(id cx.CustomerID) { p.stale = p.stale || p.who[id] }

// apart reports whether two customers are kept apart.
func (r *Resolver) apart(a, b cx.CustomerID) bool {
	p := &r.parted
	if len(p.pairs) == 0 {
		return false
	}
	if p.stale {
		p.now, p.who, p.stale = map[[2]cx.CustomerID]bool{}, map[cx.CustomerID]bool{}, false
		for _, pair := range p.pairs {
			x, y := r.Current(pair[0]), r.Current(pair[1])
			p.now[orderedPair(x, y)], p.who[x], p.who[y] = true, true, true
		}
	}
	return p.now[orderedPair(a, b)]
}

// lift lets two customers be one.
func (r *Resolver) lift(a, b cx.CustomerID) {
	if r.apart(a, b) {
		r.parted.set(slices.DeleteFunc(r.parted.pairs, func(pair [2]cx.CustomerID) bool {
			return orderedPair(r.Current(pair[0]), r.Current(pair[1])) == orderedPair(a, b)
		}))
	}
}

func orderedPair(a, b cx.CustomerID) [2]cx.CustomerID {
	return [2]cx.CustomerID{min(a, b), max(a, b)}
}

func comparePairs(a, b [2]cx.CustomerID) int {
	return cmp.Or(cmp.Compare(a[0], b[0]), cmp.Compare(a[1], b[1]))
}

// KeepApart keeps two customers, and whoever they become, from merging by what
// events say. Join lifts it.
func (r *Resolver) KeepApart(a, b cx.CustomerID) {
	r.parted.set(append(r.parted.pairs, orderedPair(a, b)))
}

// Apart returns the pairs that were given to KeepApart and not lifted, in a fixed
// order.
func (r *Resolver) Apart() [][2]cx.CustomerID { return slices.Clone(r.parted.pairs) }

// Part is one of the customers that an un-merge makes of one, with the ids that
// were merged into it.
type Part struct {
	Customer *cx.Customer
	Aliases  []cx.CustomerID
}

// Split makes several customers of one: each has the identities of its part
// from now on. The parts must have all identities that the one has. merged says
// who of them was merged into whom (loser, winner) otherwise than before.
func (r *Resolver) Split(parts []Part, merged [][2]cx.CustomerID) {
	r.settle()
	for _, p := range parts {
		c := p.Customer
		r.parted.stale = true
		if _, lost := r.merged[c.ID]; lost {
			delete(r.merged, c.ID)
			r.pairs = append(r.pairs, [2]cx.CustomerID{c.ID, c.ID})
		}
		var who standing
		for _, n := range c.Identities {
			r.index.put(n.Hash(c.Workspace), c.ID)
			r.rows = append(r.rows, IdentityRow{c.Workspace, n, c.ID})
			who.add(n.Namespace)
		}
		r.set(c.ID, who)
		for _, alias := range p.Aliases {
			r.LoadMerged(alias, c.ID) // through whom, the stored pairs say
		}
	}
	r.pairs = append(r.pairs, merged...)
}

// Clone returns a copy of m that aliases no event.
func (m Merge) Clone() Merge {
	m.Identity.Value, m.Lead.Value = strings.Clone(m.Identity.Value), strings.Clone(m.Lead.Value)
	return m
}

// Owner returns the customer that the identity with this hash belongs to now, 0
// for none.
func (r *Resolver) Owner(key cx.HashKey) cx.CustomerID { return r.owner(key) }
