package pipeline_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/profile"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// trimmed is a journal of which nothing is kept before a kept checkpoint.
type trimmed struct {
	fromBeginning
	origin pipeline.Origin
}

func (j trimmed) Origin(_ context.Context, from uint64) (pipeline.Origin, error) {
	if from != 0 && from != j.origin.From {
		return pipeline.Origin{}, cx.E(cx.NotFound, "", fmt.Sprintf("nothing is kept from record %d on", from))
	}
	return j.origin, nil
}

// Follow fails the test's machine when it reads what is not there.
func (j trimmed) Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error {
	if from < j.origin.From {
		return cx.E(cx.NotFound, "", "read before what is kept")
	}
	return j.fromBeginning.Follow(ctx, from, fn)
}

// keep runs a machine over the journal so far and returns what a kept checkpoint
// at its last tick would be.
func keep(t *testing.T, j *journal.Journal, dir string) (o pipeline.Origin, path string) {
	t.Helper()
	at, err := j.Append(t.Context(), []cx.Entry{{Kind: cx.EntryTick}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	path = filepath.Join(dir, "kept.db")
	scratch := sqlite.Scratch{Dir: filepath.Join(dir, "kept.backfill")}
	run(t, j, path, new(shelf), pipeline.Options{Workers: 2, CheckpointEvery: time.Hour, CutAt: at, History: fromBeginning{j}, Scratch: scratch})
	if saved(t, path) != at {
		t.Fatalf("the checkpoint is at %v and not at %v", saved(t, path), at)
	}
	_, since := j.Last()
	return pipeline.Origin{From: at.Sequence(), Since: since, Restore: func(to string) error { return copyState(t, path, to) }}, path
}

func copyState(t *testing.T, from, to string) error {
	t.Helper()
	state, err := sqlite.OpenState(t.Context(), sqlite.StateOptions{Path: from})
	if err != nil {
		return err
	}
	defer state.Close()
	_, _, err = state.Copy(t.Context(), to)
	return err
}

// forget takes from every customer of a state what has been folded into
// statistics that a set does not ask for.
func forget(t *testing.T, path string, kept *definition.Set) {
	t.Helper()
	state, err := sqlite.OpenState(t.Context(), sqlite.StateOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	var specs []profile.SlotSpec
	for _, s := range kept.Statistics {
		specs = append(specs, profile.SlotSpec{Slot: s.Slot, Spec: s.Spec})
	}
	plan, folder := profile.NewPlan(profile.Settings{}, specs), new(profile.Folder)
	r, err := state.Recover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	c := &pipeline.Checkpoint{Epoch: r.Epoch, Previous: r.Position, Position: r.Position, Time: r.Time, Shared: r.Shared}
	dropped := 0
	err = state.EachCustomer(t.Context(), func(id cx.CustomerID, blob []byte) error {
		who, err := profile.DecodeCustomer(blob)
		if err != nil {
			return err
		}
		row := pipeline.CustomerRow{ID: id, Workspace: who.Workspace}
		if len(who.Timers) > 0 {
			row.Due = who.Timers[0].Due
		}
		before := len(who.Stats)
		folder.Drop(plan, who)
		if dropped += before - len(who.Stats); who.Workspace == "demo" {
			row.Blob = profile.AppendCustomer(nil, who)
			c.Customers = append(c.Customers, row)
		}
		return nil
	})
	if err == nil && dropped == 0 {
		t.Fatal("there was nothing to forget")
	}
	if err == nil {
		err = state.Checkpoint(t.Context(), c)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// setOf builds a set as a machine does that has seen nothing before it.
func setOf(t *testing.T, canonical []byte) *definition.Set {
	t.Helper()
	docs, err := definition.ParseCanonical(canonical)
	if err != nil {
		t.Fatal(err)
	}
	set, problems := definition.Build(docs, new(definition.Registry), 1)
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	return set
}

// stranger is an event of another workspace.
func stranger(t *testing.T, j *journal.Journal, device string, at time.Time) {
	t.Helper()
	ev := cx.Event{Workspace: "other", Key: "k_other", KeyKind: cx.BrowserKey, Type: cx.Page, Name: cx.PageViewed, MessageID: device, AnonymousID: device, ReceivedAt: cx.InstantOf(at)}
	if _, err := j.Append(t.Context(), []cx.Entry{{Kind: cx.EntryEvent, Payload: cx.AppendEvent(nil, &ev)}}, nil); err != nil {
		t.Fatal(err)
	}
}

// Where the beginning of the log is gone, a statistic that was asked for late is,
// byte for byte, what it would be if it had been kept from the oldest kept
// checkpoint on.
func TestBackfillFromAKeptCheckpoint(t *testing.T) {
	for seed := range uint64(4) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			// journalOf writes the tale of one journal, and keeps a checkpoint in its midst.
			journalOf := func(dir string, before, behind []byte) (j *journal.Journal, kept pipeline.Origin, path string) {
				clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
				j = openJournal(t, filepath.Join(dir, "journal"), clock)
				visitsUnder(t, j, clock, 100*seed+3, 0, demoDocuments(t))
				visitsUnder(t, j, clock, 100*seed, 500, before)
				stranger(t, j, "abroad", clock.now())
				kept, path = keep(t, j, dir)
				visitsUnder(t, j, clock, 100*seed+1, 300, behind)
				stranger(t, j, "abroad", clock.now())
				visitsUnder(t, j, clock, 100*seed+4, 200, curious(t))
				if _, err := j.Append(t.Context(), []cx.Entry{backfilledFrom(cx.Backfill{Number: 1, From: kept.From, Since: kept.Since})}, nil); err != nil {
					t.Fatal(err)
				}
				visitsUnder(t, j, clock, 100*seed+2, 200, curious(t))
				afterwards(t, j, clock)
				return j, kept, path
			}
			lateDir, earlyDir := t.TempDir(), t.TempDir()
			before := demoDocuments(t)
			if seed%2 == 1 {
				before = curious(t) // what is asked for is given up, and comes back
			}
			late, kept, path := journalOf(lateDir, before, demoDocuments(t))
			early, _, begun := journalOf(earlyDir, curious(t), curious(t))

			end := t.TempDir()
			if err := copyState(t, begun, filepath.Join(end, "state.db")); err != nil {
				t.Fatal(err)
			}
			forget(t, filepath.Join(end, "state.db"), setOf(t, demoDocuments(t)))
			want, _ := people(t, early, end, &shelf{upto: saved(t, begun)}, pipeline.Options{Workers: 2}, nil)

			o := pipeline.Options{Workers: 2, History: trimmed{fromBeginning{late}, kept}}
			whole := t.TempDir()
			got, sum := people(t, late, whole, new(shelf), o, nil)
			if len(want) < 30 {
				t.Fatalf("only %d customers", len(want))
			}
			for id := range got { // people who were not seen since are not in the rows of the other
				if _, ok := want[id]; !ok {
					delete(got, id)
					continue
				}
				c := got[id]
				if len(c.Segments) == 0 && len(want[id].Segments) == 0 {
					c.Segments = want[id].Segments
				}
				if c.Workspace == "demo" && c.Filled != 1 {
					t.Errorf("customer %s has taken over up to back-fill %d", id, c.Filled)
				}
				c.Filled = 0
				got[id] = c
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("customers (-kept from the checkpoint on +back-filled):\n%s", diff)
			}

			// Whoever computes it again, from whatever is kept, comes to the same.
			last, _ := late.Last()
			r := []cx.Position{cx.At(kept.From+5, 0), cx.At(kept.From+70, 0), cx.At(last-45, 0), cx.At(last-35, 0)}
			for name, stops := range map[string][]cx.Position{"again": nil, "stopped": r} {
				if _, again := people(t, late, t.TempDir(), new(shelf), pipeline.Options{Workers: 3, CheckpointEvery: 1, History: o.History}, stops); again != sum {
					t.Errorf("%s: the state is %v, want %v", name, again, sum)
				}
			}
			from := t.TempDir()
			if err := copyState(t, path, filepath.Join(from, "state.db")); err != nil {
				t.Fatal(err)
			}
			if _, again := people(t, late, from, &shelf{upto: saved(t, path)}, pipeline.Options{Workers: 3, History: o.History}, nil); again != sum {
				t.Errorf("from the kept checkpoint: the state is %v, want %v", again, sum)
			}
			if left, _ := os.ReadDir(filepath.Join(from, "backfill")); len(left) > 1 {
				t.Errorf("%v are left", left)
			}
		})
	}
}

// What is asked for anew counts since the oldest kept checkpoint, where the
// beginning of the log is gone, says so for good, becomes known, and is closed.
func TestBackfillWithoutABeginning(t *testing.T) {
	dir := t.TempDir()
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, filepath.Join(dir, "journal"), clock)
	visits(t, j, clock, 5, 500)
	at := cx.NewCustomerID(say(t, j, added("tv", 1), clock.now()))
	clock.pass(time.Minute)
	kept, path := keep(t, j, dir)
	clock.pass(time.Minute)
	say(t, j, added("tv", 2), clock.now())
	house := &shelf{upto: saved(t, path)}
	if err := copyState(t, path, filepath.Join(dir, "state.db")); err != nil {
		t.Fatal(err)
	}
	o := pipeline.Options{History: trimmed{fromBeginning{j}, kept}, Scratch: sqlite.Scratch{Dir: filepath.Join(dir, "backfill")}}
	s, stop := live(t, j, filepath.Join(dir, "state.db"), house, o)
	publish := func(canonical []byte) {
		t.Helper()
		docs, err := definition.ParseCanonical(canonical)
		if err != nil {
			t.Fatal(err)
		}
		clock.pass(time.Minute)
		if _, _, problems, err := s.Publish(t.Context(), pipeline.Publication{Workspace: "demo"}, docs, pipeline.Review{}); err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
	}
	publish(curious(t))
	eventually(t, "all is known and everybody judged", func() bool { return len(s.Backfills()) == 0 })
	say(t, j, added("tv", 3), clock.now())
	publish(curious(t, definition.File{Name: "more.yaml", Text: []byte("kind: segment\nname: more\nwhen: 'count(\"*\", \"session\") > 9'\n")}))
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	before := map[string]bool{}
	for _, spec := range setOf(t, demoDocuments(t)).Statistics {
		before[spec.Spec.String()] = true
	}
	err := s.Inspect(t.Context(), at, func(c *cx.Customer, set *definition.Set, stats cx.Statistics, _ cx.Instant) {
		since := s.Since("demo")
		for _, spec := range set.Statistics {
			name, v := spec.Spec.String(), stats.Value(spec.Slot)
			if want := map[bool]cx.Instant{false: kept.Since}[before[name]]; v.Kind == cx.Unknown || since[spec.Slot] != want {
				t.Errorf("%s is %v since %v, want since %v", name, v, since[spec.Slot], want)
			}
			if name == `count("Product Added", "all")` && v.Float() != 2 {
				t.Errorf("%s is %v, want 2", name, v.Float())
			}
		}
		if slices.Contains(set.Segments.Names(c), "added-0") {
			t.Error("two are more than two")
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	stop()
	got := run(t, j, filepath.Join(dir, "state.db"), house, o)
	again := filepath.Join(dir, "again.db")
	if err := copyState(t, path, again); err != nil { // the kept one stays as it is
		t.Fatal(err)
	}
	want := run(t, j, again, &shelf{upto: house.upto}, o)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("another state (-replayed +lived):\n%s", diff)
	}
}
