package duckdb

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// Of erased events the warehouse knows where they were and what they taught.
func TestErasedEventsKeepWhatTheyTaught(t *testing.T) {
	ctx := context.Background()
	w := open(t, Options{Path: filepath.Join(t.TempDir(), "warehouse.duckdb")})
	event := func(at cx.Position, who cx.CustomerID) pipeline.EventRow {
		return pipeline.EventRow{Position: at, At: 1, Customer: who, Event: &cx.Event{Workspace: "shop", Type: cx.Track, Name: cx.MessageShown}}
	}
	b := pipeline.Batch{
		Upto:   50,
		Events: []pipeline.EventRow{event(10, 1), event(11, 1), event(12, 1), event(13, 2)},
		Exposures: []pipeline.ExposureRow{
			{Position: 11, At: 1, Workspace: "shop", Customer: 1, Action: "bar", Fate: cx.Shown, Exposed: true},
			{Position: 12, At: 1, Workspace: "shop", Customer: 1, Action: "bar", Fate: cx.Clicked, Responded: true},
			{Position: 13, At: 1, Workspace: "shop", Customer: 2, Action: "bar", Fate: cx.Shown, Exposed: true},
		},
		Erased: []pipeline.ErasedRow{{Position: 40, At: 1, Workspace: "shop", Customers: []cx.CustomerID{1}}},
	}
	if err := w.Append(ctx, &b); err != nil {
		t.Fatal(err)
	}
	known := func(upto cx.Position) map[cx.Position]cx.Lesson {
		t.Helper()
		out := map[cx.Position]cx.Lesson{}
		err := w.EachErased(ctx, upto, func(at cx.Position, taught cx.Lesson, told bool) {
			out[at] = taught
			if !told {
				t.Errorf("what the event at %v taught is not told", at)
			}
		})
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	want := map[cx.Position]cx.Lesson{10: {}, 11: {Action: "bar", Exposed: true}, 12: {Action: "bar", Responded: true}}
	if diff := cmp.Diff(want, known(40)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if before := known(39); len(before) != 0 {
		t.Errorf("before the command %v were erased", before)
	}
	for at, want := range map[cx.Position]bool{9: false, 10: true, 13: true, 14: false} {
		if got, err := w.Stored(ctx, at); err != nil || got != want {
			t.Errorf("the event at %v was stored: %v, %v", at, got, err)
		}
	}
	if err := w.Blanked(ctx, 40); err != nil {
		t.Fatal(err)
	}
	if left := known(50); len(left) != 0 {
		t.Errorf("of a log that is clean %v are still known", left)
	}
}
