package pipeline

import (
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/profile"
)

// A customer who has not been heard of for a while rests: encoded, it takes a
// third of the memory and nothing of the collector's time. A worker puts
// customers to rest when it has nothing better to do and wakes one as soon as
// an order, a timer or a question is about it. What the machine computes does
// not depend on who rests.

// rest is a customer as it rests in its lane.
type rest struct {
	encoding []byte
	saved    uint64 // number of the last cut it was encoded for
}

// restSome looks at up to n residents of the round that is running and puts to
// rest those that were not used since the last one.
func (w *worker) restSome(n int) {
	for ; n > 0 && w.drowsy > 0 && len(w.ring) > 0; n-- {
		w.drowsy--
		if w.hand >= len(w.ring) {
			w.hand = 0
		}
		r := w.ring[w.hand]
		switch {
		case r.epoch == gone:
			w.unring()
		case r.used:
			r.used = false
			w.hand++
		case r.epoch != 0: // its change is not in a cut yet
			w.hand++
		default:
			w.layDown(r)
			w.unring()
		}
	}
	w.memory.Store(w.bytes)
}

// unring takes the resident at the hand out of the ring.
func (w *worker) unring() {
	last := len(w.ring) - 1
	w.ring[w.hand] = w.ring[last]
	w.ring[last] = nil
	w.ring = w.ring[:last]
}

// layDown puts the resident to rest. Its alarm stays in the lane.
func (w *worker) layDown(r *resident) {
	c := &r.customer
	w.known = profile.AppendCustomer(w.known[:0], c)
	l := w.shard.lanes[c.ID.Lane()]
	if l.resting == nil {
		l.resting = map[cx.CustomerID]rest{}
	}
	resting := rest{append(make([]byte, 0, len(w.known)), w.known...), r.saved}
	l.resting[c.ID] = resting
	delete(l.residents, c.ID)
	w.bytes += resting.size() - int64(r.size)
}

// size estimates the memory of a resting customer.
func (r *rest) size() int64 { return int64(64 + cap(r.encoding)) }

// find returns the customer as a resident, woken if it was resting; nil when it
// is not in memory.
func (w *worker) find(l *lane, id cx.CustomerID) *resident {
	if r := l.residents[id]; r != nil {
		return r
	}
	resting, ok := l.resting[id]
	if !ok {
		return nil
	}
	delete(l.resting, id)
	w.bytes -= resting.size()
	c, err := profile.DecodeCustomer(resting.encoding)
	if err != nil {
		panic("pipeline: what was encoded in memory cannot be decoded: " + err.Error())
	}
	c.Workspace = w.shard.intern(c.Workspace)
	r := w.admit(l, c)
	r.saved = resting.saved
	return r
}

// has reports whether the customer is in memory.
func (l *lane) has(id cx.CustomerID) bool {
	_, resting := l.resting[id]
	return resting || l.residents[id] != nil
}

// forgetResting drops resting customers that the store has as they are, until
// the worker's share of memory is kept. They are the first to go. It looks at a
// few of them only, of another lane each time: while nothing is committed none
// can be dropped.
func (w *worker) forgetResting(limit int64, committed uint64) {
	const most = 512
	looked := 0
	for range w.lanes {
		l := w.lanes[w.forgetful]
		w.forgetful = (w.forgetful + 1) % len(w.lanes)
		for id, r := range l.resting {
			if w.bytes <= limit || looked == most {
				return
			}
			looked++
			if r.saved <= committed {
				delete(l.resting, id)
				w.bytes -= r.size()
			}
		}
	}
}
