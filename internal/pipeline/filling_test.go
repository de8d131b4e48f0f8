package pipeline_test

import (
	"context"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// eventually waits until it is so.
func eventually(t *testing.T, what string, is func() bool) {
	t.Helper()
	for deadline := time.Now().Add(2 * time.Minute); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within two minutes", what)
		}
	}
}

// held is a scratch that opens nothing before it is let go.
type held struct {
	sqlite.Scratch
	letGo chan struct{}
}

func (h held) Open(ctx context.Context, number uint64, begin func() (pipeline.Origin, error)) (pipeline.ScratchStore, error) {
	select {
	case <-h.letGo:
		return h.Scratch.Open(ctx, number, begin)
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// A running machine asks for what is new by itself, says how far it is, answers
// meanwhile, and is afterwards where a replay from the journal alone leads. What
// is asked for while the first back-fill runs is a second one.
func TestBackfillWhileEventsGoOn(t *testing.T) {
	dir := t.TempDir()
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, filepath.Join(dir, "journal"), clock)
	visits(t, j, clock, 5, 3000)
	house := new(shelf)
	scratch := sqlite.Scratch{Dir: filepath.Join(dir, "backfill")}
	letGo := make(chan struct{})
	s, stop := live(t, j, filepath.Join(dir, "state.db"), house, pipeline.Options{History: fromBeginning{j}, Scratch: held{scratch, letGo}, CheckpointEvery: 200 * time.Millisecond})
	last, _ := j.Last()
	eventually(t, "the history is taken", func() bool { return s.Progress().Applied.Sequence() >= last })

	publish := func(more ...definition.File) {
		t.Helper()
		docs, err := definition.ParseCanonical(curious(t, more...))
		if err != nil {
			t.Fatal(err)
		}
		if _, _, problems, err := s.Publish(t.Context(), pipeline.Publication{Workspace: "demo", Why: "curiosity"}, docs, pipeline.Review{}); err != nil || len(problems) > 0 {
			t.Fatal(err, problems)
		}
	}
	eventually(t, "some rows are stored", func() bool { return len(house.customers()) >= 200 })
	people := house.customers()[:200]
	unknown := func() (n int) {
		for _, id := range people {
			_ = s.Inspect(t.Context(), id, func(_ *cx.Customer, set *definition.Set, stats cx.Statistics, _ cx.Instant) {
				for _, spec := range set.Statistics {
					if stats.Value(spec.Slot).Kind == cx.Unknown {
						n++
					}
				}
			})
		}
		return n
	}
	publish()
	var going sync.WaitGroup
	going.Go(func() { visitsUnder(t, j, clock, 6, 2000, curious(t)) })
	if len(s.Backfills()) == 0 || unknown() == 0 {
		t.Error("the new statistics are known at once")
	}
	publish(definition.File{Name: "late.yaml", Text: []byte("kind: segment\nname: late\nwhen: 'count(\"Product Removed\", \"5d\") > 1'\n")})
	if b := s.Backfills(); len(b) != 2 || b[0].Percent != 0 || len(b[0].Statistics) < 50 || len(b[1].Statistics) != 1 {
		t.Errorf("the back-fills are %+v", b)
	}
	close(letGo)
	going.Wait()
	publish(definition.File{Name: "late.yaml", Text: []byte("kind: segment\nname: late\nwhen: 'count(\"Product Removed\", \"5d\") > 1'\n")})
	eventually(t, "all is filled and taken over", func() bool { return len(s.Backfills()) == 0 })
	if n := unknown(); n != 0 {
		t.Errorf("%d values are still unknown", n)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the scratch is gone", func() bool {
		left, err := scratch.Numbers()
		return err == nil && len(left) == 0
	})
	stop()
	plain := new(shelf)
	want := run(t, j, filepath.Join(dir, "plain.db"), plain, pipeline.Options{Workers: 1, History: fromBeginning{j}, Scratch: sqlite.Scratch{Dir: filepath.Join(dir, "plain")}})
	got := run(t, j, filepath.Join(dir, "state.db"), house, pipeline.Options{Workers: 3, History: fromBeginning{j}, Scratch: scratch})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("another state (-replayed +lived):\n%s", diff)
	}
	if diff := cmp.Diff(plain.moves(), house.moves()); diff != "" {
		t.Errorf("other memberships (-replayed +lived):\n%s", diff)
	}
	late := slices.ContainsFunc(house.batch.Moves, func(m pipeline.SegmentRow) bool { return m.Segment == "late" && m.ByTime })
	if !late {
		t.Error("nobody was found to be in the new segment")
	}
}

// earlier is a journal in which un-merges do not tell which events stayed, as
// they did not in an earlier version.
type earlier struct{ *journal.Journal }

func (j earlier) Append(ctx context.Context, entries []cx.Entry, tag any) (cx.Position, error) {
	entries = slices.Clone(entries)
	for i := range entries {
		if c, err := cx.DecodeCommand(entries[i].Payload); entries[i].Kind == cx.EntryCommand && err == nil && c.Kind == cx.CommandUnmerge {
			c.Body = pipeline.WithoutStayed(c.Body)
			entries[i].Payload = cx.AppendCommand(nil, &c)
		}
	}
	return j.Journal.Append(ctx, entries, tag)
}

// What is back-filled is known of people who were un-merged before and of those
// who are un-merged after. Where the un-merge is of an earlier version it cannot
// be told for them, and is unknown; for everybody else it is known.
func TestBackfillDoesNotGuessAboutTheUnmerged(t *testing.T) {
	for name, is := range map[string]struct{ early, told bool }{
		"un-merged before": {true, true}, "un-merged before by an earlier version": {true, false},
		"un-merged after": {false, true}, "un-merged after by an earlier version": {false, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
			j := openJournal(t, filepath.Join(dir, "journal"), clock)
			visits(t, j, clock, 6, 200)
			house := new(shelf)
			o := pipeline.Options{History: fromBeginning{j}, Scratch: sqlite.Scratch{Dir: filepath.Join(dir, "backfill")}}
			if o.Journal = j; !is.told {
				o.Journal = earlier{j}
			}
			s, stop := live(t, j, filepath.Join(dir, "state.db"), house, o)
			at := map[string]cx.CustomerID{}
			for i, device := range []string{"tv", "car", "radio", "tv", "car"} {
				p := say(t, j, added(device, i+1), clock.now())
				if at[device] == 0 {
					at[device] = cx.NewCustomerID(p)
				}
				clock.pass(time.Minute)
			}
			merged, err := s.Command(t.Context(), &cx.Command{Kind: cx.CommandMerge, Workspace: "demo", Body: cx.AppendPair(nil, at["car"], at["tv"])})
			if err != nil {
				t.Fatal(err)
			}
			unmerge := func() {
				t.Helper()
				_, err := s.Unmerge(t.Context(), house, pipeline.ToUnmerge{Workspace: "demo", Customer: at["car"], Merge: merged.Position, Who: "k_admin", Why: "they were two"})
				if err != nil {
					t.Fatal(err)
				}
			}
			if is.early {
				unmerge()
			}
			docs, err := definition.ParseCanonical(curious(t))
			if err != nil {
				t.Fatal(err)
			}
			if _, _, problems, err := s.Publish(t.Context(), pipeline.Publication{Workspace: "demo"}, docs, pipeline.Review{}); err != nil || len(problems) > 0 {
				t.Fatal(err, problems)
			}
			eventually(t, "all is filled and taken over", func() bool { return len(s.Backfills()) == 0 })
			if !is.early {
				unmerge()
			}
			say(t, j, added("car", 6), clock.now())
			if err := s.Flush(t.Context()); err != nil {
				t.Fatal(err)
			}
			for device, want := range map[string]int{"tv": 2, "car": 3, "radio": 1} {
				unknown, known, number := 0, 0, 0.0
				err := s.Inspect(t.Context(), at[device], func(c *cx.Customer, set *definition.Set, stats cx.Statistics, _ cx.Instant) {
					for _, spec := range set.Statistics {
						switch v := stats.Value(spec.Slot); {
						case v.Kind == cx.Unknown:
							unknown++
						case spec.Spec.String() == `count("Product Added", "all")`:
							number = v.Float()
						default:
							known++
						}
					}
				})
				if err != nil {
					t.Fatal(err)
				}
				if doubt := !is.told && device != "radio"; (unknown > 50) != doubt || known < 5 || !doubt && number != float64(want) {
					t.Errorf("%s: %d values are unknown and %d are known; it has added %v", device, unknown, known, number)
				}
			}
			stop()
			got := run(t, j, filepath.Join(dir, "state.db"), house, o)
			o.Scratch = sqlite.Scratch{Dir: filepath.Join(dir, "plain")}
			want := run(t, j, filepath.Join(dir, "plain.db"), new(shelf), o)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("another state (-replayed +lived):\n%s", diff)
			}
		})
	}
}
