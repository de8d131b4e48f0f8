package pipeline_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/profile"
)

// Messages are known again although there were more than stay in memory: after
// their customer was merged into another, after that was undone, and after a
// restart, whether a checkpoint came in between or not.
func TestMergesKeepSpilledMarks(t *testing.T) {
	for _, saved := range []bool{true, false} {
		t.Run(fmt.Sprintf("saved in between: %v", saved), func(t *testing.T) {
			dir, clock := t.TempDir(), &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
			j, house := newPaper(clock), new(shelf)
			o := pipeline.Options{Passive: true}
			s, stop := live(t, j, filepath.Join(dir, "state.db"), house, o)
			save := func() {
				t.Helper()
				if !saved {
					return
				}
				if err := s.Flush(t.Context()); err != nil {
					t.Fatal(err)
				}
				stop()
				s, stop = live(t, j, filepath.Join(dir, "state.db"), house, o)
			}
			duplicates := func(device string, n int) (known int) {
				t.Helper()
				last, _ := j.Last()
				settled(t, s, cx.At(last, 0))
				before := house.rows()
				var at cx.Position
				for i := range n {
					at = say(t, j, added(device, i), clock.now())
				}
				settled(t, s, at)
				return n - (house.rows() - before)
			}
			const many = profile.SeenMax + 2*profile.SpillBatch
			at := map[string]cx.CustomerID{}
			for _, device := range []string{"tv", "car", "phone"} {
				at[device] = cx.NewCustomerID(say(t, j, added(device, many), clock.now()))
			}
			for _, device := range []string{"car", "phone"} {
				if n := duplicates(device, many); n != 0 {
					t.Fatalf("%d of %d new messages are taken for old", n, many)
				}
			}
			save()
			merge := func(a, b string) cx.Position {
				t.Helper()
				did, err := s.Command(t.Context(), &cx.Command{Kind: cx.CommandMerge, Workspace: "demo", Body: cx.AppendPair(nil, at[a], at[b])})
				if err != nil {
					t.Fatal(err)
				}
				return did.Position
			}
			first := merge("car", "tv")
			say(t, j, added("car", 2*many), clock.now()) // of the merged one
			save()
			merge("phone", "car") // in truth the phone is of whoever has the car
			known := func(when string) {
				t.Helper()
				save()
				for _, device := range []string{"car", "phone"} {
					if n := duplicates(device, many); n != many {
						t.Errorf("%s %d of the %d messages of the %s are not known again", when, many-n, many, device)
					}
				}
			}
			known("merged")
			known("merged, after another checkpoint")
			if _, err := s.Unmerge(t.Context(), house, pipeline.ToUnmerge{Workspace: "demo", Customer: at["car"], Merge: first}); err != nil {
				t.Fatal(err)
			}
			if s.Current(at["phone"]) != at["car"] || s.Current(at["car"]) == s.Current(at["tv"]) {
				t.Fatal("the phone does not go with the car")
			}
			known("un-merged")
			stop()
			want := run(t, j, filepath.Join(dir, "plain.db"), new(shelf), pipeline.Options{Workers: 1})
			got := run(t, j, filepath.Join(dir, "state.db"), house, pipeline.Options{Workers: 3})
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("another state (-plain +recovered):\n%s", diff)
			}
		})
	}
}

// rows returns how many events were folded.
func (s *shelf) rows() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.batch.Events)
}
