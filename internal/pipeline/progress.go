package pipeline

import (
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// BackfillProgress says how far one back-fill has come.
type BackfillProgress struct {
	Workspace  cx.Workspace
	Number     uint64
	Asked      cx.Position // of the set that asked for it
	Statistics []cx.StatisticSpec
	Valid      cx.Position // from which on the statistics are known; 0 while they are not
	Since      cx.Instant  // they count from then on only; 0: from the beginning
	Folded     uint64      // records of the log, of …
	Of         uint64      // … so many by now; 0 when it has not begun
	TakenOver  int         // per cent of the customers that have looked at them, roughly
}

// Percent is how much of the log has been folded, 0 to 100. It is 100 only when
// the statistics are known.
func (b *BackfillProgress) Percent() int {
	switch {
	case b.Valid != 0:
		return 100
	case b.Of == 0:
		return 0
	}
	return int(min(99, 100*b.Folded/b.Of))
}

// Backfills lists the back-fills that run or wait, and those that some customers
// have still to take over, by number.
func (s *Shard) Backfills() []BackfillProgress {
	state := s.published.Load()
	var all []BackfillProgress
	for _, name := range state.names() {
		w := state.workspaces[name]
		for _, f := range slices.Concat(w.open, w.filling) {
			all = append(all, s.progressOf(w, f))
		}
	}
	slices.SortFunc(all, func(a, b BackfillProgress) int { return int(a.Number) - int(b.Number) })
	return all
}

func (s *Shard) progressOf(w *workspace, f *backfill) BackfillProgress {
	p := BackfillProgress{Workspace: w.name, Number: f.number, Asked: f.asked, Valid: f.valid, Since: f.since}
	for _, spec := range w.set.Statistics {
		if slices.Contains(f.slots, spec.Slot) {
			p.Statistics = append(p.Statistics, spec.Spec)
		}
	}
	if fl := s.fillers.get(f.number); fl != nil && s.opts.History != nil {
		p.Since = fl.origin.Since
		p.Of, _ = s.opts.History.Last()
		p.Folded = min(fl.shard.Progress().Applied.Sequence(), p.Of)
	}
	for lane, next := range f.next {
		first := cx.CustomerID(lane) * laneIDs
		if next == 0 {
			next = first + (laneIDs - 1)
		}
		p.TakenOver += int((next - first) / (laneIDs / 100))
	}
	p.TakenOver = min(p.TakenOver/max(1, len(f.next)), 100)
	return p
}

// Since says since when the statistics of a workspace count that do not count
// everything, by slot.
func (s *Shard) Since(w cx.Workspace) map[int]cx.Instant {
	return s.published.Load().workspace(w).since
}

// SinceAt says the same of those that were known at a position.
func (s *Shard) SinceAt(w cx.Workspace, at cx.Position) map[int]cx.Instant {
	ws, known := s.published.Load().workspace(w), map[int]cx.Instant{}
	for slot, since := range ws.since {
		if ws.known[slot] <= at {
			known[slot] = since
		}
	}
	return known
}
