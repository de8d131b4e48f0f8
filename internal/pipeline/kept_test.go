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

// Whoever was merged and un-merged before the statistics were asked for has them
// as if they had been kept from the beginning, byte for byte; nothing is unknown.
func TestBackfillEqualsHavingKeptItOfTheUnmerged(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dir := t.TempDir()
			w := &town{T: t, r: rand.New(rand.NewPCG(seed, 78)), clock: &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}, house: new(shelf), done: map[string]int{}}
			w.j = openJournal(t, filepath.Join(dir, "journal"), w.clock)
			visit := func(n uint64, set []byte) {
				visitsUnder(t, w.j, w.clock, 100*(seed+1)+n, 300, set)
			}
			meet := func() {
				t.Helper()
				w.lives(filepath.Join(dir, "state.db"), filepath.Join(dir, "backfill"), pipeline.Options{Workers: 2, Passive: true}, func() {
					for range 40 {
						w.meet()
					}
				})
			}
			visitsUnder(t, w.j, w.clock, 100*seed+99, 0, demoDocuments(t))
			visit(0, demoDocuments(t))
			meet()
			visit(1, demoDocuments(t))
			meet()
			visit(2, curious(t))
			w.append(backfilled(1))
			visit(3, curious(t))
			afterwards(t, w.j, w.clock)
			t.Log(w.done)
			if w.done["merge"] < 4 || w.done["unmerge"] < 6 {
				t.Fatalf("%v: too little to prove anything", w.done)
			}
			want := keeping(t, w.j, curious(t))
			got, plain := people(t, w.j, t.TempDir(), new(shelf), pipeline.Options{Workers: 2}, nil)
			same(t, want, got)
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
		})
	}
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
	w := &town{T: t, r: rand.New(rand.NewPCG(3, 78)), clock: &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}, house: new(shelf), done: map[string]int{}}
	w.j = openJournal(t, filepath.Join(dir, "journal"), w.clock)
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
		w.unmerge()
	}
}
