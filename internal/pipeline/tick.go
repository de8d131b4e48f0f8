package pipeline

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/fault"
	"github.com/kikubari/kikubari/internal/learn"
	"github.com/kikubari/kikubari/internal/profile"
)

// clock writes ticks: at most one a second, and none while nothing is due and
// nothing happened.
func (s *Shard) clock(ctx context.Context) {
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
			if s.restless.Load() || s.isDue(cx.InstantOf(s.opts.Now())) {
				s.appendTick(ctx)
			}
		}
	}
}

// isDue reports whether any lane wants to wake by now.
func (s *Shard) isDue(now cx.Instant) bool {
	for i := range s.due {
		if due := cx.Instant(s.due[i].Load()); due != 0 && due <= now {
			return true
		}
	}
	return false
}

// appendTick writes one tick. One that cannot be written is left out: the next
// does its work. The first of several such in a row is logged.
func (s *Shard) appendTick(ctx context.Context) {
	within, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := s.opts.Journal.Append(within, []cx.Entry{{Kind: cx.EntryTick}}, nil)
	if err == nil {
		s.tickless.Store(false)
	} else if ctx.Err() == nil && !s.tickless.Swap(true) {
		s.opts.Log.WarnContext(ctx, "no tick could be written", slog.Any("error", err))
	}
}

// Flush has everything taken so far stored in the warehouse and saved in a
// checkpoint, and returns when that is done.
func (s *Shard) Flush(ctx context.Context) error {
	done := make(chan struct{})
	select {
	case s.flushes <- done:
	case <-ctx.Done():
		return ctx.Err()
	}
	s.appendTick(ctx)
	for {
		select {
		case <-done:
			return nil
		case <-s.failed:
			return s.failure
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(500 * time.Millisecond):
			s.appendTick(ctx) // a cut was running when the last one passed
		}
	}
}

// tick lets time pass: due timers fire, what lanes learned becomes known to
// all, rows go to the warehouse and, when it is time, a cut begins.
func (s *Shard) tick(at cx.Position, replay bool) {
	quiet := s.sinceTick == 0
	cut := at == s.opts.CutAt && s.awaitCut() || s.wantsCut(replay, quiet)
	b := batch{now: s.now, tick: at, flush: cut || s.wantsRows()}
	if cut {
		s.cutNumber++
		b.cut = s.cutNumber
		s.cutting.Store(true)
	}
	if quiet {
		s.rows.shrink() // before the workers take from it
	}
	var sweeping *backfill
	if s.state.takingOver {
		if sweeping = s.state.sweeping(); sweeping != nil {
			b.sweep, b.sweepMost = sweeping, sweepBusy
			if quiet {
				b.sweepMost = sweepQuiet
			}
		}
	}
	fault.Point("tick.before")
	reports := s.barrier(b)
	fault.Point("tick.inside")
	s.learn()
	s.freezeImports()
	s.freezeApart()
	s.freezeEntries()
	s.swept(sweeping, reports)
	if cut {
		s.cut(b)
	}
	for _, report := range reports {
		s.unsaved = s.unsaved || report.unsaved && !cut
	}
	s.unsaved = s.unsaved || !quiet && !cut
	s.sinceTick = 0
	s.lastTick.Store(int64(s.now))
	s.restless.Store(s.unsaved || s.cutting.Load() || !quiet || sweeping != nil)
	if b.flush {
		s.handOver(reports, at)
	}
}

// How many events may wait for the warehouse, and for how many ticks. One large
// batch costs it less than several small ones: while it is busy, and for a
// moment when more are coming fast, they gather.
const (
	fewRows    = 2_500 // not worth to wait for more
	enoughRows = 25_000
	maxRows    = 150_000 // more than these wait for a busy warehouse only with the machine
	feedWithin = 3       // ticks
)

// wantsRows reports whether the warehouse should be given rows at this tick.
func (s *Shard) wantsRows() bool {
	s.unfed += s.sinceTick
	s.unfedTicks++
	worthwhile := s.unfed <= fewRows || s.unfed >= enoughRows || s.unfedTicks >= feedWithin
	return s.opts.Passive || s.feeding.Load() == 0 && worthwhile || s.unfed >= maxRows
}

// handedRows are the rows of every worker up to a tick.
type handedRows struct {
	upto  cx.Position
	parts []*Batch
}

// handOver gives the gathered rows to the warehouse's writer and waits when it
// is two batches behind.
func (s *Shard) handOver(reports []*report, upto cx.Position) {
	s.unfed, s.unfedTicks = 0, 0
	rows := handedRows{upto: upto}
	for _, r := range reports {
		rows.parts = append(rows.parts, r.rows)
	}
	if upto <= s.skip {
		for _, part := range rows.parts {
			s.rows.give(part)
		}
		return // a replay: the warehouse has these rows
	}
	if s.unheard {
		return
	}
	s.feeding.Add(1)
	s.aside(func() {
		select {
		case s.feeds <- rows:
		case <-s.stopping:
			s.unheard = true
		case <-s.failed:
			s.unheard = true
		}
	})
}

// wantsCut reports whether a cut should begin at this tick: it is time, or a
// burst has ended, or somebody asked; and none is running.
func (s *Shard) wantsCut(replay, quiet bool) bool {
	if s.cutting.Load() {
		return false
	}
	if len(s.flushes) > 0 {
		return true
	}
	if s.sinceTick == 0 && !s.unsaved {
		return false
	}
	since := time.Since(s.lastCut)
	return since >= s.opts.CheckpointEvery || quiet && !replay || s.sending.Load() && !replay && since >= s.opts.SendWithin
}

// awaitCut waits until no cut is running. It returns false when the machine stops.
func (s *Shard) awaitCut() bool {
	s.knows.Unlock()
	defer s.knows.Lock()
	for s.cutting.Load() {
		select {
		case <-time.After(time.Millisecond):
		case <-s.stopping:
			return false
		case <-s.failed:
			return false
		}
	}
	return true
}

// barrier has every worker finish what it was given, do what b says and report.
// Reports come back in the order of workers, so their lanes are in a fixed
// order whatever the number of workers.
func (s *Shard) barrier(b batch) []*report {
	b.state, b.done = s.state, s.barriers
	reports := make([]*report, len(s.workers))
	s.aside(func() {
		for _, w := range s.workers {
			own := b
			w.in <- &own
		}
		for range s.workers {
			r := <-s.barriers
			reports[r.worker.index()] = r
		}
	})
	return reports
}

// learn folds the lanes' private deltas into the shared state, in the order of
// lanes.
func (s *Shard) learn() {
	deltas := make([]*learn.Delta, len(s.lanes))
	for i, l := range s.lanes {
		deltas[i] = &l.learned
	}
	if next := s.state.rates.Fold(deltas...); next != s.state.rates {
		state := *s.state
		state.rates = next
		s.setState(&state)
	}
}

// setState makes state the one that lanes see from the next batch on.
func (s *Shard) setState(state *shared) {
	state.takingOver = false
	for _, w := range state.workspaces {
		state.takingOver = state.takingOver || len(w.open) > 0
	}
	s.state = state
	s.published.Store(state)
	select {
	case s.moved <- struct{}{}:
	default:
	}
}

// cut collects what the sequencer itself owns and lets the writer wait for the
// workers' parts.
func (s *Shard) cut(b batch) {
	identities, merged := s.resolver.Changes()
	head := &cutHead{number: b.cut, position: b.tick, time: b.now, shared: s.state.encode(), state: s.state, identities: rowsOf(identities), merged: merged, sightings: s.resolver.Sightings(), erased: s.erased}
	s.erased = nil
	for len(s.flushes) > 0 {
		head.done = append(head.done, <-s.flushes)
	}
	s.unsaved, s.lastCut = false, time.Now()
	s.sending.Store(false) // what the lanes have put out by now is in this cut
	s.aside(func() {
		select {
		case s.cuts <- head:
		case <-s.stopping:
		}
	})
}

func rowsOf(changed []profile.IdentityRow) []IdentityRow {
	rows := make([]IdentityRow, len(changed))
	for i, c := range changed {
		rows[i] = IdentityRow(c)
	}
	return rows
}

// watermark is a position that only grows and can be waited for.
type watermark struct {
	mu   sync.Mutex
	at   cx.Position
	grew chan struct{}
}

func newWatermark() *watermark { return &watermark{grew: make(chan struct{})} }

func (w *watermark) position() cx.Position {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *watermark) advance(p cx.Position) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if p > w.at {
		w.at = p
		close(w.grew)
		w.grew = make(chan struct{})
	}
}

// await returns true when the watermark has reached p, false when ctx ended
// before.
func (w *watermark) await(ctx context.Context, p cx.Position) bool {
	for {
		w.mu.Lock()
		at, grew := w.at, w.grew
		w.mu.Unlock()
		if at >= p {
			return true
		}
		select {
		case <-grew:
		case <-ctx.Done():
			return false
		}
	}
}
