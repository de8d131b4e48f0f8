package pipeline

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/profile"
)

// An un-merge is worked out beside the machine, from the customer as it was at
// one entry of the journal, and takes effect at a later one. A watch tells
// whether anything happened to the customer between the two. It is set by an
// entry, so every replay sees the same.

// watches holds the customers that are watched.
type watches map[cx.CustomerID]watch

type watch struct {
	workspace cx.Workspace
	begun     cx.Position // of the entry that set it
	at        cx.Instant  // log time there
}

// watchFor is how long an un-merge may take to be worked out, in log time.
const watchFor = 5 * cx.Minute

// watch begins to watch a customer.
func (s *Shard) watch(w cx.Workspace, id cx.CustomerID, begun cx.Position) {
	if s.watches == nil {
		s.watches = watches{}
	}
	s.watches[id] = watch{w, begun, s.now}
	s.partedMoved = true
}

// stand reports whether the customer is as it was when the watch was set at
// begun.
func (m watches) stand(id cx.CustomerID, begun cx.Position) bool {
	w, ok := m[id]
	return ok && w.begun == begun
}

// stir notes that something happens to a customer.
func (s *Shard) stir(id cx.CustomerID) {
	if _, ok := s.watches[id]; ok {
		delete(s.watches, id)
		s.partedMoved = true
	}
}

// stirAll notes that an event happens to everybody it is about.
func (s *Shard) stirAll(r *profile.Resolution) {
	s.stir(r.Customer)
	for _, m := range r.Merges {
		s.stir(m.Winner)
		s.stir(m.Loser)
	}
	for _, m := range r.Moves {
		s.stir(m.From)
	}
}

// stirWorkspace notes that everybody of a workspace is folded by another plan
// from now on.
func (s *Shard) stirWorkspace(w cx.Workspace) {
	for _, id := range slices.Collect(maps.Keys(s.watches)) {
		if s.watches[id].workspace == w {
			s.stir(id)
		}
	}
}

// expireWatches ends, at a tick of the journal, what has been watched for too
// long.
func (s *Shard) expireWatches() {
	for _, id := range slices.Collect(maps.Keys(s.watches)) {
		if s.now-s.watches[id].at > watchFor {
			s.stir(id)
		}
	}
}

// freezeApart makes known to all, at a tick, who is kept apart, who is watched,
// who has no identity any more and whose what was said is.
func (s *Shard) freezeApart() {
	if moved := s.resolver.NamelessMoved(); !moved && !s.partedMoved {
		return
	}
	s.partedMoved = false
	next := *s.state
	next.apart, next.watches, next.nameless = s.resolver.Apart(), maps.Clone(s.watches), s.resolver.Nameless()
	next.addressees = maps.Clone(s.addressees)
	s.setState(&next)
}

// appendTo writes the watches in order of customer.
func (m watches) appendTo(b []byte) []byte {
	b = binary.AppendUvarint(b, uint64(len(m)))
	for _, id := range slices.Sorted(maps.Keys(m)) {
		w := m[id]
		b = binary.AppendUvarint(b, uint64(id))
		b = cx.AppendBytes(b, w.workspace)
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(w.begun)), uint64(w.at))
	}
	return b
}

func readWatches(r *reader) watches {
	m := watches{}
	for n := r.Uvarint(); n > 0 && r.OK(); n-- {
		id := cx.CustomerID(r.Uvarint())
		m[id] = watch{cx.Workspace(r.Text()), cx.Position(r.Uvarint()), cx.Instant(r.Uvarint())}
	}
	return m
}

func appendPairs(b []byte, pairs [][2]cx.CustomerID) []byte {
	b = binary.AppendUvarint(b, uint64(len(pairs)))
	for _, p := range pairs {
		b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(p[0])), uint64(p[1]))
	}
	return b
}

func readPairs(r *reader) (pairs [][2]cx.CustomerID) {
	for n := r.Uvarint(); n > 0 && r.OK(); n-- {
		pairs = append(pairs, [2]cx.CustomerID{cx.CustomerID(r.Uvarint()), cx.CustomerID(r.Uvarint())})
	}
	return pairs
}
