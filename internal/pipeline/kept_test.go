package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// kept is a journal as it would have been had every set but the first asked for
// what the last one asks for: then nothing is back-filled, and what an un-merge
// comes to is worked out with all statistics. The positions stay what they were.
type kept struct {
	*journal.Journal
	set   []byte
	house *shelf
	shard *pipeline.Shard
	ticks chan struct{}
	sets  int
}

// Append lets the machine have ticks of its own.
func (k *kept) Append(ctx context.Context, _ []cx.Entry, _ any) (cx.Position, error) {
	select {
	case k.ticks <- struct{}{}:
		return 0, nil
	case <-ctx.Done():
		return 0, ctx.Err()
	}
}

// Follow makes kept a pipeline.Journal.
func (k *kept) Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error {
	before := new(journal.Record)
	return k.ReadOn(ctx, from, func(r *journal.Record) error {
		own := *r
		own.Entries = slices.Clone(r.Entries)
		for i := range own.Entries {
			e := &own.Entries[i]
			switch e.Kind {
			case cx.EntryDefinitions:
				if k.sets++; k.sets > 1 { // of the first there are the slots, in the same order
					e.Payload = pipeline.EncodePublication(&pipeline.Publication{Workspace: "demo", Who: "k_test", Why: "test", Canonical: k.set})
				}
			case cx.EntryCommand:
				c, err := cx.DecodeCommand(e.Payload)
				if err != nil {
					return err
				}
				u, undone, ok := pipeline.ResultOf(c.Body)
				if c.Kind != cx.CommandUnmerge || !ok {
					continue
				}
				if i > 0 {
					return errors.New("an un-merge does not come alone")
				}
				found, err := k.workOut(ctx, u, undone, before, fn)
				if err != nil {
					return fmt.Errorf("un-merge at %d: %w", r.Sequence, err)
				}
				c.Body = pipeline.WithResult(c.Body, found.Found)
				e.Payload = cx.AppendCommand(nil, &c)
			default:
			}
		}
		before = &own
		return fn(&own)
	})
}

// workOut asks the machine what the un-merge comes to. The ticks it wants
// meanwhile come behind the record before, where there is nothing.
func (k *kept) workOut(ctx context.Context, u pipeline.ToUnmerge, undone pipeline.FactKey, before *journal.Record, fn func(*journal.Record) error) (*pipeline.Undone, error) {
	type answer struct {
		found *pipeline.Undone
		err   error
	}
	answers := make(chan answer, 1)
	go func() {
		u.Workspace, u.DryRun = "demo", true
		found, err := k.shard.Unmerge(ctx, k.house, u)
		answers <- answer{found, err}
	}()
	for {
		select {
		case <-k.ticks:
			before.Entries = append(before.Entries, cx.Entry{Kind: cx.EntryTick})
			if err := fn(before); err != nil {
				return nil, err
			}
		case a := <-answers:
			if a.err == nil && a.found.Fact.Key() != undone {
				a.err = fmt.Errorf("the merge %v was undone, want %v", a.found.Fact.Key(), undone)
			}
			return a.found, a.err
		}
	}
}

// keeping returns everybody as they would be had all been kept from the
// beginning.
func keeping(t *testing.T, j *journal.Journal, set []byte) map[cx.CustomerID]cx.Customer {
	t.Helper()
	state, err := sqlite.OpenState(t.Context(), sqlite.StateOptions{Path: filepath.Join(t.TempDir(), "kept.db")})
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	k := &kept{Journal: j, set: set, house: new(shelf), ticks: make(chan struct{})}
	k.shard, err = pipeline.Open(t.Context(), pipeline.Options{Journal: k, Store: state, Warehouse: k.house, Passive: true, Workers: 2})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- k.shard.Run(ctx) }()
	last, _ := j.Last()
	for k.shard.Progress().Applied.Sequence() < last {
		select {
		case err := <-ended:
			t.Fatalf("the machine stopped: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	all := everybody(t, k.shard, k.house, last)
	stop()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	return all
}

// everybody returns every customer whose rows are stored, as they are now.
func everybody(t *testing.T, s *pipeline.Shard, house *shelf, last uint64) map[cx.CustomerID]cx.Customer {
	t.Helper()
	eventually(t, "every row is stored", func() bool { return house.reaches(last) })
	all := map[cx.CustomerID]cx.Customer{}
	for _, id := range house.customers() {
		_ = s.Inspect(t.Context(), id, func(c *cx.Customer, _ *definition.Set, _ cx.Statistics, _ cx.Instant) {
			who := *c
			who.Stats, who.Segments, who.Timers = slices.Clone(c.Stats), slices.Clone(c.Segments), slices.Clone(c.Timers)
			who.Identities, who.Seen, who.Ledger = nil, nil, nil // other tests look at these
			all[c.ID] = who
		}) // or it was merged away
	}
	return all
}

// Whoever was merged and un-merged, before the statistics were asked for, while
// they were filled or taken over, or afterwards, has them as if they had been
// kept from the beginning, byte for byte; nothing is unknown.
func TestBackfillEqualsHavingKeptItOfTheUnmerged(t *testing.T) {
	for seed := range uint64(2) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dir := t.TempDir()
			w := newTown(t, seed, filepath.Join(dir, "journal"))
			visit := func(n uint64, set []byte) {
				visitsUnder(t, w.j, w.clock, 100*(seed+1)+n, 200, set)
			}
			meet := func(n int) {
				t.Helper()
				w.lives(filepath.Join(dir, "state.db"), filepath.Join(dir, "backfill"), pipeline.Options{Workers: 2, Passive: true}, func() {
					for before := w.done["unmerge"]; w.done["unmerge"] < before+n; {
						w.meet()
					}
				})
			}
			visitsUnder(t, w.j, w.clock, 100*seed+99, 0, demoDocuments(t))
			visit(0, demoDocuments(t))
			if seed == 1 {
				w.crowd(1000) // so that it takes many ticks until all have taken over
			}
			meet(6)
			visit(1, demoDocuments(t))
			visit(2, curious(t))
			meet(6)
			visit(3, curious(t))
			meet(3)
			w.append(backfilled(1))
			meet(3)
			visit(4, curious(t))
			meet(6)
			visit(5, curious(t))
			afterwards(t, w.j, w.clock)
			t.Log(w.done)
			want := keeping(t, w.j, curious(t))
			got, plain := people(t, w.j, t.TempDir(), new(shelf), pipeline.Options{Workers: 2}, nil)
			same(t, want, got)
			if seed > 0 {
				return
			}
			last, _ := w.j.Last()
			var stops []cx.Position
			for range 8 {
				stops = append(stops, cx.At(1+w.r.Uint64N(last), 0))
			}
			slices.Sort(stops)
			for name, stops := range map[string][]cx.Position{"hardly any memory": nil, "stopped anywhere": stops} {
				_, got := people(t, w.j, t.TempDir(), new(shelf), pipeline.Options{Workers: 3, CheckpointEvery: 1, CacheBytes: 1, RestAfter: time.Microsecond}, stops)
				if diff := cmp.Diff(plain, got); diff != "" {
					t.Errorf("%s: another state (-plain +this):\n%s", name, diff)
				}
			}
			_, lived := people(t, w.j, dir, w.house, pipeline.Options{Workers: 2}, nil)
			if diff := cmp.Diff(plain, lived); diff != "" {
				t.Errorf("another state (-plain +lived):\n%s", diff)
			}
		})
	}
}

// A merge that was made anew by an un-merge has what was back-filled before that,
// and can be undone in turn.
func TestUnmergeOfAMergeMadeAnew(t *testing.T) {
	dir := t.TempDir()
	w := newTown(t, 7, filepath.Join(dir, "journal"))
	visitsUnder(t, w.j, w.clock, 799, 0, demoDocuments(t))
	visitsUnder(t, w.j, w.clock, 800, 300, demoDocuments(t))
	three := w.three()
	visitsUnder(t, w.j, w.clock, 801, 50, curious(t))
	w.append(backfilled(1))
	// The first time what the filler has cannot be read: it is written into the kept
	// merges at the next start.
	scratch := sqlite.Scratch{Dir: filepath.Join(dir, "backfill")}
	w.lives(filepath.Join(dir, "state.db"), "", pipeline.Options{Passive: true, Scratch: unreadable{scratch}}, func() {
		if err := w.shard.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
	if left, err := scratch.Numbers(); err != nil || len(left) != 1 {
		t.Fatalf("%d fillers are left, want 1: %v", len(left), err)
	}
	for range 2 {
		w.lives(filepath.Join(dir, "state.db"), filepath.Join(dir, "backfill"), pipeline.Options{Workers: 2, Passive: true}, func() {
			if err := w.shard.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			if left, err := scratch.Numbers(); err != nil || len(left) != 0 {
				t.Fatalf("%d fillers are left, want none: %v", len(left), err)
			}
			facts, err := w.shard.Merges(t.Context(), three)
			if err != nil {
				t.Fatal(err)
			}
			facts = slices.DeleteFunc(facts, func(f pipeline.MergeFact) bool { return f.Undone != 0 })
			if _, err := w.shard.Unmerge(t.Context(), w.house, pipeline.ToUnmerge{Workspace: "demo", Customer: three, Merge: facts[0].Position}); err != nil {
				t.Fatal(err)
			}
		})
	}
	visitsUnder(t, w.j, w.clock, 802, 100, curious(t))
	afterwards(t, w.j, w.clock)
	want := keeping(t, w.j, curious(t))
	got, _ := people(t, w.j, t.TempDir(), new(shelf), pipeline.Options{Workers: 2}, nil)
	same(t, want, got)
}

// unreadable is a scratch of which no merge can be read.
type unreadable struct{ sqlite.Scratch }

type unreadableStore struct{ pipeline.ScratchStore }

func (u unreadable) Open(ctx context.Context, number uint64, begin func() (pipeline.Origin, error)) (pipeline.ScratchStore, error) {
	store, err := u.Scratch.Open(ctx, number, begin)
	return unreadableStore{store}, err
}

func (unreadableStore) Merges(context.Context, cx.CustomerID, func(pipeline.MergeFact) error) error {
	return errors.New("the disk is gone")
}

// meanwhile is a shelf beside which something happens once when it is read.
type meanwhile struct {
	*shelf
	happens func()
}

func (m *meanwhile) EventsOf(ctx context.Context, w cx.Workspace, id cx.CustomerID, from, to cx.Position, found func(cx.Position, cx.Instant, *cx.Event) error) error {
	m.happens()
	m.happens = func() {}
	return m.shelf.EventsOf(ctx, w, id, from, to, found)
}

// What becomes known while an un-merge is worked out is not in what it comes to.
// It is worked out again.
func TestBackfillEndsWhileAnUnmergeIsWorkedOut(t *testing.T) {
	dir := t.TempDir()
	w := newTown(t, 5, filepath.Join(dir, "journal"))
	visitsUnder(t, w.j, w.clock, 599, 0, demoDocuments(t))
	visitsUnder(t, w.j, w.clock, 600, 400, demoDocuments(t))
	visitsUnder(t, w.j, w.clock, 601, 50, curious(t))
	entries := func() uint64 { last, _ := w.j.Last(); return last }
	w.lives(filepath.Join(dir, "state.db"), filepath.Join(dir, "backfill"), pipeline.Options{Workers: 2, Passive: true}, func() {
		w.undo(&meanwhile{w.house, func() { w.append(backfilled(1)) }})
		begun := 0
		if err := w.j.Read(t.Context(), 0, entries(), func(r *journal.Record) error {
			if c, err := cx.DecodeCommand(r.Entries[0].Payload); err == nil && r.Entries[0].Kind == cx.EntryCommand && c.Kind == cx.CommandUnmerge {
				begun++
			}
			return nil
		}); err != nil || begun != 4 {
			t.Fatalf("the un-merge took %d entries, want 4: %v", begun, err)
		}
	})
	visitsUnder(t, w.j, w.clock, 602, 100, curious(t))
	afterwards(t, w.j, w.clock)
	want := keeping(t, w.j, curious(t))
	got, _ := people(t, w.j, t.TempDir(), new(shelf), pipeline.Options{Workers: 2}, nil)
	same(t, want, got)
}

// merges returns the merges that are not undone, in no order.
func (w *town) merges() (facts []pipeline.MergeFact) {
	w.Helper()
	if err := w.shard.Flush(w.Context()); err != nil {
		w.Fatal(err)
	}
	var winners []cx.CustomerID
	w.house.mu.Lock()
	for _, m := range w.house.batch.Merges {
		winners = append(winners, m.Winner)
	}
	w.house.mu.Unlock()
	known := map[pipeline.FactKey]bool{}
	for _, id := range slices.Compact(slices.Sorted(slices.Values(winners))) {
		all, err := w.shard.Merges(w.Context(), id)
		if err != nil {
			w.Fatal(err)
		}
		for _, f := range all {
			if f.Undone == 0 && !known[f.Key()] {
				known[f.Key()] = true
				facts = append(facts, f)
			}
		}
	}
	w.r.Shuffle(len(facts), func(i, j int) { facts[i], facts[j] = facts[j], facts[i] })
	return facts
}

// undo undoes a merge that can be undone, if there is one.
func (w *town) undo(past pipeline.Past) {
	w.Helper()
	for _, f := range w.merges() {
		u := pipeline.ToUnmerge{Workspace: "demo", Customer: f.Winner, Merge: f.Position, Other: f.Loser, DryRun: true}
		if _, err := w.shard.Unmerge(w.Context(), w.house, u); err != nil {
			w.note("none", err)
			continue
		}
		u.DryRun = false
		if _, err := w.shard.Unmerge(w.Context(), past, u); err != nil {
			w.Fatal(err)
		}
		w.done["unmerge"]++
		return
	}
}

func newTown(t *testing.T, seed uint64, dir string) *town {
	t.Helper()
	w := &town{T: t, r: rand.New(rand.NewPCG(seed, 78)), clock: &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}, house: new(shelf), done: map[string]int{}}
	w.j = openJournal(t, dir, w.clock)
	return w
}

// three lets three people be one, and returns who that is.
func (w *town) three() (id cx.CustomerID) {
	w.Helper()
	for i, device := range []string{"tv", "car", "radio", "tv", "car", "radio"} {
		w.clock.pass(time.Minute)
		at := cx.NewCustomerID(say(w.T, w.j, added(device, i), w.clock.now()))
		if id == 0 {
			id = at
		} else if i < 3 {
			merge := cx.Command{Kind: cx.CommandMerge, Workspace: "demo", Body: cx.AppendPair(nil, id, at)}
			w.append(cx.Entry{Kind: cx.EntryCommand, Payload: cx.AppendCommand(nil, &merge)})
		}
	}
	return id
}

// crowd lets n people come by who do nothing else.
func (w *town) crowd(n int) {
	w.Helper()
	var entries []cx.Entry
	for i := range n {
		ev := added(fmt.Sprint("passer-by-", i), i)
		ev.Workspace, ev.Key, ev.KeyKind, ev.Type, ev.ReceivedAt = "demo", "k_demo", cx.BrowserKey, cx.Track, cx.InstantOf(w.clock.now())
		entries = append(entries, cx.Entry{Kind: cx.EntryEvent, Payload: cx.AppendEvent(nil, &ev)})
	}
	w.append(entries...)
}

// stumbling is a history that cannot be read on once behind each of some records.
type stumbling struct {
	fromBeginning
	at map[uint64]bool
}

var errStumbled = errors.New("the history cannot be read")

func (h stumbling) Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error {
	return h.fromBeginning.Follow(ctx, from, func(r *journal.Record) error {
		if err := fn(r); err != nil || !h.at[r.Sequence] {
			return err
		}
		delete(h.at, r.Sequence)
		return errStumbled
	})
}

// A filler that is stopped right behind an un-merge goes on from what it saved
// just before, and folds it again.
func TestFillerStoppedAtAnUnmerge(t *testing.T) {
	dir := t.TempDir()
	w := newTown(t, 3, filepath.Join(dir, "journal"))
	visitsUnder(t, w.j, w.clock, 301, 300, demoDocuments(t))
	w.lives(filepath.Join(dir, "state.db"), filepath.Join(dir, "backfill"), pipeline.Options{Workers: 2, Passive: true}, func() {
		for range 40 {
			w.meet()
		}
	})
	visitsUnder(t, w.j, w.clock, 302, 100, curious(t))
	w.append(backfilled(1))
	afterwards(t, w.j, w.clock)
	last, _ := w.j.Last()
	h := stumbling{fromBeginning{w.j}, map[uint64]bool{}}
	if err := w.j.Read(t.Context(), 0, last, func(r *journal.Record) error {
		if c, err := cx.DecodeCommand(r.Entries[0].Payload); err == nil && r.Entries[0].Kind == cx.EntryCommand && c.Kind == cx.CommandUnmerge {
			h.at[r.Sequence] = true
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if len(h.at) < 6 {
		t.Fatalf("%d entries of un-merges: too few to prove anything", len(h.at))
	}
	_, want := people(t, w.j, t.TempDir(), new(shelf), pipeline.Options{Workers: 2}, nil)
	house, dir := new(shelf), t.TempDir()
	o := pipeline.Options{Workers: 2, Journal: w.j, Warehouse: house, Passive: true, History: h, Scratch: sqlite.Scratch{Dir: filepath.Join(dir, "backfill")}}
	for n := len(h.at); n > 0; n-- {
		state, err := sqlite.OpenState(t.Context(), sqlite.StateOptions{Path: filepath.Join(dir, "state.db")})
		if err != nil {
			t.Fatal(err)
		}
		o.Store = state
		s, err := pipeline.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Run(t.Context()); !errors.Is(err, errStumbled) {
			t.Fatalf("the machine stopped: %v", err)
		}
		state.Close()
	}
	_, got := people(t, w.j, dir, house, pipeline.Options{Workers: 2}, nil)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("another state (-plain +stopped):\n%s", diff)
	}
}

// same compares customers who have taken over what was back-filled with those
// who kept it.
func same(t *testing.T, want, got map[cx.CustomerID]cx.Customer) {
	t.Helper()
	if len(want) < 30 {
		t.Fatalf("only %d customers", len(want))
	}
	for id, c := range got {
		if len(c.Unknown) > 0 {
			t.Errorf("%d statistics of %s are unknown", len(c.Unknown), id)
		}
		if c.Filled != 1 {
			t.Fatalf("customer %s has taken over up to back-fill %d", id, c.Filled)
		}
		c.Filled = 0
		got[id] = c
	}
	if diff := cmp.Diff(want, got, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("customers (-kept from the beginning +back-filled):\n%s", diff)
	}
}

// meet lets two people be one, or one be two, or somebody do something.
func (w *town) meet() {
	w.Helper()
	switch w.r.IntN(4) {
	case 0:
		w.command("merge", &cx.Command{Kind: cx.CommandMerge, Workspace: "demo", Body: cx.AppendPair(nil, w.somebody(), w.somebody())})
	case 1:
		w.clock.pass(time.Duration(w.r.IntN(50)) * time.Minute)
		say(w.T, w.j, added(fmt.Sprintf("device-%d-%d", w.r.IntN(60), w.r.IntN(3)), w.r.IntN(1_000)), w.clock.now())
	default:
		w.undo(w.house)
	}
}
