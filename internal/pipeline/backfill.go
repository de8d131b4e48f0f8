package pipeline

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/profile"
)

// A published set may ask for statistics that were not kept before. When the
// workspace has a past, these are back-filled: from the position of the set on
// their slots are filling. The lanes do not fold them, and every rule that reads
// one is unknown. Beside the line a filler (filler.go), the same machine with
// these slots only, folds them from the beginning of the log. When it has come
// near the end a command is appended, and at its position the filler stops, the
// slots become valid, and the lanes go on folding from what it has: a customer
// takes its statistics over when something next happens to it, or when the sweep
// of the ticks comes by (takeover.go).

// backfill is one such filling. It is never changed: a new one stands in its
// place.
type backfill struct {
	number uint64      // 1, 2, 3 … over all workspaces
	asked  cx.Position // of the set that asked for it
	slots  []int       // of the statistics, ascending

	valid cx.Position     // of the command that ended it; 0 while it runs
	from  uint64          // sequence of the first record that was folded
	since cx.Instant      // since when that counts: log time of the checkpoint it began with, 0 for everything
	next  []cx.CustomerID // once valid, by lane: whom the sweep looks at next, 0 when it is through
}

// backfills are those of one workspace.
type backfills struct {
	filled  uint64              // number of the last one that became valid
	filling []*backfill         // not valid yet, oldest first
	open    []*backfill         // valid, but not taken over by all customers, oldest first
	known   map[int]cx.Position // slot -> of the command that made it known, for those that were back-filled
	since   map[int]cx.Instant  // slot -> since when it counts, for those that do not count everything
}

// inherit gives w, which takes effect at a position in place of old, the
// back-fills that go on, and a new one for what old did not keep. number is that
// of the last back-fill so far; inherit returns the last one afterwards.
func (w *workspace) inherit(old *workspace, at cx.Position, past bool, number uint64) uint64 {
	w.backfills = backfills{filled: old.filled, open: old.open, known: map[int]cx.Position{}, since: map[int]cx.Instant{}}
	asked := map[int]bool{}
	for _, s := range w.set.Statistics {
		asked[s.Slot] = true
	}
	known := map[int]bool{} // kept, or being filled
	for _, s := range old.set.Statistics {
		known[s.Slot] = true
	}
	sameReading := old.settings.Zone.String() == w.settings.Zone.String() && old.settings.Currency == w.settings.Currency
	for _, f := range old.filling {
		still := *f
		still.slots = nil
		for _, slot := range f.slots {
			if asked[slot] && sameReading {
				still.slots = append(still.slots, slot)
			} else {
				delete(known, slot)
			}
		}
		if len(still.slots) > 0 {
			w.filling = append(w.filling, &still)
		}
	}
	fresh := &backfill{asked: at}
	for _, s := range w.set.Statistics { // ascending by slot
		if !known[s.Slot] {
			fresh.slots = append(fresh.slots, s.Slot)
			continue
		}
		if since, ok := old.since[s.Slot]; ok {
			w.since[s.Slot] = since
		}
		if at, ok := old.known[s.Slot]; ok {
			w.known[s.Slot] = at
		}
	}
	if past && len(fresh.slots) > 0 {
		number++
		fresh.number = number
		w.filling = append(w.filling, fresh)
	}
	w.prepare()
	return number
}

// knownSince returns the slots of statistics that became known by back-filling
// after a position, ascending: what was kept of customers before it does not have
// them.
func (w *workspace) knownSince(at cx.Position) (slots []int) {
	for _, slot := range slices.Sorted(maps.Keys(w.known)) {
		if w.known[slot] > at {
			slots = append(slots, slot)
		}
	}
	return slots
}

// prepare makes what follows from set and back-fills.
func (w *workspace) prepare() {
	filling := map[int]bool{}
	for _, f := range w.filling {
		for _, slot := range f.slots {
			filling[slot] = true
		}
	}
	specs := make([]profile.SlotSpec, len(w.set.Statistics))
	for i, s := range w.set.Statistics {
		specs[i] = profile.SlotSpec{Slot: s.Slot, Spec: s.Spec, Unknown: filling[s.Slot]}
	}
	w.plan = profile.NewPlan(w.settings, specs)
	w.unsure = unsure(w, filling)
}

// unsure returns the segments, as bits by slot, that look at a slot that is
// filling, or at such a segment. Memberships stay as they are meanwhile, but no
// rule may rely on them.
func unsure(w *workspace, filling map[int]bool) (bits []uint64) {
	if len(filling) == 0 {
		return nil
	}
	marked := map[int]bool{}
	for _, s := range w.set.Segments.All() { // a segment comes after those it refers to
		d := s.When.Deps()
		hangs := slices.ContainsFunc(d.Segments, func(slot int) bool { return marked[slot] })
		for _, st := range d.Statistics {
			hangs = hangs || filling[st.Slot]
		}
		if !hangs {
			continue
		}
		marked[s.Slot] = true
		for len(bits) <= s.Slot>>6 {
			bits = append(bits, 0)
		}
		bits[s.Slot>>6] |= 1 << (s.Slot & 63)
	}
	return bits
}

// with returns a state in which change was done to a copy of the workspace.
func (s *shared) with(name cx.Workspace, change func(w *workspace)) *shared {
	next := *s
	next.workspaces = maps.Clone(s.workspaces)
	w := *s.workspaces[name]
	change(&w)
	next.workspaces[name] = &w
	return &next
}

// active reports whether the workspace has had an event that was somebody's.
func (s *shared) active(name cx.Workspace) bool { return slices.Contains(s.pasts, name) }

// activate notes that the workspace has a past from now on.
func (s *Shard) activate(name cx.Workspace) {
	if s.state.active(name) {
		return
	}
	next := *s.state
	next.pasts = append(slices.Clone(s.state.pasts), name)
	slices.Sort(next.pasts)
	s.setState(&next)
}

// appendBackfills writes which workspaces have a past and what is being filled.
func (s *shared) appendBackfills(b []byte) []byte {
	b = binary.AppendUvarint(b, s.backfill)
	b = binary.AppendUvarint(b, uint64(len(s.pasts)))
	for _, name := range s.pasts {
		b = cx.AppendBytes(b, name)
	}
	for _, name := range s.names() {
		w := s.workspaces[name]
		b = binary.AppendUvarint(b, w.filled)
		b = binary.AppendUvarint(b, uint64(len(w.since)))
		for _, slot := range slices.Sorted(maps.Keys(w.since)) {
			b = binary.AppendVarint(binary.AppendUvarint(b, uint64(slot)), int64(w.since[slot]))
		}
		b = binary.AppendUvarint(b, uint64(len(w.known)))
		for _, slot := range slices.Sorted(maps.Keys(w.known)) {
			b = binary.AppendUvarint(binary.AppendUvarint(b, uint64(slot)), uint64(w.known[slot]))
		}
		for _, list := range [...][]*backfill{w.filling, w.open} {
			b = binary.AppendUvarint(b, uint64(len(list)))
			for _, f := range list {
				b = f.appendTo(b)
			}
		}
	}
	return b
}

func (f *backfill) appendTo(b []byte) []byte {
	for _, v := range [...]uint64{f.number, uint64(f.asked), uint64(f.valid), f.from, uint64(f.since), uint64(len(f.slots))} {
		b = binary.AppendUvarint(b, v)
	}
	for _, slot := range f.slots {
		b = binary.AppendUvarint(b, uint64(slot))
	}
	b = binary.AppendUvarint(b, uint64(len(f.next)))
	for _, id := range f.next {
		b = binary.AppendUvarint(b, uint64(id))
	}
	return b
}

// readBackfills reads what appendBackfills wrote.
func (s *shared) readBackfills(r *reader) {
	s.backfill = r.Uvarint()
	for n := r.Uvarint(); n > 0 && r.OK(); n-- {
		s.pasts = append(s.pasts, cx.Workspace(r.Text()))
	}
	for _, name := range s.names() {
		w := s.workspaces[name]
		w.filled, w.known, w.since = r.Uvarint(), map[int]cx.Position{}, map[int]cx.Instant{}
		for n := r.Uvarint(); n > 0 && r.OK(); n-- {
			slot := int(r.Uvarint())
			w.since[slot] = cx.Instant(r.Varint())
		}
		for n := r.Uvarint(); n > 0 && r.OK(); n-- {
			slot := int(r.Uvarint())
			w.known[slot] = cx.Position(r.Uvarint())
		}
		for _, list := range [...]*[]*backfill{&w.filling, &w.open} {
			for n := r.Uvarint(); n > 0 && r.OK(); n-- {
				if f := readBackfill(r); f.valid == 0 || len(f.next) > 0 { // else there is nothing to take over
					*list = append(*list, f)
				}
			}
		}
		if len(w.filling) > 0 {
			w.prepare()
		}
	}
}

func readBackfill(r *reader) *backfill {
	f := &backfill{number: r.Uvarint(), asked: cx.Position(r.Uvarint()), valid: cx.Position(r.Uvarint()), from: r.Uvarint(), since: cx.Instant(r.Uvarint())}
	for n := r.Uvarint(); n > 0 && r.OK(); n-- {
		f.slots = append(f.slots, int(r.Uvarint()))
	}
	for n := r.Uvarint(); n > 0 && r.OK(); n-- {
		f.next = append(f.next, cx.CustomerID(r.Uvarint()))
	}
	return f
}
