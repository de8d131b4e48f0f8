package profile

import (
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// Adopt gives c the statistics of some slots as another customer has them: what c
// had there is replaced, and dropped where the other has nothing. slots are in
// ascending order.
func Adopt(c, other *cx.Customer, slots []int) {
	from := other.Stats
	c.Unknown = unionSlots(
		keepSlots(c.Unknown, func(slot int) bool { return !slices.Contains(slots, slot) }),
		keepSlots(other.Unknown, func(slot int) bool { return slices.Contains(slots, slot) }))
	w := statsWriter{dst: make([]byte, 0, len(c.Stats)+len(from))}
	own, next := 0, 0
	for _, slot := range slots {
		own = w.carry(c.Stats, own, slot)
		_, own = seek(c.Stats, own, slot)
		var payload []byte
		if payload, next = seek(from, next, slot); payload != nil {
			start := len(w.dst)
			w.begin(slot)
			w.dst = append(w.dst, payload...)
			w.end(start)
		}
	}
	w.dst = append(w.dst, c.Stats[own:]...)
	c.Stats = replace(c.Stats, w.dst)
}

// carry copies the entries of b from offset i on that come before slot and
// returns the offset of the next one.
func (w *statsWriter) carry(b []byte, i, slot int) int {
	for i < len(b) {
		x := entryAt(b, i)
		if x.slot >= slot {
			break
		}
		w.dst = append(w.dst, b[i:x.end]...)
		i = x.end
	}
	return i
}
