package pipeline

import (
	"cmp"
	"context"
	"runtime"
	"slices"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/profile"
)

// A cut is the state of the whole machine at a tick. It is not written in one
// go: at the tick every worker only turns a page (beginCut); the customers that
// changed are then encoded a few at a time between batches, and any of them
// that is about to change again is encoded first. When all workers are done the
// writer waits until the warehouse has the rows up to the cut and commits it.

// part is what one worker, or the resolver, adds to a cut.
type part struct {
	cut       uint64
	customers []CustomerRow
	gone      []cx.CustomerID
	spilled   []SpillRow

	deliveries []cx.Delivery
	settled    []Settlement
	merges     []MergeChange
}

// cutHead is what the sequencer knows of a cut.
type cutHead struct {
	number     uint64
	position   cx.Position
	time       cx.Instant
	shared     []byte
	state      *shared // what shared encodes
	identities []IdentityRow
	merged     [][2]cx.CustomerID
	sightings  []Sighting
	erased     []cx.CustomerID
	done       []chan<- struct{} // closed when the cut is committed
}

// beginCut turns the page: what changed so far belongs to the cut, what changes
// from now on to the next one.
func (w *worker) beginCut(number uint64) {
	next := w.next
	next.cut = number
	w.running, w.next = &next, part{}
	w.pending, w.dirty = w.dirty, w.pending[:0]
	w.epoch = number + 1
	w.turnPage(number)
	w.finishPart()
}

// encodeSome encodes up to n customers of the running cut.
func (w *worker) encodeSome(n int) {
	for ; n > 0 && len(w.pending) > 0; n-- {
		last := len(w.pending) - 1
		r := w.pending[last]
		w.pending[last] = nil
		w.pending = w.pending[:last]
		if r.epoch == w.running.cut {
			w.encode(r)
		}
	}
	w.finishPart()
}

// encode writes the resident's row into the running cut.
func (w *worker) encode(r *resident) {
	const chunk = 256 << 10
	if cap(w.arena)-len(w.arena) < 4<<10 {
		w.arena = make([]byte, 0, chunk)
	}
	start := len(w.arena)
	w.arena = profile.AppendCustomer(w.arena, &r.customer)
	row := CustomerRow{ID: r.customer.ID, Workspace: r.customer.Workspace, Blob: w.arena[start:len(w.arena):len(w.arena)]}
	if len(r.customer.Timers) > 0 {
		row.Due = r.customer.Timers[0].Due
	}
	w.running.customers = append(w.running.customers, row)
	r.epoch, r.saved = 0, w.running.cut
}

// finishPart hands the worker's part to the writer once nothing is missing.
func (w *worker) finishPart() {
	if w.running == nil || len(w.pending) > 0 {
		return
	}
	p := w.running
	w.running, w.arena = nil, nil
	w.shard.parts <- p
}

// writeCheckpoints commits cuts one after the other until ctx ends or cuts is
// closed.
func (s *Shard) writeCheckpoints(ctx context.Context) {
	for head := range s.cuts {
		c := s.checkpointOf(head, s.checkpointed())
		c.Identities, c.Merged, c.Sightings, c.Erased = head.identities, head.merged, head.sightings, head.erased
		for range s.workers {
			select {
			case p := <-s.parts:
				c.Customers = append(c.Customers, p.customers...)
				c.Gone = append(c.Gone, p.gone...)
				c.Spilled = append(c.Spilled, p.spilled...)
				c.Deliveries = append(c.Deliveries, p.deliveries...)
				c.Settled = append(c.Settled, p.settled...)
				c.Merges = append(c.Merges, p.merges...)
			case <-ctx.Done():
				return
			}
		}
		c.Customers = sorted(c.Customers)
		slices.SortStableFunc(c.Deliveries, func(a, b cx.Delivery) int { return cmp.Compare(a.Position, b.Position) })
		slices.SortStableFunc(c.Merges, func(a, b MergeChange) int { return cmp.Compare(a.Position, b.Position) })
		if !s.awaitWarehouse(ctx, head.position) || !s.commit(ctx, c) {
			return
		}
		if s.opts.Passive { // whoever waits for the checkpoint has all of it
			s.tidy(ctx, head)
		}
		s.committedAt.Store(int64(head.time))
		s.committed.Store(uint64(head.position))
		s.committedCut.Store(head.number)
		s.opts.released(head.position)
		s.cutting.Store(false) // first: who has waited may want the next cut at once
		for _, d := range head.done {
			close(d)
		}
		if !s.opts.Passive {
			s.tidy(ctx, head)
		}
	}
}

// checkpointOf returns the checkpoint of a cut that follows the one at previous,
// without rows.
func (s *Shard) checkpointOf(head *cutHead, previous cx.Position) *Checkpoint {
	return &Checkpoint{
		Epoch: s.epoch, Previous: previous, Position: head.position, Time: head.time, Shared: head.shared,
		SpillFloor: uint32(max(0, (head.time-25*cx.Hour)/cx.Second)),
		MergeFloor: head.time - cx.Instant(s.opts.KeepMerges/time.Microsecond),
	}
}

// sorted returns rows in order of id: lane by lane, so that requests need not
// wait until all are sorted.
func sorted(rows []CustomerRow) []CustomerRow {
	var next [cx.Lanes + 1]int // where the next row of a lane goes
	for i := range rows {
		next[rows[i].ID.Lane()+1]++
	}
	for l := range cx.Lanes {
		next[l+1] += next[l]
	}
	out := make([]CustomerRow, len(rows))
	for i := range rows {
		l := rows[i].ID.Lane()
		out[next[l]] = rows[i]
		next[l]++
	}
	from := 0
	for l := range cx.Lanes {
		slices.SortFunc(out[from:next[l]], func(a, b CustomerRow) int { return cmp.Compare(a.ID, b.ID) })
		from = next[l]
		runtime.Gosched()
	}
	return out
}

// commit writes the checkpoint. The journal keeps everything since the last one,
// so waiting for a store that fails loses nothing.
func (s *Shard) commit(ctx context.Context, c *Checkpoint) bool {
	start := time.Now()
	defer func() { s.Stages.Checkpoint.add(time.Since(start)) }()
	return s.insist(ctx, "commit checkpoint", func() error { return s.opts.Store.Checkpoint(ctx, c) })
}

// insist does f again and again until it succeeds. A conflict means that another
// process has taken over; then this one stops, and insist returns false, as it
// does when ctx ends.
func (s *Shard) insist(ctx context.Context, doing string, f func() error) bool {
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, 5*time.Second) {
		err := f()
		if err == nil {
			s.unstuck(doing)
			return true
		}
		if cx.KindOf(err) == cx.Conflict {
			s.fail(err)
			return false
		}
		s.stuck(doing, err)
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return false
		}
	}
}

// writeWarehouse appends the rows that are handed over, in order, until feeds is
// closed.
func (s *Shard) writeWarehouse(ctx context.Context) {
	var all Batch
	for rows := range s.feeds {
		start := time.Now()
		all.Upto = rows.upto
		for _, part := range rows.parts {
			all.add(part)
			s.rows.give(part)
		}
		if !s.insist(ctx, "append to warehouse", func() error { return s.opts.Warehouse.Append(ctx, &all) }) {
			return
		}
		s.Stages.Warehouse.add(time.Since(start))
		s.warehouse.advance(all.Upto)
		s.feeding.Add(-1)
		all.reset()
	}
}

// awaitWarehouse waits until the warehouse has everything up to p.
func (s *Shard) awaitWarehouse(ctx context.Context, p cx.Position) bool {
	return s.warehouse.await(ctx, p)
}
