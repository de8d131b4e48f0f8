package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"fmt"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// mergeColumns are the columns of a kept merge.
const mergeColumns = "position, loser, winner, ordinal, at, workspace, undone, link, states"

// writeMerges changes the kept merges, in order, and then drops the oldest of
// those that need not be kept.
func (w *writer) writeMerges(c *pipeline.Checkpoint) error {
	for i := range c.Merges {
		makeWay(i)
		m := &c.Merges[i]
		at, loser, winner := int64(m.Key.Position), signed(uint64(m.Key.Loser)), signed(uint64(m.Key.Winner))
		var err error
		switch f := m.Put; {
		case f != nil:
			err = w.putMerge.exec(int64(f.Position), signed(uint64(f.Loser)), signed(uint64(f.Winner)), int64(f.Index), int64(f.At), string(f.Workspace),
				int64(f.Undone), appendLink(nil, f), appendStates(nil, f))
		case m.Undone:
			err = w.undoMerge.exec(int64(m.Position), at, loser, winner)
		default:
			err = w.forgetMerge.exec(at, loser, winner)
		}
		if err != nil {
			return fmt.Errorf("merge: %w", err)
		}
	}
	return w.dropMerges.exec(int64(c.MergeFloor), int64(forgetMost))
}

// linkCodec and statesCodec are the first bytes of the two packed columns. A link
// of version 1 does not say up to where the states are filled.
const (
	linkCodec   = 2
	statesCodec = 1
)

// appendLink packs what led to a merge.
func appendLink(b []byte, f *pipeline.MergeFact) []byte {
	b = appendText(append(b, linkCodec), f.Reason)
	for _, n := range [...]cx.Identity{f.Identity, f.Lead} {
		b = appendText(append(b, byte(n.Namespace)), n.Value)
	}
	for _, id := range f.Named {
		b = binary.LittleEndian.AppendUint64(b, uint64(id))
	}
	return binary.AppendUvarint(b, uint64(f.Filled))
}

// appendStates packs both customers.
func appendStates(b []byte, f *pipeline.MergeFact) []byte {
	b = binary.AppendUvarint(append(b, statesCodec), uint64(len(f.WinnerBefore)))
	return append(append(b, f.WinnerBefore...), f.LoserBefore...)
}

func appendText(b []byte, s string) []byte {
	return append(binary.AppendUvarint(b, uint64(len(s))), s...)
}

// Family calls found for everybody who was merged into id, directly or not.
func (s *State) Family(ctx context.Context, id cx.CustomerID, found func(loser, winner cx.CustomerID) error) error {
	return s.reading(ctx, "read merges", func(r *reader) error {
		return r.family.each(func(v []driver.Value) error {
			return found(cx.CustomerID(unsigned(v[0])), cx.CustomerID(unsigned(v[1])))
		}, signed(uint64(id)))
	})
}

// Merges calls found for every kept merge that id took part in.
func (s *State) Merges(ctx context.Context, id cx.CustomerID, found func(pipeline.MergeFact) error) error {
	return s.reading(ctx, "read merges", func(r *reader) error {
		return r.merges.each(func(v []driver.Value) error {
			f, err := mergeOf(v)
			if err != nil {
				return err
			}
			return found(f)
		}, signed(uint64(id)), signed(uint64(id)))
	})
}

// NextMerges calls found for up to n kept merges behind one, in order of
// position, loser and winner.
func (s *State) NextMerges(ctx context.Context, after pipeline.FactKey, n int, found func(pipeline.MergeFact) error) error {
	return s.reading(ctx, "read merges", func(r *reader) error {
		return r.nextMerges.each(func(v []driver.Value) error {
			f, err := mergeOf(v)
			if err != nil {
				return err
			}
			return found(f)
		}, int64(after.Position), signed(uint64(after.Loser)), signed(uint64(after.Winner)), int64(n))
	})
}

func mergeOf(v []driver.Value) (f pipeline.MergeFact, err error) {
	f.Position = cx.Position(v[0].(int64))
	f.Loser, f.Winner = cx.CustomerID(unsigned(v[1])), cx.CustomerID(unsigned(v[2]))
	f.Index, f.At, f.Workspace = uint8(v[3].(int64)), cx.Instant(v[4].(int64)), cx.Workspace(v[5].(string))
	f.Undone = cx.Position(v[6].(int64))
	link, states := unpacker{b: bytesOf(v[7])}, unpacker{b: bytesOf(v[8])}
	version := link.codec(linkCodec)
	f.Reason = link.text()
	for _, n := range [...]*cx.Identity{&f.Identity, &f.Lead} {
		if b := link.take(1); len(b) == 1 {
			n.Namespace = cx.Namespace(b[0])
		}
		n.Value = link.text()
	}
	for i := range f.Named {
		if b := link.take(8); len(b) == 8 {
			f.Named[i] = cx.CustomerID(binary.LittleEndian.Uint64(b))
		}
	}
	if version >= 2 {
		f.Filled = cx.Position(link.uvarint())
	}
	states.codec(statesCodec)
	f.WinnerBefore = []byte(states.text())
	f.LoserBefore = []byte(string(states.b))
	if link.bad || states.bad || len(link.b) > 0 {
		return f, fmt.Errorf("the merge at %v: %w", f.Position, cx.ErrCodec)
	}
	return f, nil
}

// unpacker takes packed bytes apart; after the first fault bad stays set.
type unpacker struct {
	b   []byte
	bad bool
}

func (u *unpacker) take(n uint64) []byte {
	if n > uint64(len(u.b)) {
		u.bad, u.b = true, nil
		return nil
	}
	b := u.b[:n]
	u.b = u.b[n:]
	return b
}

// codec reads the version, which is newest or an earlier one.
func (u *unpacker) codec(newest byte) (version byte) {
	if b := u.take(1); len(b) == 1 {
		version = b[0]
		u.bad = u.bad || version == 0 || version > newest
	}
	return version
}

func (u *unpacker) uvarint() uint64 {
	n, w := binary.Uvarint(u.b)
	if w <= 0 {
		u.bad, u.b = true, nil
		return 0
	}
	u.b = u.b[w:]
	return n
}

func (u *unpacker) text() string { return string(u.take(u.uvarint())) }
