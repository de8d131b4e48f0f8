package pipeline_test

import (
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// eraseSome appends commands that erase some of the customers that events were of,
// some of them twice, and returns whom.
func eraseSome(t *testing.T, j log, r *rand.Rand, rows []pipeline.EventRow, n int) (ids []cx.CustomerID) {
	t.Helper()
	var entries []cx.Entry
	for range n {
		id := rows[r.IntN(len(rows))].Customer
		ids = append(ids, id)
		c := &cx.Command{Kind: cx.CommandErase, Workspace: "demo", Who: "k_test", Body: cx.AppendErase(nil, id)}
		for range 1 + r.IntN(2) {
			entries = append(entries, cx.Entry{Kind: cx.EntryCommand, Payload: cx.AppendCommand(nil, c)})
		}
	}
	if _, err := j.Append(t.Context(), entries, nil); err != nil {
		t.Fatal(err)
	}
	return ids
}

// Persons are erased while others come and go, and they themselves come back.
// Nothing of them is in any checkpoint afterwards, and machines that stop and go
// on agree with one that never did.
func TestErasedPersonsLeaveNothing(t *testing.T) {
	dir := t.TempDir()
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, filepath.Join(dir, "journal"), clock)
	r := rand.New(rand.NewPCG(7, 7))
	house := new(shelf)
	path := filepath.Join(dir, "state.db")
	gone := map[cx.CustomerID]bool{}
	for round := range uint64(5) {
		visits(t, j, clock, 70+round, 500)
		if round > 0 {
			for _, id := range eraseSome(t, j, r, house.batch.Events, 12) {
				gone[id] = true
			}
			visits(t, j, clock, 170+round, 200)
		}
		s, flush := open(t, j, path, house, pipeline.Options{Workers: 1 + int(round)%3, CheckpointEvery: time.Millisecond, RestAfter: time.Millisecond})
		flush()
		for _, row := range house.batch.Erased {
			for _, id := range row.Customers {
				gone[id] = true
			}
		}
		nothingOf(t, s, gone)
		s.state.Close()
	}
	if len(gone) < 30 {
		t.Fatalf("%d customers were erased: too few to prove anything", len(gone))
	}
	if !slices.ContainsFunc(house.batch.Erased, func(e pipeline.ErasedRow) bool { return len(e.Customers) > 1 }) {
		t.Error("nobody was erased who had been merged")
	}
	clock.pass(time.Second)
	plain := new(shelf)
	want, flush := open(t, j, filepath.Join(dir, "plain.db"), plain, pipeline.Options{Workers: 2, CheckpointEvery: time.Hour})
	flush()
	nothingOf(t, want, gone)
	for _, rows := range [][]pipeline.ErasedRow{plain.batch.Erased, house.batch.Erased} {
		slices.SortFunc(rows, func(a, b pipeline.ErasedRow) int { return int(a.Position - b.Position) })
	}
	if diff := cmp.Diff(plain.batch.Erased, house.batch.Erased); diff != "" {
		t.Errorf("others were erased (-plain +restarted):\n%s", diff)
	}
	a := fingerprint(t, want)
	want.state.Close()
	b := run(t, j, path, house, pipeline.Options{Workers: 3})
	a.Position = b.Position // ticks of flushing
	if diff := cmp.Diff(a, b); diff != "" {
		t.Errorf("another state:\n%s", diff)
	}
}

// An erasure says whom it made forgotten: also who was merged a moment before, and
// by which names all of them were known.
func TestErasureSaysWho(t *testing.T) {
	dir := t.TempDir()
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, filepath.Join(dir, "journal"), clock)
	s, stop := live(t, j, filepath.Join(dir, "state.db"), new(shelf), pipeline.Options{})
	defer stop()
	tv := cx.NewCustomerID(say(t, j, added("tv", 1), clock.now()))
	car := cx.NewCustomerID(say(t, j, added("car", 2), clock.now()))
	if _, err := s.Command(t.Context(), &cx.Command{Kind: cx.CommandMerge, Workspace: "demo", Body: cx.AppendPair(nil, tv, car)}); err != nil {
		t.Fatal(err)
	}
	done, err := s.Command(t.Context(), &cx.Command{Kind: cx.CommandErase, Workspace: "demo", Body: cx.AppendErase(nil, car)})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]cx.CustomerID{tv, car}, done.Forgotten); diff != "" {
		t.Errorf("forgotten (-want +got):\n%s", diff)
	}
	var names []string
	for _, n := range done.Names {
		names = append(names, n.Value)
	}
	slices.Sort(names)
	if diff := cmp.Diff([]string{"car", "tv"}, names); diff != "" {
		t.Errorf("names (-want +got):\n%s", diff)
	}
}

// nothingOf fails when a store has a row of somebody who is gone.
func nothingOf(t *testing.T, s *station, gone map[cx.CustomerID]bool) {
	t.Helper()
	found := func(what string, id cx.CustomerID) error {
		if gone[id] {
			t.Errorf("%s of erased %v is stored", what, id)
		}
		return nil
	}
	for _, err := range []error{
		s.state.EachCustomer(t.Context(), func(id cx.CustomerID, _ []byte) error { return found("the customer", id) }),
		s.state.EachIdentity(t.Context(), func(r pipeline.IdentityRow) error { return found("an identity", r.Customer) }),
		s.state.EachMerged(t.Context(), func(loser, winner cx.CustomerID) error {
			_ = found("a merge", loser)
			return found("a merge", winner)
		}),
		s.state.EachDelivery(t.Context(), 0, func(d cx.Delivery) error { return found("a delivery", d.Customer) }),
	} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for id := range gone {
		err := s.state.Merges(t.Context(), id, func(pipeline.MergeFact) error { return found("a kept merge", id) })
		if err != nil {
			t.Fatal(err)
		}
	}
}
