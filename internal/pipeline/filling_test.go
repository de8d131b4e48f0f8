package pipeline_test

import (
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
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
	s, stop := live(t, j, filepath.Join(dir, "state.db"), house, pipeline.Options{History: fromBeginning{j}, Scratch: scratch, CheckpointEvery: 200 * time.Millisecond})
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
	var people []cx.CustomerID
	for _, e := range house.batch.Events[:200] {
		people = append(people, e.Customer)
	}
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
	if b := s.Backfills(); len(b) != 2 || b[0].Percent() > 99 || len(b[0].Statistics) < 50 || len(b[1].Statistics) != 1 {
		t.Errorf("the back-fills are %+v", b)
	}
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
