package pipeline

import (
	"container/heap"

	"github.com/kikubari/kikubari/internal/cx"
)

// resident is a customer held decoded in memory by its lane.
type resident struct {
	customer cx.Customer
	epoch    uint64     // number of the cut that will save its latest change; 0 when none is waiting
	saved    uint64     // number of the last cut it was encoded for
	alarm    cx.Instant // earliest due time that lies in the lane's alarms, 0 for none
	size     int32      // estimated bytes in memory
	used     bool       // touched since the eviction hand last passed
}

// gone marks a resident that was merged away while it stood in a list.
const gone = ^uint64(0)

// alarm is a due time of some customer of the lane. A customer may have alarms
// that are no longer true; firing looks at its timers.
type alarm struct {
	due cx.Instant
	id  cx.CustomerID
}

// alarms is a heap of alarms, earliest first.
type alarms []alarm

func (a alarms) Len() int { return len(a) }
func (a alarms) Less(i, j int) bool {
	return a[i].due < a[j].due || a[i].due == a[j].due && a[i].id < a[j].id
}
func (a alarms) Swap(i, j int) { a[i], a[j] = a[j], a[i] }
func (a *alarms) Push(x any)   { *a = append(*a, x.(alarm)) }
func (a *alarms) Pop() any {
	last := len(*a) - 1
	x := (*a)[last]
	*a = (*a)[:last]
	return x
}

// setAlarm makes sure that the lane wakes no later than the customer's earliest
// timer.
func (l *lane) setAlarm(r *resident) {
	if len(r.customer.Timers) == 0 {
		return
	}
	due := r.customer.Timers[0].Due
	if r.alarm != 0 && r.alarm <= due {
		return
	}
	r.alarm = due
	heap.Push(&l.alarms, alarm{due, r.customer.ID})
}

// nextAlarm returns the earliest due time in the lane, 0 when there is none.
func (l *lane) nextAlarm() cx.Instant {
	if len(l.alarms) == 0 {
		return 0
	}
	return l.alarms[0].due
}

// popDue takes the customer of the earliest alarm that is due by now; ok is
// false when there is none.
func (l *lane) popDue(now cx.Instant) (cx.CustomerID, bool) {
	if len(l.alarms) == 0 || l.alarms[0].due > now {
		return 0, false
	}
	a := heap.Pop(&l.alarms).(alarm)
	return a.id, true
}

// estimate guesses the memory a customer takes, in bytes, with its entries in
// the lane's lists.
func estimate(c *cx.Customer) int32 {
	n := 480 + cap(c.Stats) + 12*cap(c.Seen) + 8*cap(c.Segments) + 24*cap(c.Timers) + 48*cap(c.Consent) + 56*cap(c.Tallies)
	for i := range c.Identities {
		n += 48 + len(c.Identities[i].Value)
	}
	for i := range c.Traits {
		n += 88 + len(c.Traits[i].Name) + len(c.Traits[i].Raw)
	}
	n += 56 * cap(c.Ledger)
	for i := range c.Ledger {
		if said := c.Ledger[i].Said; said != nil {
			n += 32 + len(said.Content)
		}
	}
	return int32(min(n, 1<<30))
}

// evict forgets residents of the worker until its share of memory is kept,
// passing over those whose latest state is not committed yet. Recently used
// ones get a second chance.
func (w *worker) evict() {
	limit := w.shard.opts.CacheBytes / int64(len(w.shard.workers))
	if w.bytes <= limit {
		return
	}
	committed := w.shard.committedCut.Load()
	w.forgetResting(limit, committed)
	for scanned := 0; w.bytes > limit && scanned < 512 && len(w.ring) > 0; scanned++ {
		if w.hand >= len(w.ring) {
			w.hand = 0
		}
		r := w.ring[w.hand]
		switch {
		case r.epoch == gone:
		case r.epoch != 0 || r.saved > committed:
			w.hand++
			continue
		case r.used:
			r.used = false
			w.hand++
			continue
		default:
			l := w.shard.lanes[r.customer.ID.Lane()]
			delete(l.residents, r.customer.ID)
			w.bytes -= int64(r.size)
			// Its alarm, if it has one, stays in the lane and loads it again when it
			// is due.
		}
		w.unring()
	}
}
