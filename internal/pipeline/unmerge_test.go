package pipeline_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// say appends one event and returns its position.
func say(t *testing.T, j log, ev cx.Event, now time.Time) cx.Position {
	t.Helper()
	ev.Workspace, ev.Key = "demo", "k_demo"
	if ev.KeyKind == 0 {
		ev.KeyKind = cx.BrowserKey
	}
	if ev.Type == 0 {
		ev.Type = cx.Track
	}
	ev.Time, ev.ReceivedAt, ev.Flags = cx.InstantOf(now), cx.InstantOf(now), ev.Flags|cx.TimeSet
	p, err := j.Append(t.Context(), []cx.Entry{{Kind: cx.EntryEvent, Payload: cx.AppendEvent(nil, &ev)}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// settled waits until the machine has taken an entry, and all before it is saved.
func settled(t *testing.T, s *pipeline.Shard, at cx.Position) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); s.Progress().Applied < at; time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the machine has not come to %v", at)
		}
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
}

func added(device string, n int) cx.Event {
	return cx.Event{
		Name: "Product Added", AnonymousID: device, MessageID: fmt.Sprint(device, n),
		Properties: fmt.Appendf(nil, `{"product_id":"p%d","price":%d,"quantity":1,"currency":"JPY"}`, n, 100*n),
	}
}

// Two people share a tablet: what each did before and after is each one's own
// again, and the next event of each goes to the right one.
func TestUnmergeRestoresBoth(t *testing.T) {
	dir := t.TempDir()
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, filepath.Join(dir, "journal"), clock)
	visits(t, j, clock, 6, 200)
	house := new(shelf)
	s, stop := live(t, j, filepath.Join(dir, "state.db"), house, pipeline.Options{})
	at := map[string]cx.CustomerID{}
	for i, device := range []string{"tv", "car", "tv", "car"} {
		p := say(t, j, added(device, i+1), clock.now())
		if at[device] == 0 {
			at[device] = cx.NewCustomerID(p)
		}
		clock.pass(time.Minute)
	}
	merge := &cx.Command{Kind: cx.CommandMerge, Workspace: "demo", Who: "k_admin", Why: "they told us", Body: cx.AppendPair(nil, at["car"], at["tv"])}
	did, err := s.Command(t.Context(), merge)
	if err != nil {
		t.Fatal(err)
	}
	say(t, j, added("car", 5), clock.now())
	say(t, j, added("tv", 6), clock.now())
	done, err := s.Unmerge(t.Context(), house, pipeline.ToUnmerge{Workspace: "demo", Customer: at["car"], Who: "k_admin", Why: "they were two", DryRun: true})
	if err != nil || len(done.Found.Parts) != 2 || done.Position != 0 {
		t.Fatalf("a dry run gives %+v, %v", done, err)
	}
	if got := s.Current(at["car"]); got != at["tv"] {
		t.Fatalf("a dry run changes the customer")
	}
	done, err = s.Unmerge(t.Context(), house, pipeline.ToUnmerge{Workspace: "demo", Customer: at["car"], Merge: did.Position, Who: "k_admin", Why: "they were two"})
	if err != nil {
		t.Fatal(err)
	}
	say(t, j, added("car", 7), clock.now())
	settled(t, s, say(t, j, added("tv", 8), clock.now()))
	for device, want := range map[string]int{"tv": 4, "car": 4} {
		events := uint32(0)
		err := s.Inspect(t.Context(), at[device], func(c *cx.Customer, _ *definition.Set, _ cx.Statistics, _ cx.Instant) {
			events = c.Session.Events
			if len(c.Identities) != 1 || c.Identities[0].Value != device {
				t.Errorf("%s has %v", device, c.Identities)
			}
		})
		if err != nil || int(events) != want {
			t.Errorf("%s has %d events (%v), want %d", device, events, err, want)
		}
		if owner := s.Lookup("demo", cx.Identity{Namespace: cx.AnonymousID, Value: device}); owner != at[device] {
			t.Errorf("%s belongs to %s, want %s", device, owner, at[device])
		}
		rows := 0
		house.mu.Lock()
		for _, e := range house.batch.Events {
			if e.Customer == at[device] {
				rows++
			}
		}
		house.mu.Unlock()
		if rows != want {
			t.Errorf("%s has %d rows, want %d", device, rows, want)
		}
	}
	facts, err := s.Merges(t.Context(), at["car"])
	if err != nil || len(facts) != 1 || facts[0].Undone != done.Position {
		t.Errorf("kept merges %+v, %v", facts, err)
	}
	if _, err := s.Unmerge(t.Context(), house, pipeline.ToUnmerge{Workspace: "demo", Customer: at["car"]}); cx.KindOf(err) != cx.NotFound {
		t.Errorf("un-merging again gives %v", err)
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

// A customer whom an un-merge left without any identity is the weaker one of
// every merge, after a restart too.
func TestNamelessAfterRestart(t *testing.T) {
	dir := t.TempDir()
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, filepath.Join(dir, "journal"), clock)
	house := new(shelf)
	s, stop := live(t, j, filepath.Join(dir, "state.db"), house, pipeline.Options{})
	at := map[string]cx.CustomerID{}
	for i, device := range []string{"tv", "car", "phone"} {
		at[device] = cx.NewCustomerID(say(t, j, added(device, i+1), clock.now()))
	}
	merge := func(a, b string) {
		t.Helper()
		if _, err := s.Command(t.Context(), &cx.Command{Kind: cx.CommandMerge, Workspace: "demo", Body: cx.AppendPair(nil, at[a], at[b])}); err != nil {
			t.Fatal(err)
		}
	}
	merge("tv", "car")
	say(t, j, cx.Event{Type: cx.Identify, Name: cx.Identified, AnonymousID: "tv", UserID: "taro", MessageID: "claim"}, clock.now())
	settled(t, s, say(t, j, cx.Event{
		Type: cx.Identify, Name: cx.Identified, KeyKind: cx.ServerKey, Flags: cx.Verified, AnonymousID: "car", UserID: "hanako", MessageID: "login",
	}, clock.now())) // the car goes to hanako
	if _, err := s.Unmerge(t.Context(), house, pipeline.ToUnmerge{Workspace: "demo", Customer: at["car"]}); err != nil {
		t.Fatal(err)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	s, stop = live(t, j, filepath.Join(dir, "state.db"), house, pipeline.Options{})
	merge("car", "phone")
	if got := s.Current(at["car"]); got != at["phone"] {
		t.Errorf("who has a phone is merged into who has nothing")
	}
	stop()
	want := run(t, j, filepath.Join(dir, "plain.db"), new(shelf), pipeline.Options{Workers: 1})
	got := run(t, j, filepath.Join(dir, "state.db"), house, pipeline.Options{Workers: 2})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("another state (-plain +recovered):\n%s", diff)
	}
}

// Whatever is merged and un-merged, and however often the machine is stopped in
// between, a machine that computes everything from the log ends in the same
// state, byte for byte.
func TestUnmergesReplay(t *testing.T) {
	dir := t.TempDir()
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, filepath.Join(dir, "journal"), clock)
	house := new(shelf)
	r := rand.New(rand.NewPCG(9, 9))
	undone, merged := 0, 0
	for round := range uint64(8) {
		visits(t, j, clock, 40+round, 150)
		s, stop := live(t, j, filepath.Join(dir, "state.db"), house, pipeline.Options{})
		if err := s.Flush(t.Context()); err != nil {
			t.Fatal(err)
		}
		for range 15 {
			house.mu.Lock()
			rows := house.batch.Events
			a, b := rows[r.IntN(len(rows))].Customer, rows[r.IntN(len(rows))].Customer
			house.mu.Unlock()
			if r.IntN(3) == 0 {
				_, err := s.Command(t.Context(), &cx.Command{Kind: cx.CommandMerge, Workspace: "demo", Body: cx.AppendPair(nil, a, b)})
				if err == nil {
					merged++
				} else if cx.KindOf(err) != cx.Conflict {
					t.Fatal(err)
				}
				continue
			}
			facts, err := s.Merges(t.Context(), a)
			if err != nil {
				t.Fatal(err)
			}
			facts = slices.DeleteFunc(facts, func(f pipeline.MergeFact) bool { return f.Undone != 0 })
			if len(facts) == 0 {
				continue
			}
			ev := added(fmt.Sprintf("device-%d-1", r.IntN(60)), undone+1)
			say(t, j, ev, clock.now())
			_, err = s.Unmerge(t.Context(), house, pipeline.ToUnmerge{Workspace: "demo", Customer: a, Merge: facts[r.IntN(len(facts))].Position})
			switch {
			case err == nil:
				undone++
				say(t, j, ev, clock.now())
			case cx.KindOf(err) != cx.Conflict && cx.KindOf(err) != cx.NotFound:
				t.Fatal(err)
			}
		}
		stop()
	}
	if undone < 10 || merged < 5 {
		t.Fatalf("%d merges, %d un-merges: too few to prove anything", merged, undone)
	}
	want := run(t, j, filepath.Join(dir, "plain.db"), new(shelf), pipeline.Options{Workers: 1, CheckpointEvery: time.Hour})
	for name, o := range map[string]pipeline.Options{
		"two workers":              {Workers: 2, CheckpointEvery: time.Hour},
		"seven workers, many cuts": {Workers: 7, CheckpointEvery: 1},
		"hardly any memory":        {Workers: 2, CheckpointEvery: 1, CacheBytes: 1},
		"nobody stays awake":       {Workers: 2, CheckpointEvery: 1, RestAfter: time.Microsecond, CacheBytes: 10_000},
	} {
		t.Run(name, func(t *testing.T) {
			got := run(t, j, filepath.Join(t.TempDir(), "state.db"), new(shelf), o)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("another state (-plain +this):\n%s", diff)
			}
		})
	}
	got := run(t, j, filepath.Join(dir, "state.db"), house, pipeline.Options{Workers: 2})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("another state (-plain +recovered):\n%s", diff)
	}
}
