package pipeline

import (
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// Rows on their way to the warehouse live in memory that is used again: each
// worker fills one of two batches in turn, the sequencer joins them into a batch
// of the pool, and the warehouse's writer gives that back. Memory that was never
// touched before costs more than everything that is written into it.

// add appends the rows of o, leaving out those at skip and before, which the
// warehouse has already.
func (b *Batch) add(o *Batch, skip cx.Position) {
	b.Events = appendAfter(b.Events, o.Events, func(r *EventRow) bool { return r.Position > skip })
	b.Decisions = appendAfter(b.Decisions, o.Decisions, func(r *DecisionRow) bool { return r.Position > skip })
	b.Exposures = appendAfter(b.Exposures, o.Exposures, func(r *ExposureRow) bool { return r.Position > skip })
	b.Moves = appendAfter(b.Moves, o.Moves, func(r *SegmentRow) bool { return r.Position > skip })
	b.Merges = appendAfter(b.Merges, o.Merges, func(r *MergeRow) bool { return r.Position > skip })
}

// appendAfter appends the rows from the first new one on: rows of one worker
// are in order of position.
func appendAfter[R any](dst, rows []R, isNew func(*R) bool) []R {
	for i := range rows {
		if isNew(&rows[i]) {
			return append(slices.Grow(dst, len(rows)-i), rows[i:]...)
		}
	}
	return dst
}

// reset empties b so that it can be filled again.
func (b *Batch) reset() {
	b.Upto = 0
	b.Events, b.Decisions, b.Exposures = emptied(b.Events), emptied(b.Decisions), emptied(b.Exposures)
	b.Moves, b.Merges = emptied(b.Moves), emptied(b.Merges)
}

// emptied returns the memory of rows, which hold on to nothing any more, or none
// if most of it was not needed this time: the burst it is from has passed.
func emptied[R any](rows []R) []R {
	if cap(rows) > 1024 && len(rows) < cap(rows)/4 {
		return nil
	}
	clear(rows)
	return rows[:0]
}

// pool keeps empty batches.
type pool chan *Batch

// take returns an empty batch.
func (p pool) take() *Batch {
	select {
	case b := <-p:
		return b
	default:
		return new(Batch)
	}
}

// give takes back a batch of which nobody uses the rows any more.
func (p pool) give(b *Batch) {
	b.reset()
	select {
	case p <- b:
	default:
	}
}

// shrink lets all memory go.
func (p pool) shrink() {
	for len(p) > 0 {
		select {
		case <-p:
		default:
			return
		}
	}
}

// handRows returns what the worker's lanes put out since the last call. It is
// valid until the call after the next.
func (w *worker) handRows() *Batch {
	w.feed, w.handed = w.handed, w.feed
	w.feed.reset()
	return w.handed
}

// stash holds the bytes of rows, many to a block, so that the collector has one
// thing to look at for some hundreds of rows.
type stash struct{ free []byte }

// keep returns a copy of b.
func (s *stash) keep(b []byte) []byte {
	if len(b) > cap(s.free)-len(s.free) {
		s.free = make([]byte, 0, max(len(b), 64<<10))
	}
	start := len(s.free)
	s.free = append(s.free, b...)
	return s.free[start:len(s.free):len(s.free)]
}
