package storetest

import (
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// merge returns a merge as it would be kept.
func merge(at cx.Position, winner, loser cx.CustomerID) *pipeline.MergeFact {
	f := &pipeline.MergeFact{
		Position: at, Index: 1, At: cx.Instant(at), Workspace: "demo",
		WinnerBefore: []byte("winner \x00"), LoserBefore: []byte("loser"),
	}
	f.Winner, f.Loser, f.Reason = winner, loser, "anonymous_id identify"
	f.Identity, f.Lead = cx.Identity{Namespace: cx.AnonymousID, Value: "端末"}, cx.Identity{Namespace: cx.UserID, Value: "u"}
	f.Named, f.Filled = [2]cx.CustomerID{1, 1 << 63}, at+1
	return f
}

func kept(t *testing.T, s pipeline.Store, id cx.CustomerID) []pipeline.MergeFact {
	t.Helper()
	var out []pipeline.MergeFact
	err := s.Merges(ctx, id, func(f pipeline.MergeFact) error {
		out = append(out, f)
		return nil
	})
	if err != nil {
		t.Fatalf("Merges: %v", err)
	}
	return out
}

func next(t *testing.T, s pipeline.Store, after pipeline.FactKey, n int) (out []pipeline.MergeFact) {
	t.Helper()
	err := s.NextMerges(ctx, after, n, func(f pipeline.MergeFact) error {
		out = append(out, f)
		return nil
	})
	if err != nil {
		t.Fatalf("NextMerges: %v", err)
	}
	return out
}

func family(t *testing.T, s pipeline.Store, id cx.CustomerID) map[cx.CustomerID]cx.CustomerID {
	t.Helper()
	out := map[cx.CustomerID]cx.CustomerID{}
	err := s.Family(ctx, id, func(loser, winner cx.CustomerID) error {
		out[loser] = winner
		return nil
	})
	if err != nil {
		t.Fatalf("Family: %v", err)
	}
	return out
}

func merges(t *testing.T, open func() pipeline.Store) {
	m := start(t, open())
	first, second, other := merge(10, 7, 8), merge(20, 9, 7), merge(20, 5, 4)
	m.commit(pipeline.Checkpoint{
		Merged: [][2]cx.CustomerID{{8, 7}, {7, 9}, {4, 5}},
		Merges: []pipeline.MergeChange{{Position: 10, Put: first}, {Position: 20, Put: second}, {Position: 20, Put: other}},
	})
	equal(t, "the merges of 7", kept(t, m, 7), []pipeline.MergeFact{*first, *second})
	equal(t, "the merges of 8", kept(t, m, 8), []pipeline.MergeFact{*first})
	equal(t, "the first two", next(t, m, pipeline.FactKey{}, 2), []pipeline.MergeFact{*first, *other})
	equal(t, "those behind them", next(t, m, other.Key(), 2), []pipeline.MergeFact{*second})
	equal(t, "those behind the last", len(next(t, m, second.Key(), 2)), 0)
	equal(t, "the family of 9", family(t, m, 9), map[cx.CustomerID]cx.CustomerID{8: 7, 7: 9})
	equal(t, "the family of 8", family(t, m, 8), map[cx.CustomerID]cx.CustomerID{})

	// An un-merge: the later merge was another one.
	again := merge(20, 9, 8)
	m.commit(pipeline.Checkpoint{
		Merged: [][2]cx.CustomerID{{7, 7}, {8, 9}},
		Merges: []pipeline.MergeChange{
			{Position: 30, Key: first.Key(), Undone: true},
			{Position: 30, Key: second.Key()},
			{Position: 30, Put: second},
			{Position: 31, Key: second.Key()},
			{Position: 31, Put: again},
		},
	})
	first.Undone = 30
	equal(t, "the merges of 7", kept(t, m, 7), []pipeline.MergeFact{*first})
	equal(t, "the merges of 9", kept(t, m, 9), []pipeline.MergeFact{*again})
	equal(t, "the family of 9", family(t, m, 9), map[cx.CustomerID]cx.CustomerID{8: 9})
	equal(t, "merged", allMerged(t, m), map[cx.CustomerID]cx.CustomerID{8: 9, 4: 5})

	// What is kept of a merge may change between two cuts.
	again.Filled, again.WinnerBefore = 99, []byte("filled")
	if err := m.Checkpoint(ctx, &pipeline.Checkpoint{
		Epoch: m.head.Epoch, Previous: m.head.Position, Position: m.head.Position, Time: m.head.Time, Shared: m.head.Shared,
		Merges: []pipeline.MergeChange{{Position: m.head.Position, Put: again}},
	}); err != nil {
		t.Fatal(err)
	}
	equal(t, "the merges of 9", kept(t, m, 9), []pipeline.MergeFact{*again})

	m.commit(pipeline.Checkpoint{MergeFloor: 20})
	equal(t, "the old merges of 8", kept(t, start(t, open()), 8), []pipeline.MergeFact{*again})
}

func sightings(t *testing.T, open func() pipeline.Store) {
	m := start(t, open())
	all := func(s pipeline.Store) map[string]pipeline.Sighting {
		out := map[string]pipeline.Sighting{}
		if err := s.EachSighting(ctx, func(x pipeline.Sighting) error {
			out[string(x.Workspace)+" "+x.Identity.Value] = x
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		return out
	}
	kiosk := pipeline.Sighting{Workspace: "demo", Identity: cx.Identity{Namespace: cx.AnonymousID, Value: "kiosk"}, Seen: []cx.CustomerID{1, 1 << 63}}
	office := pipeline.Sighting{Workspace: "demo", Identity: cx.Identity{Namespace: cx.Mail, Value: "info@x.jp"}, Seen: []cx.CustomerID{3}}
	m.commit(pipeline.Checkpoint{Sightings: []pipeline.Sighting{kiosk, office}})
	equal(t, "sightings", all(m), map[string]pipeline.Sighting{"demo kiosk": kiosk, "demo info@x.jp": office})

	kiosk.Seen, kiosk.Since, kiosk.Own, kiosk.Identity.Since = append(kiosk.Seen, 5), 77, 1<<63+9, 12
	office.Seen = nil
	m.commit(pipeline.Checkpoint{Sightings: []pipeline.Sighting{kiosk, office}})
	equal(t, "sightings", all(start(t, open())), map[string]pipeline.Sighting{"demo kiosk": kiosk})
}
