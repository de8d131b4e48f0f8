package profile

import (
	"cmp"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// De-duplication is exact for SeenFor after receipt. At most SeenMax marks stay
// with the customer; when there are more, the oldest SpillBatch move to the
// store.
const (
	SeenFor    = 24 * 60 * 60 // seconds
	SeenMax    = 512
	SpillBatch = 128
)

// duplicate reports whether the message of mark was received within the last 24
// hours.
func duplicate(c *cx.Customer, mark cx.Seen, spill Spill) bool {
	for _, v := range slices.Backward(c.Seen) {
		if v.Low == mark.Low && v.High == mark.High {
			return !expired(v.At, mark.At)
		}
	}
	if c.Flags&cx.SpillSeen == 0 || expired(c.SpilledAt, mark.At) || spill == nil {
		return false
	}
	at, ok := spill.Seen(c.ID, mark.Message())
	return ok && !expired(at, mark.At)
}

func expired(at, now uint32) bool { return now > at && now-at > SeenFor }

// remember adds mark, drops the marks that have expired and spills the oldest
// when there are too many.
func (f *Folder) remember(c *cx.Customer, mark cx.Seen) {
	f.forget(c, mark.At)
	if len(c.Seen) >= SeenMax {
		f.spillOldest(c, SpillBatch)
	}
	if len(c.Seen) == cap(c.Seen) {
		grown := make([]cx.Seen, len(c.Seen), len(c.Seen)+max(4, len(c.Seen)/4))
		copy(grown, c.Seen)
		c.Seen = grown
	}
	c.Seen = append(c.Seen, mark)
}

// forget drops expired marks, in memory and spilled, and gives memory back when
// most of it is unused.
func (f *Folder) forget(c *cx.Customer, now uint32) {
	n := 0
	for n < len(c.Seen) && expired(c.Seen[n].At, now) {
		n++
	}
	if n > 0 {
		if left := len(c.Seen) - n; cap(c.Seen) > 32 && left < cap(c.Seen)/4 {
			c.Seen = append(make([]cx.Seen, 0, left+4), c.Seen[n:]...)
		} else {
			c.Seen = slices.Delete(c.Seen, 0, n)
		}
	}
	if c.Flags&cx.SpillSeen != 0 && expired(c.SpilledAt, now) {
		c.Flags &^= cx.SpillSeen
		c.SpilledAt = 0
	}
}

func (f *Folder) spillOldest(c *cx.Customer, n int) {
	f.spilled = append(f.spilled, c.Seen[:n]...)
	c.Flags |= cx.SpillSeen
	c.SpilledAt = max(c.SpilledAt, c.Seen[n-1].At)
	c.Seen = slices.Delete(c.Seen, 0, n)
}

// mergeSeen joins the marks of both, oldest first, and spills what is too much.
// c has the flags of both already.
func (f *Folder) mergeSeen(c, o *cx.Customer, now uint32) {
	all := append(slices.Clone(c.Seen), o.Seen...)
	slices.SortFunc(all, func(a, b cx.Seen) int {
		return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.Message(), b.Message()))
	})
	c.Seen = slices.Compact(all)
	c.SpilledAt = max(c.SpilledAt, o.SpilledAt)
	f.forget(c, now)
	if n := len(c.Seen); n > SeenMax {
		f.spillOldest(c, n-SeenMax+SpillBatch)
	}
}
