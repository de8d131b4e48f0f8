package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// fromBeginning is a journal of which nothing was ever dropped.
type fromBeginning struct{ *journal.Journal }

func (j fromBeginning) Origin(context.Context, uint64) (pipeline.Origin, error) {
	return pipeline.Origin{From: 1}, nil
}

func (j fromBeginning) Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error {
	return j.ReadOn(ctx, from, fn)
}

// curious is the demo's set with segments that look at every aggregate over every
// kind of window, and one that looks at two of those.
func curious(t *testing.T, more ...definition.File) []byte {
	t.Helper()
	var b strings.Builder
	segment := func(name, when string) {
		fmt.Fprintf(&b, "---\nkind: segment\nname: %s\nwhen: %s\n", name, when)
	}
	for i, window := range []string{"all", "session", "previous_session", "day", "week", "month", "45m", "2h", "3d"} {
		for _, c := range [][2]string{
			{"count", `count("*", "%s") > 7`},
			{"added", `count("Product Added", "%s") > 2`},
			{"sum", `sum("Order Completed", "total", "%s") >= 4000`},
			{"products", `sum("Product Added", "price * quantity", "%s") >= 6000`},
			{"min", `min("Product Added", "price", "%s") <= 1000`},
			{"max", `max("Product Added", "price", "%s") >= 3500`},
			{"avg", `avg("Product Added", "price", "%s") >= 2000`},
			{"first", `first("Product Added", "product_id", "%s") == "p1"`},
			{"last", `last("Product Added", "product_id", "%s") == "p2"`},
			{"distinct", `distinct("Product Added", "product_id", "%s") > 2`},
			{"top", `"p3" in top("Product Added", "product_id", 2, "%s")`},
			{"recent", `"p4" in recent("Product Added", "product_id", 3, "%s")`},
		} {
			segment(fmt.Sprintf("%s-%d", c[0], i), "'"+fmt.Sprintf(c[1], window)+"'")
		}
	}
	segment("lately", `'since("Product Viewed") < hours(3)'`)
	segment("both", `'segment("sum-0") && !segment("min-7")'`)
	return demoDocuments(t, append(more, definition.File{Name: "curious.yaml", Text: []byte(b.String())})...)
}

// backfilled is the journal entry that ends the first back-fill.
func backfilled(number uint64) cx.Entry { return backfilledFrom(cx.Backfill{Number: number, From: 1}) }

func backfilledFrom(b cx.Backfill) cx.Entry {
	c := cx.Command{Kind: cx.CommandBackfill, Workspace: "demo", Body: cx.AppendBackfill(nil, b)}
	return cx.Entry{Kind: cx.EntryCommand, Payload: cx.AppendCommand(nil, &c)}
}

// tale writes a journal: people come and go under one set, then under another, a
// back-fill ends, and they go on.
func tale(t *testing.T, j *journal.Journal, clock *wall, seed uint64, before, after []byte) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 2))
	visitsUnder(t, j, clock, 100*seed+3, 0, demoDocuments(t)) // slots are given in the same order, whatever comes then
	visitsUnder(t, j, clock, 100*seed, 300+r.IntN(700), before)
	visitsUnder(t, j, clock, 100*seed+1, 100+r.IntN(300), after)
	for range 1 + r.IntN(2) { // the second is refused
		if _, err := j.Append(t.Context(), []cx.Entry{backfilled(1)}, nil); err != nil {
			t.Fatal(err)
		}
	}
	visitsUnder(t, j, clock, 100*seed+2, 100+r.IntN(300), after)
	afterwards(t, j, clock)
}

// people runs a shard over the journal to its end, stopping it without farewell
// at some moments, and returns every customer as it is then.
func people(t *testing.T, j *journal.Journal, dir string, house *shelf, o pipeline.Options, stops []cx.Position) (map[cx.CustomerID]cx.Customer, pipeline.Fingerprint) {
	t.Helper()
	last, _ := j.Last()
	if o.History == nil {
		o.History = fromBeginning{j}
	}
	o.Scratch = sqlite.Scratch{Dir: filepath.Join(dir, "backfill")}
	o.Journal, o.Warehouse, o.Passive = j, house, true
	all := map[cx.CustomerID]cx.Customer{}
	for i := range len(stops) + 1 {
		state, err := sqlite.OpenState(t.Context(), sqlite.StateOptions{Path: filepath.Join(dir, "state.db")})
		if err != nil {
			t.Fatal(err)
		}
		o.Store = state
		s, err := pipeline.Open(t.Context(), o)
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- s.Run(ctx) }()
		until := last
		if i < len(stops) {
			until = stops[i].Sequence()
		}
		for s.Progress().Applied.Sequence() < until {
			select {
			case err := <-ended:
				t.Fatalf("the machine stopped: %v", err)
			case <-time.After(100 * time.Microsecond):
			}
		}
		if i == len(stops) {
			eventually(t, "every row is stored", func() bool { return house.reaches(last) })
			for _, id := range house.customers() {
				_ = s.Inspect(t.Context(), id, func(c *cx.Customer, _ *definition.Set, _ cx.Statistics, _ cx.Instant) {
					who := *c
					who.Stats, who.Segments, who.Timers = slices.Clone(c.Stats), slices.Clone(c.Segments), slices.Clone(c.Timers)
					who.Identities, who.Seen, who.Ledger = nil, nil, nil // other tests look at these
					all[c.ID] = who
				}) // or it was merged away
			}
		}
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		if i == len(stops) {
			f, err := s.Fingerprint(t.Context(), nil)
			if err != nil {
				t.Fatal(err)
			}
			state.Close()
			return all, f
		}
		state.Close()
	}
	panic("unreachable")
}

// A statistic that was asked for late is, byte for byte, what it would be if it
// had been kept from the beginning.
func TestBackfillEqualsHavingKeptIt(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dir := t.TempDir()
			start := time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)
			journalOf := func(name string, before []byte) *journal.Journal {
				clock := &wall{at: start}
				j := openJournal(t, filepath.Join(dir, name), clock)
				tale(t, j, clock, seed, before, curious(t))
				return j
			}
			late, early := journalOf("late", demoDocuments(t)), journalOf("early", curious(t))
			want, _ := people(t, early, t.TempDir(), new(shelf), pipeline.Options{Workers: 2}, nil)
			got, _ := people(t, late, t.TempDir(), new(shelf), pipeline.Options{Workers: 2}, nil)
			if len(want) < 30 {
				t.Fatalf("only %d customers", len(want))
			}
			for id, c := range got {
				if c.Filled != 1 {
					t.Fatalf("customer %s has taken over up to back-fill %d", id, c.Filled)
				}
				c.Filled = 0
				got[id] = c
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("customers (-kept from the beginning +back-filled):\n%s", diff)
			}
		})
	}
}

// Whatever the number of workers, wherever customers are, and whenever the
// machine is stopped and starts anew, with or without what the filler had, a
// back-fill leads to one state, to the same decisions and to the same
// memberships, and the warehouse gets every row once.
func TestBackfillFollowsFromTheJournalAlone(t *testing.T) {
	const seed = 9
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, t.TempDir(), clock)
	tale(t, j, clock, seed, demoDocuments(t), curious(t))
	last, _ := j.Last()
	var asked, valid cx.Position // of the set, and of the command
	sets := 0
	err := j.Read(t.Context(), 0, last, func(r *journal.Record) error {
		for i, e := range r.Entries {
			switch at := cx.At(r.Sequence, i); {
			case e.Kind == cx.EntryDefinitions:
				if sets++; sets == 4 {
					asked = at
				}
			case e.Kind == cx.EntryCommand && valid == 0:
				valid = at
			}
		}
		return nil
	})
	if err != nil || asked == 0 || valid == 0 {
		t.Fatal(asked, valid, err)
	}
	plain := new(shelf)
	_, want := people(t, j, t.TempDir(), plain, pipeline.Options{Workers: 1, CheckpointEvery: time.Hour}, nil)
	r := rand.New(rand.NewPCG(seed, 3))
	stops := func(from, to uint64, n int) (at []cx.Position) {
		for range n {
			at = append(at, cx.At(from+r.Uint64N(to-from+1), 0))
		}
		slices.Sort(at)
		return at
	}
	for _, v := range []struct {
		name  string
		o     pipeline.Options
		stops []cx.Position
	}{
		{"two workers", pipeline.Options{Workers: 2, CheckpointEvery: time.Hour}, nil},
		{"seven workers, many cuts", pipeline.Options{Workers: 7, CheckpointEvery: 1}, nil},
		{"hardly any memory", pipeline.Options{Workers: 2, CheckpointEvery: 1, CacheBytes: 1, RestAfter: time.Microsecond}, nil},
		{"stopped anywhere", pipeline.Options{Workers: 2, CheckpointEvery: 1}, stops(1, last, 8)},
		{"stopped while filling", pipeline.Options{Workers: 3, CheckpointEvery: time.Millisecond}, stops(asked.Sequence(), valid.Sequence(), 8)},
		{"stopped while it is taken over", pipeline.Options{Workers: 2, CheckpointEvery: 1}, stops(valid.Sequence()-1, min(valid.Sequence()+40, last), 8)},
	} {
		t.Run(v.name, func(t *testing.T) {
			house := new(shelf)
			_, got := people(t, j, t.TempDir(), house, v.o, v.stops)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("another state (-plain +this):\n%s", diff)
			}
			if diff := cmp.Diff(plain.decisions(), house.decisions()); diff != "" {
				t.Errorf("other decisions (-plain +this):\n%s", diff)
			}
			if diff := cmp.Diff(plain.moves(), house.moves()); diff != "" {
				t.Errorf("other memberships (-plain +this):\n%s", diff)
			}
			if a, b := len(plain.batch.Events), len(house.batch.Events); a != b {
				t.Errorf("%d event rows, want %d", b, a)
			}
		})
	}
}
