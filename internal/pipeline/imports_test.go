package pipeline_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// lines appends lines from to upto of an import job: orders of ten years ago.
func lines(t *testing.T, j *journal.Journal, w cx.Workspace, job string, from, upto uint64) {
	t.Helper()
	var entries []cx.Entry
	for n := from; n <= upto; n++ {
		ev := cx.Event{
			Workspace: w, Key: "k_server", KeyKind: cx.ServerKey, Type: cx.Track, Flags: cx.Historical | cx.TimeSet | cx.Verified,
			Name: cx.OrderCompleted, MessageID: string(cx.ImportMessage(nil, job, n)), UserID: fmt.Sprintf("user-%d", n%7),
			Time: cx.Instant(1_400_000_000+n) * cx.Second, ReceivedAt: 1_700_000_000 * cx.Second,
			Properties: fmt.Appendf(nil, `{"order_id":"old-%d","subtotal":100,"total":100,"currency":"JPY"}`, n),
		}
		entries = append(entries, cx.Entry{Kind: cx.EntryEvent, Payload: cx.AppendEvent(nil, &ev)})
	}
	if _, err := j.Append(t.Context(), append(entries, cx.Entry{Kind: cx.EntryTick}), nil); err != nil {
		t.Fatal(err)
	}
}

// A line counts once, however often and however late it is sent again, across
// restarts too; jobs and workspaces do not know each other's lines; and nobody
// is spoken to.
func TestLinesCountOnce(t *testing.T) {
	dir := t.TempDir()
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, filepath.Join(dir, "journal"), clock)
	visits(t, j, clock, 31, 300)
	restarted, state := new(shelf), filepath.Join(dir, "state.db")
	next := func() pipeline.Fingerprint {
		return run(t, j, state, restarted, pipeline.Options{Workers: 2, CheckpointEvery: 1})
	}
	lines(t, j, "demo", "a", 1, 500)
	next()
	lines(t, j, "demo", "a", 400, 600) // the end of a request that was not answered
	lines(t, j, "demo", "b", 1, 50)
	lines(t, j, "other", "a", 1, 20)
	next()
	clock.pass(72 * time.Hour)
	lines(t, j, "demo", "a", 1, 700) // everything, days later
	lines(t, j, "demo", "c", 1, 400)
	got := next()

	want := map[string]int{"demo a": 700, "demo b": 50, "other a": 20, "demo c": 400}
	counted, seen, imported := map[string]int{}, map[string]bool{}, map[cx.Position]bool{}
	for i := range restarted.batch.Events {
		r := &restarted.batch.Events[i]
		job, _, ok := r.Event.ImportLine()
		if !ok {
			continue
		}
		if id := string(r.Event.Workspace) + " " + r.Event.MessageID; seen[id] {
			t.Errorf("%s is stored twice", id)
		} else {
			seen[id] = true
		}
		counted[string(r.Event.Workspace)+" "+strings.Clone(job)]++
		imported[r.Position] = true
	}
	if diff := cmp.Diff(want, counted); diff != "" {
		t.Errorf("lines stored (-want +got):\n%s", diff)
	}
	if len(restarted.batch.Decisions) == 0 {
		t.Error("nobody was decided on at all: that proves nothing")
	}
	for i := range restarted.batch.Decisions {
		if at := restarted.batch.Decisions[i].Position; imported[at] {
			t.Errorf("the imported line at %v led to a decision", at)
		}
	}
	plain := new(shelf)
	alone := run(t, j, filepath.Join(dir, "plain.db"), plain, pipeline.Options{Workers: 1, CheckpointEvery: time.Hour})
	if diff := cmp.Diff(alone, got); diff != "" {
		t.Errorf("another state (-plain +restarted):\n%s", diff)
	}
}
