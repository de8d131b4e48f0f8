package pipeline

import (
	"context"
	"maps"
	"slices"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/profile"
)

// When statistics have become valid, what the filler folded for a customer is
// taken over once: just before something else happens to the customer, or at a
// tick, when the sweep has come to it. Either way the customer is then looked at
// as if time alone had passed. Until the sweep is through, the filler's store
// stays as it was at the position of the command.

// How many customers of each lane the sweep looks at in one tick. All of them
// hold up what comes behind the tick.
const (
	sweepBusy  = 8
	sweepQuiet = 64 // when nothing happened since the last tick
)

// lags reports whether the customer has not taken over what is valid.
func (w *workspace) lags(c *cx.Customer) bool {
	n := len(w.open)
	return n > 0 && c.Filled < w.open[n-1].number
}

// catchUp has the customer take over what is valid, before anything else happens
// to it at this position.
func (w *worker) catchUp(l *lane, r *resident, at cx.Position) {
	w.ws = w.state.workspace(r.customer.Workspace)
	if !w.ws.lags(&r.customer) {
		return
	}
	w.touch(r)
	c := &r.customer
	for _, f := range w.ws.open {
		if c.Filled < f.number {
			profile.Adopt(c, w.folded(f, c.ID), f.slots)
			c.Filled = f.number
		}
	}
	w.passTime(c, at)
	l.setAlarm(r)
	w.resize(r)
}

var errRefilling = cx.E(cx.Unavailable, "", "what was back-filled is being computed again after a restart; ask again in a moment")

// ahead returns the customer as it will be when it has caught up: c itself, or a
// copy with the statistics it has still to take over.
func (w *worker) ahead(ws *workspace, c *cx.Customer) (*cx.Customer, error) {
	if !ws.lags(c) {
		return c, nil
	}
	own := *c
	own.Stats = slices.Clone(c.Stats)
	for _, f := range ws.open {
		if c.Filled >= f.number {
			continue
		}
		if w.shard.fillers.get(f.number) == nil {
			return nil, errRefilling
		}
		profile.Adopt(&own, w.folded(f, c.ID), f.slots)
	}
	return &own, nil
}

// historyKey names what one back-fill has folded for one customer.
type historyKey struct {
	number   uint64
	customer cx.CustomerID
}

// nothing is what a back-fill has for those of whom it has nothing.
var nothing = new(cx.Customer)

// folded returns the customer as a back-fill has it, with nothing but statistics.
func (w *worker) folded(f *backfill, id cx.CustomerID) *cx.Customer {
	key := historyKey{f.number, id}
	if _, ok := w.histories[key]; !ok {
		w.loadHistories(f, []cx.CustomerID{id})
	}
	have := w.histories[key]
	delete(w.histories, key)
	return have
}

// prefetchHistories loads, in one go, what the customers of the orders will take
// over. They are in memory by now.
func (w *worker) prefetchHistories(orders []order) {
	if !w.state.takingOver {
		return
	}
	clear(w.histories)
	wanted := map[*backfill][]cx.CustomerID{}
	for i := range orders {
		o := &orders[i]
		r := o.resident
		if r == nil {
			if r = w.shard.lanes[o.customer.Lane()].residents[o.customer]; r == nil {
				continue
			}
		}
		for _, f := range w.state.workspace(r.customer.Workspace).open {
			if r.customer.Filled < f.number {
				wanted[f] = append(wanted[f], o.customer)
			}
		}
	}
	for f, ids := range wanted {
		slices.Sort(ids)
		w.loadHistories(f, slices.Compact(ids))
	}
}

// loadHistories reads what a back-fill has for customers, some of whom it may
// not have.
func (w *worker) loadHistories(f *backfill, ids []cx.CustomerID) {
	for _, id := range ids {
		w.keepHistory(f, id, nothing)
	}
	w.untilRead(func(ctx context.Context) error {
		return w.shard.historyOf(f.number).Customers(ctx, ids, func(id cx.CustomerID, blob []byte) error {
			c, err := profile.DecodeCustomer(blob)
			if err == nil {
				w.keepHistory(f, id, c)
			}
			return err
		})
	})
}

func (w *worker) keepHistory(f *backfill, id cx.CustomerID, c *cx.Customer) {
	if w.histories == nil {
		w.histories = map[historyKey]*cx.Customer{}
	}
	if f.since != 0 && c.Filled != f.number { // of the checkpoint that the filler began with, and nothing since
		c = nothing
	}
	w.histories[historyKey{f.number, id}] = &cx.Customer{Stats: c.Stats, Unknown: c.Unknown}
}

// untilRead asks a store again until it answers or the shard stops: guessing
// would break replay.
func (w *worker) untilRead(read func(context.Context) error) {
	const doing = "load what was back-filled"
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := read(w.ctx)
		if err == nil {
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

// sweeping returns the oldest back-fill that not all customers have taken over,
// nil when there is none.
func (s *shared) sweeping() (oldest *backfill) {
	for _, name := range s.names() {
		for _, f := range s.workspaces[name].open {
			if oldest == nil || f.number < oldest.number {
				oldest = f
			}
		}
	}
	return oldest
}

// sweepStart is where the sweep of each lane begins.
func sweepStart() []cx.CustomerID {
	next := make([]cx.CustomerID, cx.Lanes)
	for l := range next {
		next[l] = max(1, cx.CustomerID(l)*laneIDs)
	}
	return next
}

// laneIDs is how many ids a lane has.
const laneIDs = cx.CustomerID(^uint64(0)/cx.Lanes + 1)

// sweptLane says with whom the sweep of a lane goes on, 0 when it is through.
type sweptLane struct {
	lane int
	next cx.CustomerID
}

// sweep lets up to n customers of each of the worker's lanes catch up.
func (w *worker) sweep(f *backfill, n int, at cx.Position) (swept []sweptLane) {
	for _, l := range w.lanes {
		if f.next[l.number] == 0 {
			continue
		}
		ids := w.sweepNext(f, l, n)
		next := cx.CustomerID(0)
		if len(ids) == n && ids[n-1]+1 < sweepEnd(l) {
			next = ids[n-1] + 1
		}
		w.missing = w.missing[:0]
		for _, id := range ids {
			if w.find(l, id) == nil {
				w.missing = append(w.missing, id)
			}
		}
		if len(w.missing) > 0 {
			w.load(w.missing)
		}
		for _, id := range ids {
			if r := l.residents[id]; r != nil { // else it was merged away meanwhile
				w.catchUp(l, r, at)
			}
		}
		clear(w.histories)
		swept = append(swept, sweptLane{l.number, next})
	}
	return swept
}

func sweepEnd(l *lane) cx.CustomerID { return cx.CustomerID(l.number)*laneIDs + (laneIDs - 1) }

// sweepNext reads the next n customers of a lane that the filler knew.
func (w *worker) sweepNext(f *backfill, l *lane, n int) (ids []cx.CustomerID) {
	w.untilRead(func(ctx context.Context) error {
		ids = ids[:0]
		return w.shard.historyOf(f.number).NextCustomers(ctx, f.next[l.number], sweepEnd(l), n, func(id cx.CustomerID, blob []byte) error {
			c, err := profile.DecodeCustomer(blob)
			if err == nil {
				ids = append(ids, id)
				w.keepHistory(f, id, c)
			}
			return err
		})
	})
	return ids
}

// swept makes known how far the sweep of a tick has come.
func (s *Shard) swept(f *backfill, reports []*report) {
	if f == nil {
		return
	}
	on := *f
	on.next = slices.Clone(f.next)
	for _, r := range reports {
		for _, l := range r.swept {
			on.next[l.lane] = l.next
		}
	}
	through := !slices.ContainsFunc(on.next, func(id cx.CustomerID) bool { return id != 0 })
	for _, name := range s.state.names() {
		i := slices.Index(s.state.workspaces[name].open, f)
		if i < 0 {
			continue
		}
		s.setState(s.state.with(name, func(w *workspace) {
			w.open = slices.Clone(w.open)
			if w.open[i] = &on; through {
				w.open = slices.Delete(w.open, i, i+1)
			}
		}))
	}
}

// becomeValid makes what a back-fill has folded the customers' own, from the
// position of its command on.
func (s *Shard) becomeValid(name cx.Workspace, at cx.Position, b cx.Backfill) {
	s.setState(s.state.with(name, func(w *workspace) {
		f := *w.filling[0]
		f.valid, f.from, f.since = at, b.From, b.Since
		w.filled, w.filling = f.number, w.filling[1:]
		if f.from == 0 {
			f.since = s.now // nothing of what came before was folded
		} else {
			f.next = sweepStart()
			w.open = append(slices.Clone(w.open), &f)
		}
		w.known, w.since = maps.Clone(w.known), maps.Clone(w.since)
		for _, slot := range f.slots {
			w.known[slot] = at
			if f.since != 0 {
				w.since[slot] = f.since
			}
		}
		w.prepare()
	}))
	s.unsaved = true
	s.restless.Store(true)
}
