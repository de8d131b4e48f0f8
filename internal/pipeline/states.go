package pipeline

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/profile"
)

// Fingerprint is the whole state in a few numbers: two machines with the same
// Fingerprint are in the same state, byte for byte as this version writes it.
type Fingerprint struct {
	Position  cx.Position
	Customers int
	State     [32]byte // SHA-256 over every customer's encoding, by id
	Shared    [32]byte // SHA-256 of the state shared between customers
	Outbox    [32]byte // SHA-256 over the keys of what is to be sent, in order
	Sightings [32]byte // SHA-256 of which values were seen on whom
}

// Fingerprint sums the state up. It may be called only after Run has returned.
// Each customer's own sum is given to each, by id; each may be nil.
func (s *Shard) Fingerprint(ctx context.Context, each func(cx.CustomerID, [32]byte)) (Fingerprint, error) {
	type row struct {
		id  cx.CustomerID
		sum [32]byte
	}
	var rows []row
	var b []byte
	for _, l := range s.lanes {
		for id, r := range l.residents {
			b = profile.AppendCustomer(b[:0], &r.customer)
			rows = append(rows, row{id, sha256.Sum256(b)})
		}
		for id, r := range l.resting {
			rows = append(rows, row{id, sha256.Sum256(r.encoding)})
		}
	}
	err := s.opts.Store.EachCustomer(ctx, func(id cx.CustomerID, blob []byte) error {
		if l := s.lanes[id.Lane()]; l.has(id) || s.workers[id.Lane()%len(s.workers)].left(id) {
			return nil
		}
		blob, err := profile.Renew(blob) // a row that has not changed since an earlier version wrote it says the same
		rows = append(rows, row{id, sha256.Sum256(blob)})
		return err
	})
	if err != nil {
		return Fingerprint{}, err
	}
	slices.SortFunc(rows, func(a, b row) int {
		if a.id < b.id {
			return -1
		}
		return 1
	})
	h := sha256.New()
	for _, r := range rows {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(r.id)))
		h.Write(r.sum[:])
		if each != nil {
			each(r.id, r.sum)
		}
	}
	state := *s.state
	state.entries = 0 // follows from the position, and is not known where an earlier version has not counted
	f := Fingerprint{Position: s.position, Customers: len(rows), Shared: sha256.Sum256(state.encode())}
	h.Sum(f.State[:0])
	f.Outbox = s.outboxSum()
	f.Sightings = sha256.Sum256(s.resolver.AppendSightings(nil))
	return f, nil
}

func (s *Shard) outboxSum() (sum [32]byte) {
	var keys []cx.SendKey
	for _, l := range s.lanes {
		for k := range l.outbox {
			keys = append(keys, k)
		}
	}
	slices.SortFunc(keys, func(a, b cx.SendKey) int { return slices.Compare(a[:], b[:]) })
	h := sha256.New()
	for _, k := range keys {
		h.Write(binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, k[0]), k[1]))
	}
	h.Sum(sum[:0])
	return sum
}
