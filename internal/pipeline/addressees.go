package pipeline

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// addressees holds to whom un-merges found what was decided to be said, so that
// the fate of a delivery is noted where the line is. A delivery itself names
// whom it was decided for, for ever.
type addressees map[cx.DecisionID]addressee

type addressee struct {
	customer cx.CustomerID // as it was then
	found    cx.Instant    // log time of the un-merge
}

// awaitFate is how long after an un-merge a fate may come, in log time.
const awaitFate = 60 * cx.Day

// address notes whose the lines of an un-merge are.
func (s *Shard) address(u *unmerge) {
	if len(u.Said) == 0 || s.opts.reduced != nil {
		return
	}
	if s.addressees == nil {
		s.addressees = addressees{}
	}
	maps.DeleteFunc(s.addressees, func(_ cx.DecisionID, a addressee) bool { return s.now-a.found > awaitFate })
	for _, l := range u.Said {
		s.addressees[l.Decision] = addressee{l.Customer, s.now}
	}
}

// addressee returns in whose ledger the line of a delivery is now.
func (s *Shard) addressee(f *cx.Fate) cx.CustomerID {
	if a, ok := s.addressees[f.Decision]; ok {
		return s.resolver.Current(a.customer)
	}
	return s.resolver.Current(f.Customer)
}

// unaddress forgets customers.
func (s *Shard) unaddress(gone []cx.CustomerID) {
	maps.DeleteFunc(s.addressees, func(_ cx.DecisionID, a addressee) bool { return slices.Contains(gone, a.customer) })
}

// appendTo writes the addressees in order of decision.
func (m addressees) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(m)))
	for _, d := range slices.Sorted(maps.Keys(m)) {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(d)), uint64(m[d].customer))
		b = binary.AppendUvarint(b, uint64(m[d].found))
	}
	return b
}

func readAddressees(r *reader) addressees {
	m := addressees{}
	for n := r.Uvarint(); n > 0 && r.OK(); n-- {
		d := cx.DecisionID(r.Uvarint())
		m[d] = addressee{r.customer(), cx.Instant(r.Uvarint())}
	}
	return m
}
