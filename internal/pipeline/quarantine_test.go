package pipeline_test

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// A kiosk that many people log in on links nobody any more, and what it had
// linked is undone; every replay does the same.
func TestQuarantineUndoesLinks(t *testing.T) {
	dir := t.TempDir()
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, filepath.Join(dir, "journal"), clock)
	visits(t, j, clock, 8, 100)
	house := new(shelf)
	s, stop := live(t, j, filepath.Join(dir, "state.db"), house, pipeline.Options{})
	n, last := 100, cx.Position(0)
	call := func(device, user string) cx.Position {
		n++
		ev := added(device, n)
		ev.MessageID = fmt.Sprint("q", n)
		if user != "" {
			ev.UserID, ev.KeyKind, ev.Flags = user, cx.ServerKey, cx.Verified
		}
		clock.pass(time.Minute)
		last = say(t, j, ev, clock.now())
		return last
	}
	events := func(id cx.CustomerID) (n uint32) {
		t.Helper()
		if err := s.Inspect(t.Context(), id, func(c *cx.Customer, _ *definition.Set, _ cx.Statistics, _ cx.Instant) { n = c.Session.Events }); err != nil {
			t.Fatal(err)
		}
		return n
	}
	first := cx.NewCustomerID(call("", "q0"))
	visitor := cx.NewCustomerID(call("kiosk", ""))
	call("kiosk", "q0") // merges the visitor into the first user
	call("kiosk", "")
	for i := range 4 {
		call("kiosk", fmt.Sprint("q", i+1))
	}
	settled(t, s, last)
	if s.Quarantines() != 0 || s.Current(visitor) != first {
		t.Fatal("five users are not too many")
	}
	stop() // what was seen so far is in the checkpoint
	s, stop = live(t, j, filepath.Join(dir, "state.db"), house, pipeline.Options{})
	call("kiosk", "q5")
	settled(t, s, last)
	all := s.Quarantined("demo")
	if len(all) != 1 || s.Quarantines() != 1 || len(s.Quarantined("other")) != 0 {
		t.Fatalf("in quarantine: %+v", all)
	}
	undone, err := s.UndoLinks(t.Context(), house, all[0])
	if err != nil || undone != 1 {
		t.Fatalf("%d merges are undone, %v", undone, err)
	}
	if again, err := s.UndoLinks(t.Context(), house, all[0]); err != nil || again != 0 {
		t.Errorf("undoing again undoes %d, %v", again, err)
	}
	call("kiosk", "")
	call("kiosk", "q0")
	settled(t, s, last)
	if a, b := events(first), events(visitor); a != 3 || b != 2 || s.Current(visitor) != visitor {
		t.Errorf("the first user has %d events and the visitor %d, want 3 and 2", a, b)
	}
	if got := events(all[0].Own); got != 1 {
		t.Errorf("the kiosk has %d events of its own", got)
	}
	house.mu.Lock()
	merges := house.batch.Merges
	house.mu.Unlock()
	if m := merges[len(merges)-1]; m.Undoes == 0 || m.Reason != "quarantine of anonymous_id kiosk" {
		t.Errorf("the last merge row is %+v", m)
	}
	stop()
	alone := run(t, j, filepath.Join(dir, "alone.db"), new(shelf), pipeline.Options{Workers: 1})
	again := run(t, j, filepath.Join(dir, "again.db"), new(shelf), pipeline.Options{Workers: 7, CheckpointEvery: 1, CacheBytes: 1})
	if diff := cmp.Diff(alone, again); diff != "" {
		t.Errorf("another state (-alone +again):\n%s", diff)
	}
	recovered := run(t, j, filepath.Join(dir, "state.db"), house, pipeline.Options{Workers: 2})
	if diff := cmp.Diff(alone, recovered); diff != "" {
		t.Errorf("another state (-alone +recovered):\n%s", diff)
	}
}
