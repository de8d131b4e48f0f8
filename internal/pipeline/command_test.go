package pipeline_test

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// live runs a shard that writes its own ticks until stop is called.
func live(t *testing.T, j log, statePath string, house pipeline.Warehouse, o pipeline.Options) (s *pipeline.Shard, stop func()) {
	t.Helper()
	state, err := sqlite.OpenState(t.Context(), sqlite.StateOptions{Path: statePath})
	if err != nil {
		t.Fatal(err)
	}
	if o.Journal == nil {
		o.Journal = j
	}
	o.Store, o.Warehouse, o.Workers = state, house, 2
	s, err = pipeline.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		state.Close()
	})
	t.Cleanup(stop)
	return s, stop
}

// A command has taken effect when Command returns, is refused by the machine and
// not by its state in memory, and does the same on every replay.
func TestOperatorMergesTwoCustomers(t *testing.T) {
	dir := t.TempDir()
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, filepath.Join(dir, "journal"), clock)
	visits(t, j, clock, 5, 400)
	at := map[string]cx.CustomerID{}
	for _, device := range []string{"tv", "car"} {
		ev := cx.Event{Workspace: "demo", Key: "k_demo", KeyKind: cx.BrowserKey, Type: cx.Page, Name: cx.PageViewed, MessageID: device, AnonymousID: device, ReceivedAt: cx.InstantOf(clock.now())}
		p, err := j.Append(t.Context(), []cx.Entry{{Kind: cx.EntryEvent, Payload: cx.AppendEvent(nil, &ev)}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		at[device] = cx.NewCustomerID(p)
	}
	house := new(shelf)
	s, stop := live(t, j, filepath.Join(dir, "state.db"), house, pipeline.Options{})
	merge := &cx.Command{Kind: cx.CommandMerge, Workspace: "demo", Who: "k_admin", Why: "they told us", Body: cx.AppendPair(nil, at["car"], at["tv"])}
	did, err := s.Command(t.Context(), merge)
	if err != nil {
		t.Fatal(err)
	}
	names := 0
	if err := s.Inspect(t.Context(), at["tv"], func(c *cx.Customer, _ *definition.Set, _ cx.Statistics, _ cx.Instant) { names = len(c.Identities) }); err != nil || names != 2 {
		t.Errorf("the older customer has %d identities (%v), want both devices", names, err)
	}
	if _, err := s.Command(t.Context(), merge); cx.KindOf(err) != cx.Conflict {
		t.Errorf("merging them again gives %v, want a conflict", err)
	}
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop()
	last := house.batch.Merges[len(house.batch.Merges)-1]
	want := pipeline.MergeRow{Position: did.Position, At: did.At, Workspace: "demo", Winner: at["tv"], Loser: at["car"], Reason: "operator"}
	if diff := cmp.Diff(want, last); diff != "" {
		t.Errorf("merge row (-want +got):\n%s", diff)
	}
	alone := run(t, j, filepath.Join(dir, "alone.db"), new(shelf), pipeline.Options{Workers: 1})
	again := run(t, j, filepath.Join(dir, "again.db"), new(shelf), pipeline.Options{Workers: 7, CheckpointEvery: 1, CacheBytes: 1})
	if diff := cmp.Diff(alone, again); diff != "" {
		t.Errorf("another state (-alone +again):\n%s", diff)
	}
}
