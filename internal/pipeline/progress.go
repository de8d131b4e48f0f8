package pipeline

import (
	"slices"
	"sync"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// BackfillProgress says how far one back-fill has come.
type BackfillProgress struct {
	Workspace  cx.Workspace
	Number     uint64
	Asked      cx.Position // of the set that asked for it
	Statistics []cx.StatisticSpec
	Valid      cx.Position   // from which on the statistics are known; 0 while they are not
	Since      cx.Instant    // they count from then on only; 0: from the beginning
	Folded     uint64        // entries of the log that is kept, of …
	Of         uint64        // … so many by now; 0 when it has not begun
	Percent    int           // how much of that has been folded; it does not fall while a filler runs, and is 100 only when the statistics are known
	Left       time.Duration // until they are, roughly; 0 when that cannot be told
	TakenOver  int           // per cent of the customers that have looked at them, roughly
}

// freezeEntries notes, at a tick, how many entries the log has up to it.
func (s *Shard) freezeEntries() {
	if s.state.entries == s.entries {
		return
	}
	next := *s.state
	next.entries = s.entries
	s.setState(&next)
}

// pace is how fast a filler comes nearer to the end of the log.
type pace struct {
	mu    sync.Mutex
	begun time.Time
	gap   uint64 // entries between the filler and the end when it began
	most  int    // per cent that were told
}

func (p *pace) begin(end, at uint64, now time.Time) { p.begun, p.gap = now, end-min(at, end) }

// tell fills in how much has been folded and what is left.
func (p *pace) tell(b *BackfillProgress, now time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b.Of > 0 {
		p.most = max(p.most, int(min(99, 100*b.Folded/b.Of)))
	}
	b.Percent = p.most
	gap, worked := b.Of-b.Folded, now.Sub(p.begun)
	if gap > 0 && gap < p.gap && worked >= time.Second {
		b.Left = time.Duration(float64(worked) * float64(gap) / float64(p.gap-gap))
	}
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
		p.Folded, p.Of = s.foldedBy(fl)
		fl.pace.tell(&p, time.Now())
	}
	if f.valid != 0 {
		p.Percent, p.Left = 100, 0
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

// foldedBy returns how many entries a filler has folded, and how many there are by
// now. Where an earlier version has not counted entries, these are records.
func (s *Shard) foldedBy(fl *filler) (folded, of uint64) {
	if folded, of = fl.shard.entriesTaken.Load(), s.entriesTaken.Load(); folded == 0 || of == 0 {
		of, _ = s.opts.History.Last()
		first := fl.origin.From - 1
		return min(fl.shard.Progress().Applied.Sequence(), of) - first, of - first
	}
	before := fl.shard.published.Load().before
	return min(folded, of) - before, of - before
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
