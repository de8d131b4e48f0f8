package pipeline

import (
	"maps"
	"slices"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/profile"
)

// page holds what belongs to one cut and is looked for in the store: until the
// cut is committed, the store does not know it.
type page struct {
	cut   uint64
	marks map[cx.CustomerID]map[uint64]uint32 // of received messages that no longer fit with their customer
	left  map[cx.CustomerID]bool              // customers merged away, whose rows the store still has
}

// left reports whether the customer was merged away.
func (w *worker) left(id cx.CustomerID) bool {
	if w.page.left[id] {
		return true
	}
	for _, p := range w.pages {
		if p.left[id] {
			return true
		}
	}
	return false
}

// leave notes that the customer was merged away.
func (p *page) leave(id cx.CustomerID) {
	if p.left == nil {
		p.left = map[cx.CustomerID]bool{}
	}
	p.left[id] = true
}

// spill keeps marks that Apply moved out of memory.
func (w *worker) spill(c *cx.Customer, marks []cx.Seen) {
	if len(marks) == 0 {
		return
	}
	m := w.page.of(c.ID)
	for _, s := range marks {
		m[s.Message()] = s.At
		w.next.spilled = append(w.next.spilled, SpillRow{Customer: c.ID, Message: s.Message(), At: s.At})
	}
}

func (p *page) of(id cx.CustomerID) map[uint64]uint32 {
	if p.marks == nil {
		p.marks = map[cx.CustomerID]map[uint64]uint32{}
	}
	m := p.marks[id]
	if m == nil {
		m = map[uint64]uint32{}
		p.marks[id] = m
	}
	return m
}

// marksOf returns every mark of the customer that was spilled and still counts.
func (w *worker) marksOf(id cx.CustomerID) map[uint64]uint32 {
	marks := map[uint64]uint32{}
	w.insist("read received messages", func() error {
		return w.shard.opts.Store.EachSeen(w.ctx, id, func(message uint64, at uint32) error {
			marks[message] = at
			return nil
		})
	})
	for _, p := range slices.Backward(w.openPages()) {
		maps.Copy(marks, p.marks[id])
	}
	since := uint32(max(0, w.scope.Now/cx.Second-profile.SeenFor))
	maps.DeleteFunc(marks, func(_ uint64, at uint32) bool { return at < since })
	return marks
}

// adopt spills marks of another customer for c, who has become both.
func (w *worker) adopt(c *cx.Customer, marks map[uint64]uint32) {
	list := make([]cx.Seen, 0, len(marks))
	for message, at := range marks {
		list = append(list, cx.NewSeen(message, at))
	}
	w.spill(c, list)
}

// Seen finds a spilled mark, in the pages that are not committed or in the
// store. It makes worker a profile.Spill.
func (w *worker) Seen(id cx.CustomerID, message uint64) (at uint32, ok bool) {
	for _, p := range w.openPages() {
		if at, ok = p.marks[id][message]; ok {
			return at, true
		}
	}
	w.insist("look for a received message", func() (err error) {
		at, ok, err = w.shard.opts.Store.SeenAt(w.ctx, id, message)
		return err
	})
	return at, ok
}

// insist does f again and again until it succeeds or the shard stops: guessing
// would break replay.
func (w *worker) insist(doing string, f func() error) {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := f()
		if err == nil && wait > 10*time.Millisecond {
			w.shard.unstuck(doing)
		}
		if err == nil || w.ctx.Err() != nil {
			return
		}
		w.shard.stuck(doing, err)
		select {
		case <-time.After(wait):
		case <-w.ctx.Done():
			return
		}
	}
}

// openPages returns the pages that the store may not have yet, newest first.
func (w *worker) openPages() []*page {
	return append([]*page{w.page}, w.pages...)
}

// turnPage begins a new page at a cut and drops those that are committed.
func (w *worker) turnPage(cut uint64) {
	w.page.cut = cut
	kept := []*page{w.page}
	committed := w.shard.committedCut.Load()
	for _, p := range w.pages {
		if p.cut > committed {
			kept = append(kept, p)
		}
	}
	w.pages, w.page = kept, new(page)
}
