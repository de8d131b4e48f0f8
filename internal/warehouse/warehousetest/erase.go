package warehousetest

import (
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// erased has rows of three customers, of whom two are one person, in batches
// before the erasure and in its own.
func erased(t *testing.T, open func() Warehouse) {
	w := open()
	appendTo(t, w, pipeline.Batch{Upto: at(3, 0), Events: []pipeline.EventRow{
		event(at(1, 0), "demo", 1, day0, "A", `{}`), event(at(1, 1), "demo", 2, day0, "B", `{}`), event(at(2, 0), "demo", 3, day0, "C", `{}`),
	}, Decisions: []pipeline.DecisionRow{{ID: cx.NewDecisionID(at(1, 0)), Position: at(1, 0), At: day0, Workspace: "demo", Customer: 1}}})
	appendTo(t, w, pipeline.Batch{
		Upto:       at(9, 0),
		Events:     []pipeline.EventRow{event(at(4, 0), "demo", 1, day0, "D", `{}`), event(at(8, 0), "demo", 4, day0, "E", `{}`)},
		Exposures:  []pipeline.ExposureRow{{Position: at(4, 1), At: day0, Workspace: "demo", Customer: 1, Fate: cx.Shown}},
		Moves:      []pipeline.SegmentRow{{Position: at(4, 0), At: day0, Workspace: "demo", Customer: 2, Segment: "s", Entered: true}},
		Merges:     []pipeline.MergeRow{{Position: at(5, 0), At: day0, Workspace: "demo", Winner: 1, Loser: 2}},
		Deliveries: []pipeline.DeliveryRow{{Position: at(6, 0), At: day0, Fate: cx.Fate{Workspace: "demo", Customer: 1, State: cx.DeliverySent}}},
		Erased:     []pipeline.ErasedRow{{Position: at(7, 0), At: day0, Workspace: "demo", Customers: []cx.CustomerID{1, 2}}},
	})
	check := func() {
		t.Helper()
		equal(t, "events", ask(t, w, "demo", "select name from events order by position"), `[["C"],["E"]]`)
		for _, table := range []string{"decisions", "exposures", "segment_moves", "merges", "deliveries"} {
			equal(t, table, ask(t, w, "demo", "select count(*) from "+table), "[[0]]")
		}
		position(t, w, at(9, 0))
	}
	check()
	again := pipeline.Batch{Upto: at(9, 0), Erased: []pipeline.ErasedRow{{Position: at(7, 0), At: day0, Workspace: "demo", Customers: []cx.CustomerID{3}}}}
	kind(t, "an erasure again", w.Append(ctx, &again), cx.Conflict)
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	w = open()
	check()
}
