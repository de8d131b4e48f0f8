package pipeline

import "github.com/kikubari/kikubari/internal/cx"

// Rows on their way to the warehouse live in memory that is used again: each
// worker fills a batch of the pool, and the warehouse's writer joins them into
// its own and gives them back. Memory that was never touched before costs more
// than everything that is written into it.

// add appends the rows of o.
func (b *Batch) add(o *Batch) {
	b.Events = append(b.Events, o.Events...)
	b.Decisions = append(b.Decisions, o.Decisions...)
	b.Exposures = append(b.Exposures, o.Exposures...)
	b.Moves = append(b.Moves, o.Moves...)
	b.Merges = append(b.Merges, o.Merges...)
	b.Resorted = append(b.Resorted, o.Resorted...)
	b.Erased = append(b.Erased, o.Erased...)
	b.Deliveries = append(b.Deliveries, o.Deliveries...)
}

// reset empties b so that it can be filled again.
func (b *Batch) reset() {
	b.Upto = 0
	b.Events, b.Decisions, b.Exposures = emptied(b.Events), emptied(b.Decisions), emptied(b.Exposures)
	b.Moves, b.Merges, b.Deliveries = emptied(b.Moves), emptied(b.Merges), emptied(b.Deliveries)
	b.Resorted, b.Erased = emptied(b.Resorted), emptied(b.Erased)
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

// wanted reports whether rows at a position are wanted. Those that the warehouse
// stored before a restart are not: it has them.
func (w *worker) wanted(at cx.Position) bool { return at > w.shard.skip }

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
