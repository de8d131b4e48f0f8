package profile

import (
	"cmp"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// Link adds identities to c, keeping each once with its earlier link, and
// reports whether any was new.
func Link(c *cx.Customer, names []cx.Identity) (added bool) {
	for _, n := range names {
		i, found := slices.BinarySearchFunc(c.Identities, n, compareIdentities)
		if found {
			c.Identities[i].Since = min(c.Identities[i].Since, n.Since)
			continue
		}
		c.Identities = slices.Insert(c.Identities, i, n)
		added = true
	}
	return added
}

// Unlink takes an identity away from c and reports whether it was there.
func Unlink(c *cx.Customer, name cx.Identity) bool {
	i, found := slices.BinarySearchFunc(c.Identities, name, compareIdentities)
	if found {
		c.Identities = slices.Delete(c.Identities, i, i+1)
	}
	return found
}

func compareIdentities(a, b cx.Identity) int {
	return cmp.Or(cmp.Compare(a.Namespace, b.Namespace), cmp.Compare(a.Value, b.Value))
}

// Merge makes winner what both customers add up to at log time now, under the
// winner's ID. But for the ID, the result is the same whoever wins. Sessions of
// the two that overlap or follow each other within 30 minutes become one.
// Memberships of segments are cleared and Outcome.Change.All is set: every rule
// is to be looked at again. loser must not be used afterwards; the marks that
// were spilled for it are the winner's from now on.
func (f *Folder) Merge(p *Plan, winner, loser *cx.Customer, now cx.Instant) Outcome {
	f.begin(nil)
	f.change.All = true
	f.mergeVisits(p, winner, loser)
	f.mergeStatistics(p, winner, loser.Stats, now)
	winner.Flags |= loser.Flags
	f.mergeSeen(winner, loser, seconds(now))
	Link(winner, loser.Identities)
	winner.Traits = mergeTraits(winner.Traits, loser.Traits)
	for _, g := range loser.Consent {
		winner.Consent = winner.Consent.With(g)
	}
	if winner.CreatedAt == 0 || loser.CreatedAt != 0 && loser.CreatedAt < winner.CreatedAt {
		winner.CreatedAt = loser.CreatedAt
	}
	winner.LastSeen = max(winner.LastSeen, loser.LastSeen)
	winner.Rate = mergeRate(winner.Rate, loser.Rate)
	winner.Segments, winner.Judged = nil, 0
	winner.Unknown = unionSlots(winner.Unknown, loser.Unknown)
	winner.Ledger = mergeLedgers(winner.Ledger, loser.Ledger)
	winner.Tallies = cx.MergeTallies(winner.Tallies, loser.Tallies)
	winner.Timers = mergeTimers(winner.Timers, loser.Timers)
	return Outcome{Flooding: winner.Flags&cx.Flooding != 0, Change: f.change, Spilled: f.spilled}
}

func mergeLedgers(a, b []cx.Attention) []cx.Attention {
	all := append(slices.Clone(a), b...)
	slices.SortStableFunc(all, func(a, b cx.Attention) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Decision.Position(), b.Decision.Position()),
			cmp.Compare(a.Action(), b.Action()), cmp.Compare(a.Place(), b.Place()))
	})
	return all
}

func mergeTimers(a, b []cx.Timer) []cx.Timer {
	all := append(slices.Clone(a), b...)
	slices.SortFunc(all, func(a, b cx.Timer) int {
		return cmp.Or(cmp.Compare(a.Due, b.Due), cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Ref, b.Ref))
	})
	return slices.Compact(all)
}

// A cluster is a session of the merged customer and the sessions it was made
// of.
type cluster struct {
	cx.Visit
	parts []cx.Visit
}

// mergeVisits joins the sessions that the two customers remember, renames them
// in both packed statistics and ledgers, and keeps the newest two. Both had as
// many sessions as their numbers say; those that became one count once.
func (f *Folder) mergeVisits(p *Plan, winner, loser *cx.Customer) {
	total := winner.Session.Number + loser.Session.Number
	clusters := clusterVisits(winner.Session, winner.Previous, loser.Session, loser.Previous)
	for i := range clusters {
		total -= uint32(len(clusters[i].parts) - 1)
	}
	for i := range clusters {
		clusters[i].Number = total - uint32(min(i, int(total)-1))
	}
	for _, c := range [...]*cx.Customer{winner, loser} {
		renumber(c, clusters)
		c.Stats = f.rekey(p, c.Stats, func(key int64) int64 { return clusterKey(clusters, key) })
	}
	winner.Session, winner.Previous = cx.Visit{}, cx.Visit{}
	if len(clusters) > 0 {
		winner.Session = clusters[0].Visit
	}
	if len(clusters) > 1 {
		winner.Previous = clusters[1].Visit
	}
}

// clusterVisits joins visits with less than 30 minutes between them, newest
// first.
func clusterVisits(visits ...cx.Visit) []cluster {
	visits = slices.DeleteFunc(visits, func(v cx.Visit) bool { return v.Start == 0 })
	slices.SortFunc(visits, func(a, b cx.Visit) int {
		return cmp.Or(cmp.Compare(b.Start, a.Start), cmp.Compare(b.End, a.End), cmp.Compare(a.Number, b.Number))
	})
	var out []cluster
	for _, v := range visits {
		if n := len(out); n > 0 && v.End+cx.SessionGap > out[n-1].Start {
			k := &out[n-1]
			k.Start, k.End, k.Events = v.Start, max(k.End, v.End), k.Events+v.Events
			k.parts = append(k.parts, v)
		} else {
			out = append(out, cluster{Visit: v, parts: []cx.Visit{v}})
		}
		for n := len(out); n > 1 && out[n-1].End+cx.SessionGap > out[n-2].Start; n-- {
			out = joinLast(out)
		}
	}
	return out
}

// joinLast makes the last two clusters one.
func joinLast(out []cluster) []cluster {
	n := len(out)
	newer, older := &out[n-2], &out[n-1]
	newer.Start, newer.End, newer.Events = older.Start, max(newer.End, older.End), newer.Events+older.Events
	newer.parts = append(newer.parts, older.parts...)
	return out[:n-1]
}

// clusterKey returns the key of the session that the one with key became part
// of; keys of sessions nobody remembers stay.
func clusterKey(clusters []cluster, key int64) int64 {
	for i := range clusters {
		for _, v := range clusters[i].parts {
			if sessionKey(v.Start) == key {
				return sessionKey(clusters[i].Start)
			}
		}
	}
	return key
}

// renumber gives the ledger's lines and tallies of remembered sessions their
// new numbers, so that what was said in a session still counts in it.
func renumber(c *cx.Customer, clusters []cluster) {
	to := func(number uint32) uint32 {
		for _, v := range [...]cx.Visit{c.Session, c.Previous} {
			if v.Start != 0 && v.Number == number {
				return numberOf(clusters, v.Start)
			}
		}
		return number
	}
	for i := range c.Ledger {
		c.Ledger[i].Session = to(c.Ledger[i].Session)
	}
	for i := range c.Tallies {
		c.Tallies[i].Session = to(c.Tallies[i].Session)
	}
}

func numberOf(clusters []cluster, start cx.Instant) uint32 {
	for i := range clusters {
		if start >= clusters[i].Start && start <= clusters[i].End {
			return clusters[i].Number
		}
	}
	return 0
}
