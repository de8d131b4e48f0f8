package pipeline

import (
	"maps"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// page holds what belongs to one cut and is looked for in the store: until the
// cut is committed, the store does not know it.
type page struct {
	cut   uint64
	marks map[cx.CustomerID]map[uint64]uint32 // of received messages that no longer fit with their customer
	heirs map[cx.CustomerID]cx.CustomerID     // loser to winner of merges of customers with such marks
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

// takeMarks returns every mark of the customer that the store may not have yet.
func (w *worker) takeMarks(id cx.CustomerID) map[uint64]uint32 {
	all := map[uint64]uint32{}
	for _, p := range w.openPages() {
		maps.Copy(all, p.marks[id])
		for loser, winner := range p.heirs {
			if winner == id {
				maps.Copy(all, w.takeMarks(loser))
			}
		}
	}
	return all
}

// adoptMarks spills the loser's marks again, under the winner.
func (w *worker) adoptMarks(c *cx.Customer, marks map[uint64]uint32) {
	list := make([]cx.Seen, 0, len(marks))
	for message, at := range marks {
		list = append(list, cx.NewSeen(message, at))
	}
	w.spill(c, list)
}

// adoptSpilled makes the loser's spilled marks findable under the winner until
// the store has given them to the winner.
func (w *worker) adoptSpilled(winner, loser cx.CustomerID) {
	if w.page.heirs == nil {
		w.page.heirs = map[cx.CustomerID]cx.CustomerID{}
	}
	w.page.heirs[loser] = winner
}

// Seen finds a spilled mark, in the pages that are not committed or in the
// store. It makes worker a profile.Spill.
func (w *worker) Seen(id cx.CustomerID, message uint64) (at uint32, ok bool) {
	if at, ok = w.seenBy(id, message); ok {
		return at, ok
	}
	for _, p := range w.openPages() {
		for loser, winner := range p.heirs {
			if winner == id {
				if at, ok = w.Seen(loser, message); ok {
					return at, ok
				}
			}
		}
	}
	return 0, false
}

// seenBy looks for a mark under one id.
func (w *worker) seenBy(id cx.CustomerID, message uint64) (at uint32, ok bool) {
	for _, p := range w.openPages() {
		if at, ok = p.marks[id][message]; ok {
			return at, true
		}
	}
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		at, ok, err := w.shard.opts.Store.SeenAt(w.ctx, id, message)
		if err == nil || w.ctx.Err() != nil {
			return at, ok
		}
		w.shard.stuck("look for a received message", err)
		select {
		case <-time.After(wait):
		case <-w.ctx.Done():
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
