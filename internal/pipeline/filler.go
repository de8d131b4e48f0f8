package pipeline

import (
	"context"
	"errors"
	"io"
	"maps"
	"math"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/profile"
)

// History is the log, as far as it is kept. Any number of readers may follow it.
type History interface {
	// Origin returns the place from which a filler can fold the log that begins at
	// a record, with 0 the oldest there is. Kind NotFound says that there is none.
	Origin(ctx context.Context, from uint64) (Origin, error)
	// Last returns those of the newest one.
	Last() (sequence uint64, at cx.Instant)
	// Follow calls fn for every record from a sequence on, in order, and goes on
	// with new ones until ctx ends or fn fails.
	Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error
}

// Origin is a place from which all that is folded can be folded: where everything
// began, or a kept checkpoint from which the log goes on. Whose an event is
// depends on all that came before it, so there is no other.
type Origin struct {
	From    uint64                  // sequence of the first record to fold: 1, or the one with the tick of the checkpoint
	Since   cx.Instant              // log time of that tick, 0 where everything began
	Restore func(path string) error // writes the checkpoint's state to a file that is not there; nil where everything began
}

// Scratch keeps the states of fillers, by the numbers of their back-fills. What
// it loses is folded again.
type Scratch interface {
	// Open opens a filler's store. When there is none, it asks where to begin, and
	// makes one that is empty or has the state of that checkpoint. The caller closes
	// it.
	Open(ctx context.Context, number uint64, begin func() (Origin, error)) (ScratchStore, error)
	// Remove removes a store that nobody has open.
	Remove(number uint64) error
	// Numbers lists the stores there are.
	Numbers() ([]uint64, error)
}

// ScratchStore is the store of one filler.
type ScratchStore interface {
	Store
	io.Closer
	// Origin returns where the filler began; Restore is nil.
	Origin() Origin
}

// reduced makes a machine a filler: it looks at one workspace only, folds nothing
// but what one back-fill is about, and ends at the command of that back-fill.
type reduced struct {
	workspace cx.Workspace
	number    uint64
	slots     []int
	plan      *profile.Plan
	origin    Origin
}

// reduce returns what the filler of f works with: how values are read is what the
// set says that asked for them, from the beginning.
func (w *workspace) reduce(f *backfill, from Origin) *reduced {
	var specs []profile.SlotSpec
	filling := map[int]bool{}
	for _, slot := range f.slots {
		filling[slot] = true
	}
	for _, s := range w.set.Statistics {
		if filling[s.Slot] {
			specs = append(specs, profile.SlotSpec{Slot: s.Slot, Spec: s.Spec})
		}
	}
	return &reduced{workspace: w.name, number: f.number, slots: f.slots, plan: profile.NewPlan(w.settings, specs), origin: from}
}

// foreign reports whether the machine is a filler that has nothing to do with the
// workspace.
func (r *reduced) foreign(w cx.Workspace) bool { return r != nil && r.workspace != w }

// confine leaves of a workspace's set what says who is who, and gives it the
// filler's plan.
func (r *reduced) confine(w *workspace) {
	if r == nil {
		return
	}
	w.set = &definition.Set{
		Sequence: w.set.Sequence, Workspace: w.name, Settings: w.set.Settings,
		Segments: unpublished.set.Segments, Offer: unpublished.set.Offer, Policy: new(decide.Policy),
	}
	w.plan, w.interest, w.unsure = r.plan, interest{}, nil
	w.filling, w.open, w.known, w.since = nil, nil, nil, nil
}

// confineState prepares the state that a filler begins or goes on with.
func (s *Shard) confineState() {
	r := s.opts.reduced
	if r == nil {
		return
	}
	if r.origin.Since != 0 && s.position.Sequence() == r.origin.From { // the state of the checkpoint
		s.state.before = s.state.entries
	}
	maps.DeleteFunc(s.state.workspaces, func(name cx.Workspace, _ *workspace) bool { return r.foreign(name) })
	if s.state.workspaces[r.workspace] == nil { // before its first set
		w := *unpublished
		w.name = s.intern(r.workspace)
		s.state.workspaces[w.name] = &w
	}
	s.state = s.state.with(r.workspace, r.confine)
}

// begin leaves of a customer of the checkpoint that the filler began with who it
// is and what it has seen; its statistics begin there. A customer that the filler
// has had before has the number of the back-fill.
func (r *reduced) begin(c *cx.Customer) {
	if r == nil || r.origin.Since == 0 || c.Filled == r.number {
		return
	}
	c.Filled, c.Stats, c.Unknown = r.number, nil, nil
	c.Segments, c.Judged, c.Timers, c.Ledger, c.Tallies = nil, 0, nil, nil, nil
}

// predates reports whether a position is before the place, or may be.
func (o Origin) predates(at cx.Position) bool { return o.Since != 0 && at.Sequence() <= o.From }

// filled is the number of the last back-fill that a customer who is new at this
// moment has nothing to take over of.
func (w *worker) filled() uint64 {
	if r := w.shard.opts.reduced; r != nil {
		return r.number
	}
	return w.ws.filled
}

// complete reports whether the filler has come to its end: its state is that at
// the command of its back-fill.
func (s *Shard) complete() bool {
	r := s.opts.reduced
	return s.state.workspace(r.workspace).filled == r.number
}

// errComplete ends a filler.
var errComplete = errors.New("the back-fill is complete")

// finish ends the filler at the command of its back-fill, when all is saved.
func (s *Shard) finish(at cx.Position) error {
	s.send()
	s.setState(s.state.with(s.opts.reduced.workspace, func(w *workspace) { w.filled = s.opts.reduced.number }))
	if err := s.save(at); err != nil {
		return err
	}
	return errComplete
}

// save saves a filler's state, in which everything up to a position is, and
// returns when that is done. A filler has no timers, so it may see a tick
// anywhere.
func (s *Shard) save(at cx.Position) error {
	s.awaitCut()
	saved := make(chan struct{})
	select {
	case s.flushes <- saved:
	case <-s.stopping:
		return context.Canceled
	}
	s.tick(at, true)
	select {
	case <-saved:
		return nil
	case <-s.failed:
		return s.failure
	case <-s.stopping:
		return context.Canceled
	}
}

// reading lets a filler follow the history. Its ticks go into the journal of the
// machine it works for.
type reading struct {
	History
	host *Shard // the machine it works for
}

// Follow makes reading a Journal. While the machine that it works for has events
// to take, the filler rests after each record for longer than it has worked.
func (r reading) Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error {
	before := uint64(0)
	return r.History.Follow(ctx, from, func(record *journal.Record) error {
		begun := time.Now()
		err := fn(record)
		if now := r.host.applied.Load(); now != before {
			before = now
			time.Sleep(min(time.Since(begun)*3/2, 50*time.Millisecond))
		}
		return err
	})
}

// Append makes reading a Journal.
func (r reading) Append(ctx context.Context, entries []cx.Entry, tag any) (cx.Position, error) {
	return r.host.opts.Journal.Append(ctx, entries, tag)
}

// noRows is a warehouse that wants none.
type noRows struct{}

// Position makes noRows a Warehouse.
func (noRows) Position(context.Context) (cx.Position, error) { return math.MaxUint64, nil }

// Append makes noRows a Warehouse.
func (noRows) Append(context.Context, *Batch) error { return nil }

// filler is the machine that fills one back-fill.
type filler struct {
	number uint64
	about  cx.Workspace
	origin Origin
	pace   pace
	store  ScratchStore
	shard  *Shard
	stop   context.CancelFunc
	ended  chan struct{}
	err    error // why it ended before the command; valid once ended is closed

	completed FactKey // the kept merge up to which tidy has come
}

// valid returns the position of the command that ended the back-fill; ok is false
// when the filler has not come to it.
func (fl *filler) valid() (at cx.Position, ok bool) {
	select {
	case <-fl.ended:
		return fl.shard.checkpointed(), fl.err == nil
	default:
		return 0, false
	}
}

// openFiller starts a filler; it goes on from where it was when it ran before.
// from is the record at which it must have begun, 0 for any.
func (s *Shard) openFiller(ctx context.Context, w *workspace, f *backfill, from uint64) (*filler, error) {
	if s.opts.History == nil || s.opts.Scratch == nil {
		return nil, cx.E(cx.Invalid, "back-fill", "this machine was given no history to fold")
	}
	store, err := s.opts.Scratch.Open(ctx, f.number, func() (Origin, error) { return s.opts.History.Origin(ctx, from) })
	if err != nil {
		return nil, err
	}
	origin := store.Origin()
	shard, err := Open(ctx, Options{
		Journal: reading{s.opts.History, s}, Store: store, Warehouse: noRows{}, Log: s.opts.Log, Passive: true,
		Workers: max(1, s.opts.Workers/2), CheckpointEvery: fillerCut, CacheBytes: max(32<<20, s.opts.CacheBytes/4), RestAfter: s.opts.RestAfter,
		KeepMerges: math.MaxInt64, reduced: w.reduce(f, origin),
	})
	if err != nil {
		return nil, errors.Join(err, store.Close())
	}
	last, _ := s.opts.History.Last()
	if other := shard.position.Sequence() > last; other || from != 0 && from != origin.From { // of a log that is not this one, or of another part of it
		if err := errors.Join(store.Close(), s.opts.Scratch.Remove(f.number)); err != nil {
			return nil, err
		}
		return s.openFiller(ctx, w, f, from)
	}
	running, stop := context.WithCancel(ctx)
	fl := &filler{number: f.number, about: w.name, origin: origin, store: store, shard: shard, stop: stop, ended: make(chan struct{})}
	fl.pace.begin(s.entriesTaken.Load(), shard.entriesTaken.Load(), time.Now())
	go func() {
		defer close(fl.ended)
		if shard.complete() {
			return
		}
		if fl.err = shard.Run(running); errors.Is(fl.err, errComplete) {
			fl.err = nil
		} else if fl.err == nil {
			fl.err = context.Canceled
		}
	}()
	return fl, nil
}

// fillerCut is the shortest time between two checkpoints of a filler.
const fillerCut = 15 * time.Second

// close stops the filler and closes its store.
func (fl *filler) close() error {
	fl.stop()
	<-fl.ended
	return fl.store.Close()
}
