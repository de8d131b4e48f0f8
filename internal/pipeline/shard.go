// Package pipeline is the machine: it takes the journal's entries in order and
// does with each event what ARCHITECTURE.md calls a day of one event. Start
// with event.go, the story of one event on its customer's lane; then shard.go,
// which hands entries to lanes; tick.go, where time passes; and checkpoint.go,
// where state is saved.
//
// The machine has no hidden input: what it computes follows from the journal
// alone and does not depend on the number of cores, on when checkpoints are
// written or on which customers happen to be in memory.
package pipeline

import (
	"container/heap"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/profile"
)

// Journal is what the pipeline needs of the log.
type Journal interface {
	// Append returns when the entries are durable. tag comes back with them in
	// the live record.
	Append(ctx context.Context, entries []cx.Entry, tag any) (cx.Position, error)
	// Follow calls fn for every record from sequence from on, in order, and goes
	// on with live ones until ctx ends or fn fails.
	Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error
}

// Options say what a Shard works with. Journal, Store and Warehouse are needed;
// the zero value of everything else is a sensible default.
type Options struct {
	Journal   Journal
	Store     Store
	Warehouse Warehouse
	Log       *slog.Logger

	// Of these, 0 and less stand for the default.
	Workers         int           // goroutines that run the lanes; default one a core
	CheckpointEvery time.Duration // shortest time between two cuts; default 5 s
	SendWithin      time.Duration // the same while something waits to be sent; default 1 s
	CacheBytes      int64         // memory for customers; default 1 GiB
	RestAfter       time.Duration // how long a customer is kept decoded after its last event, at least; default 1 minute

	// KeepMerges is how long after a merge it can be undone; default 365 days.
	KeepMerges time.Duration

	// Now is the wall clock, by which the next tick is written when a timer is due;
	// the machine itself knows log time only. nil is time.Now.
	Now func() time.Time
	// Watcher is told what happens; nil is nobody.
	Watcher Watcher
	// Passive turns off the clock: no ticks are written, so only those in the
	// journal pass. For replays.
	Passive bool
	// CutAt is the position of a tick at which a cut is made in any case, so that
	// a passive machine's state can be saved at the end; 0 is none.
	CutAt cx.Position
	// Published is told of every set that took effect, live and on replay, in
	// order; it must tolerate being told again.
	Published func(Publication)
	// Released is told after each checkpoint up to which position the journal is
	// no longer needed by the machine.
	Released func(cx.Position)

	// History and Scratch are what back-fills need; without them statistics that
	// were not kept from the beginning stay unknown.
	History History
	Scratch Scratch

	reduced *reduced // nil but for fillers
}

func (o *Options) released(p cx.Position) {
	if o.Released != nil {
		o.Released(p)
	}
}

// Shard runs the machine over one journal.
type Shard struct {
	opts    Options
	epoch   uint64
	Stages  Stages
	lanes   [cx.Lanes]*lane
	workers []*worker
	due     []atomic.Int64 // by worker: when its lanes want to wake, 0 for never

	// Owned by the sequencer, the goroutine that follows the journal.
	resolver   *profile.Resolver
	knows      sync.Mutex // of the resolver: held by the sequencer while it takes a record, but not while it waits
	state      *shared
	position   cx.Position // of the last entry taken
	entries    uint64      // of the log up to there, 0 when that is not known
	now        cx.Instant
	skip       cx.Position // warehouse rows up to here are stored already
	askers     askers
	outcomes   outcomes
	imports    imports
	watches    watches
	addressees addressees
	work       context.Context // of Run
	batches    []*batch        // one a worker, being filled
	barriers   chan *report
	sinceTick  int
	unfed      int  // events since rows were last handed to the warehouse …
	unfedTicks int  // … and ticks
	unheard    bool // rows were left out because the machine stops: none may follow
	unsaved    bool // something changed since the last cut

	erased       []cx.CustomerID // since the last cut
	importsMoved bool            // since the last tick
	partedMoved  bool            // the same of watches, of who is kept apart and of addressees
	cutNumber    uint64
	lastCut      time.Time

	counts       sync.Map // cx.Workspace -> *Counts
	names        atomic.Pointer[map[cx.Workspace]cx.Workspace]
	published    atomic.Pointer[shared] // the state of the last tick, for readers outside
	applied      atomic.Uint64          // position of the last entry handed to the lanes
	entriesTaken atomic.Uint64          // entries of the log up to there, 0 when that is not known
	logTime      atomic.Int64           // log time of that entry
	lastTick     atomic.Int64           // log time of the last tick
	identities   atomic.Int64           // known to the resolver
	shut         atomic.Int64           // values in quarantine
	restless     atomic.Bool            // something happened since the last tick, or is not saved
	sending      atomic.Bool            // a delivery waits for the next cut
	cutting      atomic.Bool
	committed    atomic.Uint64 // position of the last checkpoint
	committedAt  atomic.Int64  // its log time
	committedCut atomic.Uint64
	warehouse    *watermark
	fillers      fillers
	moved        chan struct{} // the shared state is another
	feeding      atomic.Int32  // batches that the warehouse has not stored yet
	flushes      chan chan<- struct{}
	troubles     sync.Map    // what is being retried -> error
	tickless     atomic.Bool // the last tick could not be written

	parts chan *part
	cuts  chan *cutHead
	feeds chan handedRows
	rows  pool

	failure  error
	failOnce sync.Once
	failed   chan struct{}
	stopping chan struct{} // closed when nothing more needs to be written
}

// Open recovers the machine's state from the last checkpoint. Run goes on from
// there.
func Open(ctx context.Context, opts Options) (*Shard, error) {
	orDefault(&opts.Workers, runtime.GOMAXPROCS(0))
	opts.Workers = min(opts.Workers, cx.Lanes)
	orDefault(&opts.CheckpointEvery, 5*time.Second)
	orDefault(&opts.SendWithin, time.Second)
	orDefault(&opts.RestAfter, time.Minute)
	orDefault(&opts.CacheBytes, 1<<30)
	orDefault(&opts.KeepMerges, 365*24*time.Hour)
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.Watcher == nil {
		opts.Watcher = nobody{}
	}
	if opts.Log == nil {
		opts.Log = slog.New(slog.DiscardHandler)
	}
	s := &Shard{
		opts: opts, resolver: new(profile.Resolver),
		barriers: make(chan *report, opts.Workers), flushes: make(chan chan<- struct{}, 8),
		parts: make(chan *part, opts.Workers), cuts: make(chan *cutHead, 1), feeds: make(chan handedRows, 1), rows: make(pool, 2*opts.Workers),
		warehouse: newWatermark(), moved: make(chan struct{}, 1), failed: make(chan struct{}), stopping: make(chan struct{}),
	}
	for i := range s.lanes {
		s.lanes[i] = &lane{number: i, residents: map[cx.CustomerID]*resident{}}
	}
	s.due = make([]atomic.Int64, opts.Workers)
	for i := range opts.Workers {
		w := &worker{shard: s, in: make(chan *batch, 2), ask: make(chan func()), feed: new(Batch), page: new(page), epoch: 1}
		for l := i; l < cx.Lanes; l += opts.Workers {
			w.lanes = append(w.lanes, s.lanes[l])
		}
		s.workers = append(s.workers, w)
	}
	s.batches = make([]*batch, opts.Workers)
	names := map[cx.Workspace]cx.Workspace{}
	s.names.Store(&names)
	if err := s.recover(ctx); err != nil {
		return nil, fmt.Errorf("recover state: %w", err)
	}
	return s, nil
}

// orDefault sets what is not above 0.
func orDefault[N int | int64 | time.Duration](v *N, otherwise N) {
	if *v <= 0 {
		*v = otherwise
	}
}

// recover loads the last checkpoint: shared state, identities and due times.
// Customers are loaded when they are needed.
func (s *Shard) recover(ctx context.Context) error {
	r, err := s.opts.Store.Recover(ctx)
	if err != nil {
		return err
	}
	stored, err := s.opts.Warehouse.Position(ctx)
	if err != nil {
		return err
	}
	if stored < r.Position {
		return cx.E(cx.Invalid, "", fmt.Sprintf("the warehouse ends at %v but the checkpoint is at %v: rows in between would be missing for ever; restore the warehouse file, or remove state and warehouse together to compute both from the journal", stored, r.Position))
	}
	s.epoch, s.position, s.now, s.skip = r.Epoch, r.Position, r.Time, stored
	s.committed.Store(uint64(r.Position))
	s.committedAt.Store(int64(r.Time))
	s.applied.Store(uint64(r.Position))
	s.logTime.Store(int64(r.Time))
	s.lastTick.Store(int64(r.Time))
	s.warehouse.advance(stored)
	if s.state, err = decodeShared(r.Shared); err != nil {
		return err
	}
	s.confineState()
	s.entries = s.state.entries
	s.entriesTaken.Store(s.entries)
	s.imports, s.watches, s.addressees = maps.Clone(s.state.imports), maps.Clone(s.state.watches), maps.Clone(s.state.addressees)
	for _, pair := range s.state.apart {
		s.resolver.KeepApart(pair[0], pair[1])
	}
	for _, id := range s.state.nameless {
		s.resolver.LoadNameless(id)
	}
	s.setState(s.state)
	for name, w := range s.state.workspaces {
		s.resolver.Configure(name, w.settings)
	}
	var last cx.Workspace
	if err := s.opts.Store.EachIdentity(ctx, func(row IdentityRow) error {
		if s.opts.reduced.foreign(row.Workspace) {
			return nil
		}
		s.resolver.LoadIdentity(profile.IdentityRow(row))
		if row.Workspace != last { // a checkpoint of an earlier version does not say who has a past
			last = s.intern(row.Workspace)
			s.activate(last)
		}
		return nil
	}); err != nil {
		return err
	}
	if err := s.opts.Store.EachMerged(ctx, func(loser, winner cx.CustomerID) error {
		s.resolver.LoadMerged(loser, winner)
		return nil
	}); err != nil {
		return err
	}
	if err := s.opts.Store.EachSighting(ctx, func(x Sighting) error {
		if !s.opts.reduced.foreign(x.Workspace) {
			s.resolver.LoadSighting(x)
		}
		return nil
	}); err != nil {
		return err
	}
	if s.opts.reduced != nil {
		return nil // it sends nothing, and wakes nobody
	}
	if err := s.opts.Store.EachDelivery(ctx, 0, func(d cx.Delivery) error {
		s.lanes[d.Customer.Lane()].outbox.put(d.Key, d.Customer)
		return nil
	}); err != nil {
		return err
	}
	return s.opts.Store.EachDue(ctx, func(id cx.CustomerID, due cx.Instant) error {
		l := s.lanes[id.Lane()]
		l.alarms.Push(alarm{due, id})
		return nil
	})
}

// Run follows the journal until ctx ends; then it saves a last checkpoint if
// the journal still takes the tick for it, and stops. It returns the failure
// that stopped it, if one did.
func (s *Shard) Run(ctx context.Context) error {
	for _, l := range s.lanes {
		heap.Init(&l.alarms)
	}
	work, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	s.work = work
	if err := s.tidyAll(ctx); err != nil {
		if ctx.Err() != nil {
			return nil
		}
		return err
	}
	var workers, writers, clock sync.WaitGroup
	for _, w := range s.workers {
		w.publishDue()
		workers.Go(func() { w.run(work) })
	}
	writers.Go(func() { s.writeCheckpoints(work) })
	writers.Go(func() { s.writeWarehouse(work) })

	follow, unfollow := context.WithCancel(work)
	defer unfollow()
	ended := make(chan error, 1)
	go func() {
		if err := s.reopen(follow); err != nil {
			ended <- err
			return
		}
		ended <- s.opts.Journal.Follow(follow, s.position.Sequence(), s.record)
	}()
	ticking, untick := context.WithCancel(ctx)
	defer untick()
	if !s.opts.Passive {
		clock.Go(func() { s.clock(ticking) })
		if s.opts.History != nil && s.opts.Scratch != nil {
			clock.Go(func() { s.fill(ticking) })
		}
	}

	var err error
	select {
	case err = <-ended:
	case <-s.failed:
		err = s.failure
	case <-ctx.Done():
		untick()
		clock.Wait()
		if !s.opts.Passive {
			s.lastWords(ctx)
		}
	}
	untick()
	clock.Wait()
	unfollow()
	close(s.stopping)
	if err == nil || s.failure != nil && errors.Is(err, s.failure) {
		if e := <-ended; err == nil {
			err = e
		}
	}
	for _, w := range s.workers {
		close(w.in)
	}
	workers.Wait()
	close(s.cuts)
	close(s.feeds)
	stop()
	writers.Wait()
	if e := s.fillers.close(); e != nil {
		s.opts.Log.ErrorContext(ctx, "a back-fill's state could not be closed", slog.Any("error", e))
	}
	if errors.Is(err, context.Canceled) && ctx.Err() != nil {
		return nil
	}
	return err
}

// lastWords saves what is not saved yet, for at most ten seconds, although ctx
// has ended.
func (s *Shard) lastWords(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	if err := s.Flush(ctx); err != nil {
		s.opts.Log.WarnContext(ctx, "stopped without a last checkpoint; the journal will be replayed from the one before", slog.Any("error", err))
	}
}

// record takes one journal record: each event is resolved to its customer and
// becomes orders for lanes; ticks and published sets are barriers.
func (s *Shard) record(r *journal.Record) error {
	select {
	case <-s.failed:
		return s.failure
	default:
	}
	s.knows.Lock()
	defer s.knows.Unlock()
	s.now = r.Time
	s.askers.begin(r.Tags)
	events := make([]cx.Event, 0, len(r.Entries)) // they live as long as the rows that show them
	for i := range r.Entries {
		at := cx.At(r.Sequence, i)
		asker, index := s.askers.of(i)
		if at <= s.position {
			continue
		}
		if s.entries > 0 || s.position == 0 {
			s.entries++
		}
		if i%yieldEvery == yieldEvery-1 && s.opts.reduced != nil {
			runtime.Gosched()
		}
		switch e := r.Entries[i]; e.Kind {
		case cx.EntryEvent:
			waiter, _ := asker.(*Waiter)
			events = events[:len(events)+1]
			ev := &events[len(events)-1]
			if err := cx.DecodeEvent(e.Payload, ev); err != nil {
				return fmt.Errorf("event at %v: %w", at, err)
			}
			s.sequence(at, ev, waiter, index)
		case cx.EntryTick:
			s.send()
			s.expireWatches()
			s.tick(at, r.Tags == nil)
		case cx.EntryDefinitions:
			s.send()
			s.publish(at, e.Payload)
		case cx.EntryCommand:
			if err := s.command(at, e.Payload); err != nil {
				return err
			}
		case cx.EntryFate:
			if err := s.settle(at, e.Payload); err != nil {
				return fmt.Errorf("fate at %v: %w", at, err)
			}
		case cx.EntryErased:
			if err := s.sequenceErased(at, e.Payload); err != nil {
				return err
			}
		default:
			return fmt.Errorf("journal entry %v has kind %d, which this version does not know: run a newer one", at, e.Kind)
		}
		s.position = at
	}
	s.send()
	s.applied.Store(uint64(s.position))
	s.entriesTaken.Store(s.entries)
	s.logTime.Store(int64(s.now))
	s.identities.Store(int64(s.resolver.Identities()))
	s.shut.Store(int64(s.resolver.Shut()))
	if s.sinceTick > 0 {
		s.restless.Store(true)
	}
	return nil
}

// sequence finds out whose the event is and adds the orders that follow from it
// to the lanes' batches.
func (s *Shard) sequence(at cx.Position, ev *cx.Event, waiter *Waiter, index int) {
	if s.opts.reduced.foreign(ev.Workspace) {
		return
	}
	ev.Workspace = s.intern(ev.Workspace)
	s.sinceTick++
	if job, line, ok := ev.ImportLine(); ok && !s.takeLine(ev.Workspace, job, line, at) {
		s.countsOf(ev.Workspace).Duplicates.Add(1)
		if waiter != nil {
			waiter.Answer(index, Answer{Position: at})
		}
		return
	}
	found := s.resolver.Resolve(ev, at, s.now)
	if found.Customer == 0 {
		if waiter != nil {
			waiter.Answer(index, Answer{Position: at})
		}
		return
	}
	s.connect(at, ev.Workspace, &found)
	s.order(order{
		kind: orderEvent, at: at, customer: found.Customer, links: found.Links, fresh: found.New, event: ev, about: ev.Workspace,
		waiter: waiter, index: index,
	})
}

// connect adds the orders that bring the customers of an event together before
// it is folded.
func (s *Shard) connect(at cx.Position, ws cx.Workspace, found *profile.Resolution) {
	if found.New {
		s.activate(ws)
	}
	for i := range found.Merges {
		m := &found.Merges[i]
		hand := &handoff{loser: make(chan given, 1)}
		s.order(order{kind: orderGive, at: at, customer: m.Loser, hand: hand, about: ws})
		s.order(order{kind: orderTake, at: at, customer: m.Winner, hand: hand, about: ws, merge: m, index: i, fresh: found.New && m.Winner == found.Customer})
	}
	if len(s.watches) > 0 {
		s.stirAll(found)
	}
	for _, m := range found.Moves {
		s.order(order{kind: orderDrop, at: at, customer: m.From, links: []cx.Identity{m.Identity}, about: ws})
	}
	for _, x := range found.Isolated {
		s.order(order{kind: orderBegin, at: at, customer: x.Customer, links: []cx.Identity{x.Identity}, about: ws, fresh: true})
	}
}

// order adds o to the batch of the worker that runs the customer's lane.
func (s *Shard) order(o order) {
	w := o.customer.Lane() % len(s.workers)
	b := s.batches[w]
	if b == nil {
		b = newBatch()
		s.batches[w] = b
	}
	b.orders = append(b.orders, o)
}

// send hands the filled batches to their workers.
func (s *Shard) send() {
	s.aside(func() {
		for i, b := range s.batches {
			if b == nil {
				continue
			}
			b.now, b.state = s.now, s.state
			s.batches[i] = nil
			s.workers[i].in <- b
		}
	})
}

// aside lets the sequencer wait in f, which must leave the resolver alone, while
// others ask who is who.
func (s *Shard) aside(f func()) {
	s.knows.Unlock()
	defer s.knows.Lock()
	f()
}

// askers finds out who appended an entry, and as which of theirs. An append may
// have been cut into several records.
type askers struct {
	tags  []journal.Tag
	next  int // the first tag that may cover the entry asked for
	split any // whose entries go on from the record before
	done  int // how many of them were there
}

func (a *askers) begin(tags []journal.Tag) {
	a.tags, a.next = tags, 0
	if len(tags) == 0 || tags[0].Value != a.split {
		a.split, a.done = nil, 0
	}
}

// of must be called for every index in order.
func (a *askers) of(index int) (asker any, own int) {
	for a.next < len(a.tags) && index >= a.tags[a.next].First+a.tags[a.next].Count {
		a.next++
		a.split, a.done = nil, 0
	}
	if a.next == len(a.tags) || index < a.tags[a.next].First {
		return nil, 0
	}
	t := a.tags[a.next]
	own = a.done + index - t.First
	if t.More && index == t.First+t.Count-1 {
		a.split, a.done = t.Value, own+1
		a.next++
	}
	return t.Value, own
}

// intern returns the one copy of a workspace's name that customers share.
func (s *Shard) intern(w cx.Workspace) cx.Workspace {
	if known, ok := (*s.names.Load())[w]; ok {
		return known
	}
	for {
		old := s.names.Load()
		next := make(map[cx.Workspace]cx.Workspace, len(*old)+1)
		for k := range *old {
			next[k] = k
		}
		own := cx.Workspace(string(append([]byte(nil), w...)))
		next[own] = own
		if s.names.CompareAndSwap(old, &next) {
			return own
		}
	}
}

// fail stops the shard: going on would break a promise.
func (s *Shard) fail(err error) {
	s.failOnce.Do(func() {
		s.failure = err
		s.opts.Log.Error("the machine stops", slog.Any("error", err))
		close(s.failed)
	})
}

// stuck says that something is being retried; meanwhile the journal fills and
// the front door answers 503.
func (s *Shard) stuck(what string, err error) {
	s.troubles.Store(what, err)
	s.opts.Log.Error("cannot go on, trying again", slog.String("doing", what), slog.Any("error", err))
}

// unstuck says that it succeeded.
func (s *Shard) unstuck(what string) { s.troubles.Delete(what) }

func (s *Shard) checkpointed() cx.Position { return cx.Position(s.committed.Load()) }
