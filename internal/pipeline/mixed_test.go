package pipeline_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// town is a journal with everything that may stand in it, and the machine that
// lives through it.
type town struct {
	*testing.T
	r     *rand.Rand
	j     *journal.Journal
	clock *wall
	house *shelf
	sets  [][]byte
	state *sqlite.State
	shard *pipeline.Shard
	now   int            // which set is in force
	done  map[string]int // how often what was done
}

// do does one thing at random.
func (w *town) do() {
	w.Helper()
	a, b := w.somebody(), w.somebody()
	switch n := w.r.IntN(12); {
	case n < 3:
		w.command("merge", &cx.Command{Kind: cx.CommandMerge, Workspace: "demo", Body: cx.AppendPair(nil, a, b)})
	case n < 6:
		w.unmerge()
	case n < 7:
		var sent []cx.Delivery
		err := w.state.EachDelivery(w.Context(), 0, func(d cx.Delivery) error {
			sent = append(sent, d)
			return nil
		})
		if err != nil {
			w.Fatal(err)
		}
		w.done["fate"] += tell(w.T, w.j, w.r, sent)
	case n < 8:
		w.now = w.r.IntN(len(w.sets))
		p := pipeline.EncodePublication(&pipeline.Publication{Workspace: "demo", Who: "k_test", Canonical: w.sets[w.now]})
		w.append(cx.Entry{Kind: cx.EntryDefinitions, Payload: p})
	case n < 9:
		for _, f := range w.shard.Backfills() {
			if f.Valid == 0 {
				w.append(backfilled(f.Number))
				w.done["backfill"]++
				break
			}
		}
	case n < 10:
		w.clock.pass(time.Duration(w.r.IntN(50)) * time.Minute)
		w.append(cx.Entry{Kind: cx.EntryTick})
	default:
		say(w.T, w.j, added(fmt.Sprintf("device-%d-%d", w.r.IntN(60), w.r.IntN(3)), w.r.IntN(1_000)), w.clock.now())
	}
}

func (w *town) append(e ...cx.Entry) {
	w.Helper()
	if _, err := w.j.Append(w.Context(), e, nil); err != nil {
		w.Fatal(err)
	}
}

func (w *town) somebody() cx.CustomerID {
	w.house.mu.Lock()
	defer w.house.mu.Unlock()
	rows := w.house.batch.Events
	return rows[w.r.IntN(len(rows))].Customer
}

func (w *town) command(what string, c *cx.Command) {
	w.Helper()
	_, err := w.shard.Command(w.Context(), c)
	w.note(what, err)
}

// unmerge undoes a merge of somebody who can be found in two.
func (w *town) unmerge() {
	w.Helper()
	if err := w.shard.Flush(w.Context()); err != nil {
		w.Fatal(err)
	}
	before := w.done["unmerge"]
	for n := 0; n < 20 && w.done["unmerge"] == before; n++ {
		id := w.somebody()
		facts, err := w.shard.Merges(w.Context(), id)
		if err != nil {
			w.Fatal(err)
		}
		facts = slices.DeleteFunc(facts, func(f pipeline.MergeFact) bool { return f.Undone != 0 })
		if len(facts) == 0 {
			continue
		}
		u := pipeline.ToUnmerge{Workspace: "demo", Customer: id, Merge: facts[w.r.IntN(len(facts))].Position, DryRun: true}
		if _, err = w.shard.Unmerge(w.Context(), w.house, u); err == nil {
			u.DryRun = false
			_, err = w.shard.Unmerge(w.Context(), w.house, u)
		}
		w.note("unmerge", err)
	}
}

func (w *town) note(what string, err error) {
	w.Helper()
	switch cx.KindOf(err) {
	case cx.Conflict, cx.NotFound:
	default:
		if err != nil {
			w.Fatal(what, err)
		}
		w.done[what]++
	}
}

// live runs a machine for a while, in which things happen, and stops it, with or
// without its saving what it knows. It writes ticks and fills by itself, or not.
func (w *town) live(path, scratch string, things int, o pipeline.Options) {
	w.Helper()
	w.lives(path, scratch, o, func() {
		for range things {
			w.do()
		}
	})
}

// lives is live with what happens.
func (w *town) lives(path, scratch string, o pipeline.Options, happen func()) {
	w.Helper()
	state, err := sqlite.OpenState(w.Context(), sqlite.StateOptions{Path: path})
	if err != nil {
		w.Fatal(err)
	}
	defer state.Close()
	o.Journal, o.Store, o.Warehouse, o.History = w.j, state, w.house, fromBeginning{w.j}
	if o.Scratch == nil {
		o.Scratch = sqlite.Scratch{Dir: scratch}
	}
	shard, err := pipeline.Open(w.Context(), o)
	if err != nil {
		w.Fatal(err)
	}
	ctx, stop := context.WithCancel(w.Context())
	defer stop()
	ended := make(chan error, 1)
	go func() { ended <- shard.Run(ctx) }()
	w.state, w.shard = state, shard
	last, _ := w.j.Last()
	eventually(w.T, "the journal is taken", func() bool { return shard.Progress().Applied.Sequence() >= last })
	happen()
	stop()
	if err := <-ended; err != nil {
		w.Fatal(err)
	}
}

// Whoever is merged and un-merged, whatever is published and back-filled, sent
// and settled meanwhile, and whenever the machine is stopped, what it comes to
// follows from the journal alone, byte for byte.
func TestEverythingAtOnceFollowsFromTheJournal(t *testing.T) {
	const seed = 1
	dir := t.TempDir()
	w := &town{T: t, r: rand.New(rand.NewPCG(seed, 77)), clock: &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}, house: new(shelf), done: map[string]int{}}
	w.j = openJournal(t, filepath.Join(dir, "journal"), w.clock)
	removed := definition.File{Name: "late.yaml", Text: []byte("kind: segment\nname: late\nwhen: 'count(\"Product Removed\", \"5d\") > 1'\n")}
	w.sets = [][]byte{demoDocuments(t), demoDocuments(t, removed), demoDocuments(t, few), demoDocuments(t, few, removed)}
	for round := range uint64(6) {
		visitsUnder(t, w.j, w.clock, 1000*(seed+1)+round, 100+w.r.IntN(100), w.sets[w.now])
		w.append(cx.Entry{Kind: cx.EntryTick})
		w.live(filepath.Join(dir, "state.db"), filepath.Join(dir, "backfill"), 20, pipeline.Options{
			Workers: 1 + w.r.IntN(3), Passive: w.r.IntN(3) > 0, CheckpointEvery: time.Duration(1 + w.r.IntN(200_000_000)),
			RestAfter: time.Duration(1 + w.r.IntN(1_000_000)), CacheBytes: int64(1) << w.r.IntN(28),
		})
	}
	visitsUnder(t, w.j, w.clock, 1000*(seed+1)+900, 100, w.sets[w.now])
	afterwards(t, w.j, w.clock)
	t.Log(w.done)
	if w.done["merge"] < 10 || w.done["unmerge"] < 8 || w.done["fate"] < 20 || w.done["backfill"] < 1 {
		t.Fatalf("%v: too little to prove anything", w.done)
	}
	plain := new(shelf)
	machine := func(dir string, o pipeline.Options) pipeline.Options {
		o.History, o.Scratch = fromBeginning{w.j}, sqlite.Scratch{Dir: filepath.Join(dir, "backfill")}
		return o
	}
	compare := func(t *testing.T, want, got pipeline.Fingerprint, house *shelf) {
		t.Helper()
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("another state (-plain +this):\n%s", diff)
		}
		if diff := cmp.Diff(plain.decisions(), house.decisions()); diff != "" {
			t.Errorf("other decisions (-plain +this):\n%s", diff)
		}
		if diff := cmp.Diff(plain.moves(), house.moves()); diff != "" {
			t.Errorf("other memberships (-plain +this):\n%s", diff)
		}
		if diff := cmp.Diff(plain.events(), house.events()); diff != "" {
			t.Errorf("other events (-plain +this):\n%s", diff)
		}
		if diff := cmp.Diff(plain.fates(), house.fates()); diff != "" {
			t.Errorf("other fates (-plain +this):\n%s", diff)
		}
	}
	want := run(t, w.j, filepath.Join(dir, "plain.db"), plain, machine(t.TempDir(), pipeline.Options{Workers: 1, CheckpointEvery: time.Hour}))
	for name, o := range map[string]pipeline.Options{
		"two workers":              {Workers: 2, CheckpointEvery: time.Hour},
		"seven workers, many cuts": {Workers: 7, CheckpointEvery: 1},
		"hardly any memory":        {Workers: 2, CheckpointEvery: 1, CacheBytes: 1},
		"nobody stays awake":       {Workers: 2, CheckpointEvery: 1, RestAfter: time.Microsecond, CacheBytes: 10_000},
	} {
		t.Run(name, func(t *testing.T) {
			house, dir := new(shelf), t.TempDir()
			compare(t, want, run(t, w.j, filepath.Join(dir, "state.db"), house, machine(dir, o)), house)
		})
	}
	compare(t, want, run(t, w.j, filepath.Join(dir, "state.db"), w.house, machine(dir, pipeline.Options{Workers: 2})), w.house)
}

// few are segments that look at some statistics that the demo does not keep.
var few = definition.File{Name: "few.yaml", Text: []byte(`
kind: segment
name: busy
when: 'count("*", "3d") > 7'
---
kind: segment
name: spent
when: 'sum("Order Completed", "total", "all") >= 4000'
---
kind: segment
name: keen
when: 'distinct("Product Added", "product_id", "2h") > 2 && segment("busy")'
`)}

// events returns whose each event is.
func (s *shelf) events() map[cx.Position]cx.CustomerID {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[cx.Position]cx.CustomerID{}
	for _, e := range s.batch.Events {
		out[e.Position] = e.Customer
	}
	return out
}

// fates returns how each delivery ended.
func (s *shelf) fates() map[cx.SendKey]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[cx.SendKey]string{}
	for _, d := range s.batch.Deliveries {
		out[d.Key] += fmt.Sprintf("%v %s %v;", d.Position, d.Customer, d.State)
	}
	return out
}
