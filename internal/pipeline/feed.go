package pipeline

import (
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// add appends the rows of o, leaving out those at skip and before, which the
// warehouse has already.
func (b *Batch) add(o *Batch, skip cx.Position) {
	b.Events = appendAfter(b.Events, o.Events, func(r *EventRow) bool { return r.Position > skip })
	b.Decisions = appendAfter(b.Decisions, o.Decisions, func(r *DecisionRow) bool { return r.Position > skip })
	b.Exposures = appendAfter(b.Exposures, o.Exposures, func(r *ExposureRow) bool { return r.Position > skip })
	b.Moves = appendAfter(b.Moves, o.Moves, func(r *SegmentRow) bool { return r.Position > skip })
	b.Merges = appendAfter(b.Merges, o.Merges, func(r *MergeRow) bool { return r.Position > skip })
}

// like returns an empty batch with room for as many rows as b has, and some
// more: one batch is much like the one before.
func (b *Batch) like() *Batch {
	return &Batch{
		Events: room(b.Events), Decisions: room(b.Decisions), Exposures: room(b.Exposures), Moves: room(b.Moves), Merges: room(b.Merges),
	}
}

func room[R any](rows []R) []R { return make([]R, 0, len(rows)+len(rows)/8) }

// appendAfter appends the rows from the first new one on: rows of one worker
// are in order of position.
func appendAfter[R any](dst, rows []R, isNew func(*R) bool) []R {
	for i := range rows {
		if isNew(&rows[i]) {
			if len(dst) == 0 {
				return rows[i:]
			}
			return append(slices.Grow(dst, len(rows)-i), rows[i:]...)
		}
	}
	return dst
}
