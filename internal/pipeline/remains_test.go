package pipeline_test

import (
	"bytes"
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/kikubari/kikubari/internal/blank"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/profile"
)

// blanked is a journal in which the entries of erased persons have been blanked.
type blanked struct {
	*journal.Journal
	change map[cx.Position]cx.Entry
}

func (b *blanked) Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error {
	return b.Journal.Follow(ctx, from, func(r *journal.Record) error {
		other := *r
		other.Entries = slices.Clone(r.Entries)
		for i := range other.Entries {
			if e, ok := b.change[cx.At(r.Sequence, i)]; ok {
				other.Entries[i] = e
			}
		}
		return fn(&other)
	})
}

// blankOut blanks what a journal holds of everybody who was erased in it, once
// the machine has put out the rows in house.
func blankOut(t *testing.T, j *journal.Journal, house *shelf) (b *blanked, lessons int) {
	t.Helper()
	gone := map[cx.CustomerID]bool{}
	for _, e := range house.batch.Erased {
		for _, id := range e.Customers {
			gone[id] = true
		}
	}
	erased, stored := map[cx.Position]cx.Lesson{}, map[cx.Position]bool{}
	for _, e := range house.batch.Events {
		if gone[e.Customer] {
			erased[e.Position] = cx.Lesson{}
		} else {
			stored[e.Position] = true
		}
	}
	for _, x := range house.batch.Exposures {
		if _, ok := erased[x.Position]; ok && (x.Exposed || x.Responded) {
			erased[x.Position] = cx.Lesson{Action: x.Action, Exposed: x.Exposed, Responded: x.Responded}
			lessons++
		}
	}
	each := func(do func(cx.Position, cx.Entry) error) {
		err := j.Read(t.Context(), 0, 0, func(r *journal.Record) error {
			for i, e := range r.Entries {
				if err := do(cx.At(r.Sequence, i), e); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	unmerges := pipeline.Unmerges{Erased: func(id cx.CustomerID) bool { return gone[id] }}
	s := blank.NewSurvey(erased, unmerges, func(at cx.Position) (bool, error) { return stored[at], nil })
	each(s.Learn)
	each(s.Look)
	given := 0
	tokens := s.End(func() string { given++; return fmt.Sprint("token-", given) })
	blanking := blank.New(erased, unmerges, tokens)
	b = &blanked{j, map[cx.Position]cx.Entry{}}
	each(func(at cx.Position, e cx.Entry) error {
		e, changed, err := blanking.Change(at, e)
		for n := range tokens {
			if e.Kind == cx.EntryCommand && bytes.Contains(e.Payload, cx.AppendBytes(nil, n.Value)) {
				t.Errorf("the command at %v still has %q", at, n.Value)
			}
		}
		if changed {
			b.change[at] = cx.Entry{Kind: e.Kind, Payload: slices.Clone(e.Payload)}
		}
		return err
	})
	return b, lessons
}

// unmergeSome undoes merges of people who have rows in house.
func unmergeSome(t *testing.T, s *pipeline.Shard, r *rand.Rand, house *shelf, n int) (undone int) {
	t.Helper()
	if err := s.Flush(t.Context()); err != nil {
		t.Fatal(err)
	}
	for range n {
		house.mu.Lock()
		who := house.batch.Events[r.IntN(len(house.batch.Events))].Customer
		house.mu.Unlock()
		facts, err := s.Merges(t.Context(), who)
		if err != nil {
			t.Fatal(err)
		}
		facts = slices.DeleteFunc(facts, func(f pipeline.MergeFact) bool { return f.Undone != 0 })
		if len(facts) == 0 {
			continue
		}
		_, err = s.Unmerge(t.Context(), house, pipeline.ToUnmerge{Workspace: "demo", Customer: who, Merge: facts[r.IntN(len(facts))].Position})
		switch kind := cx.KindOf(err); {
		case err == nil:
			undone++
		case kind != cx.Conflict && kind != cx.NotFound:
			t.Fatal(err)
		}
	}
	return undone
}

// crowd appends events of people who share tablets and devices, log in vouched
// for and not, are joined by alias calls, tell mail addresses and send messages
// again; and lines of an import.
func crowd(t *testing.T, j *journal.Journal, clock *wall, seed uint64, n int) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 3))
	var entries []cx.Entry
	var last cx.Event
	line := uint64(0)
	for i := range n {
		clock.pass(time.Second)
		now := cx.InstantOf(clock.now())
		who := r.IntN(40)
		ev := cx.Event{
			Workspace: "demo", Key: "k_demo", KeyKind: cx.BrowserKey, Type: cx.Track, Name: "Product Viewed",
			MessageID: fmt.Sprintf("crowd-%d-%d", seed, i), AnonymousID: fmt.Sprintf("own-%d-%d", who, r.IntN(2)), Time: now, ReceivedAt: now,
			Properties: []byte(`{"product_id":"p1","price":10,"currency":"JPY"}`),
		}
		switch r.IntN(9) {
		case 0:
			ev.AnonymousID = fmt.Sprintf("tablet-%d", r.IntN(8))
		case 1:
			ev.AnonymousID, ev.UserID = fmt.Sprintf("tablet-%d", r.IntN(8)), fmt.Sprintf("u-%d", who)
		case 2:
			ev.UserID = fmt.Sprintf("u-%d", who)
		case 3, 4:
			ev.UserID, ev.KeyKind, ev.Flags, ev.Type, ev.Name = fmt.Sprintf("u-%d", who), cx.ServerKey, cx.Verified, cx.Identify, cx.Identified
			ev.Properties = fmt.Appendf(nil, `{"email":" Office%d@Example.com","line_user_id":"L%d","phone":"+8190000000%02d"}`, who/3, who/2, who)
		case 5:
			ev.Type, ev.Name, ev.UserID, ev.PreviousID = cx.Alias, cx.Aliased, fmt.Sprintf("u-%d", who), fmt.Sprintf("own-%d-0", who)
		case 6:
			ev.Type, ev.Name, ev.UserID, ev.PreviousID = cx.Alias, cx.Aliased, fmt.Sprintf("u-%d", who), fmt.Sprintf("u-%d", 100+r.IntN(20))
			ev.KeyKind, ev.Flags = cx.ServerKey, cx.Verified
		case 7:
			line++
			ev.MessageID, ev.Flags, ev.KeyKind = string(cx.ImportMessage(nil, fmt.Sprint("old-", seed), line-line/7%2)), cx.Historical|cx.Verified, cx.ServerKey
			ev.UserID, ev.AnonymousID = fmt.Sprintf("u-%d", who), ""
		case 8:
			if last.MessageID != "" {
				ev = last
			}
			if r.IntN(3) == 0 {
				ev.AnonymousID = fmt.Sprintf("again-%d", who)
			}
		}
		last = ev
		entries = append(entries, cx.Entry{Kind: cx.EntryEvent, Payload: cx.AppendEvent(nil, &ev)})
		if r.IntN(10) == 0 {
			if _, err := j.Append(t.Context(), append(entries, cx.Entry{Kind: cx.EntryTick}), nil); err != nil {
				t.Fatal(err)
			}
			entries = nil
		}
	}
	if len(entries) == 0 {
		return
	}
	if _, err := j.Append(t.Context(), entries, nil); err != nil {
		t.Fatal(err)
	}
}

// reports appends what became of the messages that were decided, seen and clicked.
func reports(t *testing.T, j *journal.Journal, clock *wall, r *rand.Rand, house *shelf) {
	t.Helper()
	events := map[cx.Position]*cx.Event{}
	for _, e := range house.batch.Events {
		events[e.Position] = e.Event
	}
	var entries []cx.Entry
	for _, d := range house.batch.Decisions {
		on := events[d.Position]
		if len(d.Winners) == 0 || on == nil {
			continue
		}
		for _, name := range []cx.EventName{cx.MessageShown, cx.MessageClicked, cx.MessageClicked}[:r.IntN(4)] {
			now := cx.InstantOf(clock.now())
			ev := cx.Event{
				Workspace: "demo", Key: "k_demo", KeyKind: cx.BrowserKey, Type: cx.Track, Name: name, UserID: on.UserID, AnonymousID: on.AnonymousID,
				Flags: on.Flags & cx.Verified, MessageID: fmt.Sprintf("report-%s-%s-%d", d.ID, name, len(entries)), Time: now, ReceivedAt: now,
				Properties: fmt.Appendf(nil, `{"decision_id":%q,"action":%q}`, d.ID, d.Winners[0].Action),
			}
			entries = append(entries, cx.Entry{Kind: cx.EntryEvent, Payload: cx.AppendEvent(nil, &ev)})
		}
	}
	for part := range slices.Chunk(entries, 100) {
		if _, err := j.Append(t.Context(), append(part, cx.Entry{Kind: cx.EntryTick}), nil); err != nil {
			t.Fatal(err)
		}
	}
}

// A log whose erased persons were blanked gives, byte for byte, the state that
// the whole log gives: that of everybody else, and what all taught together.
func TestBlankedLogGivesTheSameState(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dir := t.TempDir()
			clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
			j := openJournal(t, filepath.Join(dir, "journal"), clock)
			r := rand.New(rand.NewPCG(seed, 9))
			for round := range uint64(3) {
				visits(t, j, clock, 300+10*seed+round, 400)
				crowd(t, j, clock, 300+10*seed+round, 400)
				so := new(shelf)
				run(t, j, filepath.Join(t.TempDir(), "state.db"), so, pipeline.Options{Workers: 2, CheckpointEvery: time.Hour})
				reports(t, j, clock, r, so)
				eraseSome(t, j, r, so.batch.Events, 6)
			}
			visits(t, j, clock, 390+seed, 200)
			crowd(t, j, clock, 390+seed, 200)
			afterwards(t, j, clock)

			whole := new(shelf)
			want := run(t, j, filepath.Join(dir, "whole.db"), whole, pipeline.Options{Workers: 2, CheckpointEvery: time.Hour})
			b, lessons := blankOut(t, j, whole)
			if len(b.change) < 200 || lessons < 20 || len(whole.batch.Erased) < 10 {
				t.Fatalf("%d entries blanked, %d lessons, %d persons erased: too few to prove anything", len(b.change), lessons, len(whole.batch.Erased))
			}
			for _, workers := range []int{1, 2, 7} {
				for _, every := range []time.Duration{1, time.Hour} {
					house := new(shelf)
					got := run(t, b, filepath.Join(t.TempDir(), "state.db"), house, pipeline.Options{Workers: workers, CheckpointEvery: every})
					if diff := cmp.Diff(want, got); diff != "" {
						t.Errorf("another state, with %d workers (-whole +blanked):\n%s", workers, diff)
					}
					for _, e := range house.batch.Events {
						if _, ok := b.change[e.Position]; ok {
							t.Errorf("the blanked event at %v led to a row", e.Position)
						}
					}
				}
			}
		})
	}
}

// Where merges were undone the same holds, but for one thing: what was said to
// people while they were one with somebody who has been erased.
func TestBlankedLogWithUnmergesGivesTheSameState(t *testing.T) {
	for seed := range uint64(3) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			dir := t.TempDir()
			clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
			j := openJournal(t, filepath.Join(dir, "journal"), clock)
			r := rand.New(rand.NewPCG(seed, 10))
			house, undone := new(shelf), 0
			for round := range uint64(4) {
				visits(t, j, clock, 500+10*seed+round, 200)
				crowd(t, j, clock, 500+10*seed+round, 200)
				s, stop := live(t, j, filepath.Join(dir, "state.db"), house, pipeline.Options{})
				undone += unmergeSome(t, s, r, house, 40)
				stop()
				if round > 0 {
					eraseSome(t, j, r, house.batch.Events, 6)
				}
			}
			visits(t, j, clock, 590+seed, 100)
			crowd(t, j, clock, 590+seed, 100)
			afterwards(t, j, clock)

			whole := new(shelf)
			want := run(t, j, filepath.Join(dir, "whole.db"), whole, pipeline.Options{Workers: 2, CheckpointEvery: time.Hour})
			b, _ := blankOut(t, j, whole)
			if len(b.change) < 100 || undone < 1 || len(whole.batch.Erased) < 8 {
				t.Fatalf("%d entries blanked, %d un-merges, %d persons erased: too few to prove anything", len(b.change), undone, len(whole.batch.Erased))
			}
			are := savedAt(t, j, want.Position)
			for _, workers := range []int{1, 7} {
				got := run(t, b, filepath.Join(t.TempDir(), "state.db"), new(shelf), pipeline.Options{Workers: workers, CheckpointEvery: time.Hour})
				got.State, got.Outbox = want.State, want.Outbox // see below; what was said may have to be sent
				if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("another state, with %d workers (-whole +blanked):\n%s", workers, diff)
				}
			}
			said := cmpopts.IgnoreFields(cx.Customer{}, "Ledger", "Tallies")
			others := 0
			for id, is := range savedAt(t, b, want.Position) {
				if diff := cmp.Diff(are[id], is, said, cmp.AllowUnexported(cx.Notice{})); diff != "" {
					t.Errorf("another %s (-whole +blanked):\n%s", id, diff)
				}
				if !cmp.Equal(are[id].Ledger, is.Ledger, cmp.AllowUnexported(cx.Notice{})) {
					others++
				}
			}
			if others > 2*undone {
				t.Errorf("to %d customers something else was said, after %d un-merges", others, undone)
			}
		})
	}
}

// savedAt returns the customers of a log as of a tick.
func savedAt(t *testing.T, j log, at cx.Position) map[cx.CustomerID]*cx.Customer {
	t.Helper()
	path := filepath.Join(t.TempDir(), "state.db")
	run(t, j, path, new(shelf), pipeline.Options{Workers: 2, CheckpointEvery: time.Hour, CutAt: at})
	db, err := sql.Open("sqlite3", path)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	rows, err := db.QueryContext(t.Context(), "SELECT blob FROM customers")
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	out := map[cx.CustomerID]*cx.Customer{}
	for rows.Next() {
		var b []byte
		if err := rows.Scan(&b); err != nil {
			t.Fatal(err)
		}
		c, err := profile.DecodeCustomer(b)
		if err != nil {
			t.Fatal(err)
		}
		out[c.ID] = c
	}
	if err := rows.Err(); err != nil || len(out) == 0 {
		t.Fatalf("%d customers, %v", len(out), err)
	}
	return out
}
