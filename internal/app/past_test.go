package app

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// TestPast drops the beginning of a log. What is asked for then counts since the
// oldest kept checkpoint; and what is computed again begins with the oldest
// checkpoint with which that can be known.
func TestPast(t *testing.T) {
	c, err := LoadConfig("", nil, map[string]string{"data": t.TempDir(), "listen": "127.0.0.1:0", "journal.reserve_mb": "0"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), c, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	machine, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.shard.Run(machine) }()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	messages := 0
	seen := func(n int) (who cx.CustomerID) {
		t.Helper()
		for range n {
			messages++
			ev := cx.Event{Workspace: "shop", Type: cx.Track, Name: "Seen", MessageID: fmt.Sprint(messages), AnonymousID: "a", ReceivedAt: now()}
			at, err := a.journal.Append(ctx, []cx.Entry{{Kind: cx.EntryEvent, Payload: cx.AppendEvent(nil, &ev)}}, nil)
			must(err)
			if who == 0 {
				who = cx.NewCustomerID(at)
			}
		}
		must(a.shard.Flush(ctx))
		return who
	}
	who := seen(5)
	must(a.archiveSealed(ctx, archive.Hurried))
	time.Sleep(2 * time.Millisecond) // so that log times differ
	dropped := now()
	seen(1)
	must(a.keepNow(ctx)) // 6 are before it
	first := a.archive.Checkpoints()[0]
	since := a.shard.Progress().CheckpointTime
	seen(3)
	must(a.keepNow(ctx))
	must(a.archiveSealed(ctx, archive.Hurried))
	_, err = a.release(ctx, 1<<40)
	must(err)
	if n, err := a.archive.Drop(dropped); n != 1 || err != nil {
		t.Fatalf("%d files were dropped, %v", n, err)
	}
	docs, problems := definition.Parse([]definition.File{{Name: "set.yaml", Text: []byte("kind: workspace\nname: shop\ntime_zone: Asia/Tokyo\ncurrency: JPY\n---\nkind: segment\nname: often\nwhen: count(\"Seen\", \"all\") > 3\n")}})
	if len(problems) > 0 {
		t.Fatal(problems)
	}
	if _, _, problems, err = a.shard.Publish(ctx, pipeline.Publication{Workspace: "shop"}, docs, pipeline.Review{}); err != nil || len(problems) > 0 {
		t.Fatal(err, problems)
	}
	for len(a.shard.Backfills()) > 0 {
		select {
		case <-ctx.Done():
			t.Fatal("the back-fill does not end")
		case <-time.After(5 * time.Millisecond):
		}
	}
	seen(2)
	must(a.shard.Inspect(ctx, who, func(c *cx.Customer, set *definition.Set, stats cx.Statistics, _ cx.Instant) {
		v := stats.Value(set.Statistics[0].Slot)
		if got := a.shard.Since("shop")[set.Statistics[0].Slot]; v.Float() != 5 || got != since || len(set.Segments.Names(c)) != 1 {
			t.Errorf("it is %v since %v, in %v; want 5 since %v, and often", v.Float(), got, set.Segments.Names(c), since)
		}
	}))
	must(a.keepNow(ctx))
	last := a.archive.Checkpoints()[2]
	stop()
	must(<-ended)
	begin := func(what string, want cx.Position) {
		t.Helper()
		r, err := Replay(t.Context(), c, t.Output())
		must(err)
		if !r.Same() || r.Origin != want {
			t.Errorf("%s: it begins with the checkpoint at %v, want %v, and the states are %v and %v", what, r.Origin, want, r.Recovered, r.Computed)
		}
	}
	must(a.Close())
	begin("all that was kept", first.Position)
	past, err := openArchive(c, a.log)
	must(err)
	must(past.Forget(first))
	begin("without what the back-fill began with", last.Position)
}
