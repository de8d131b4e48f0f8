package pipeline_test

import (
	"context"
	"math/rand/v2"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// hooks are sent on orders and, by time alone, when a cart is forgotten.
const hooks = `
kind: destination
name: crm
url: https://crm.example/hooks
---
kind: action
name: tell-crm
purpose: transactional
channel: webhook
destination: crm
trigger:
  - event: Order Completed
  - segment: forgotten-cart
variables:
  cart: {value: cart}
body:
  cart: "{{ cart }}"
`

// station is a machine with its store.
type station struct {
	state *sqlite.State
	shard *pipeline.Shard
}

// open starts a machine over the journal; flush lets it come to the end, saves
// everything and stops it.
func open(t *testing.T, j *journal.Journal, path string, house pipeline.Warehouse, o pipeline.Options) (s *station, flush func()) {
	t.Helper()
	state, err := sqlite.OpenState(t.Context(), sqlite.StateOptions{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	o.Journal, o.Store, o.Warehouse, o.Passive = j, state, house, true
	shard, err := pipeline.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- shard.Run(ctx) }()
	t.Cleanup(func() { stop(); state.Close() })
	return &station{state, shard}, func() {
		t.Helper()
		limit, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		for last, _ := j.Last(); shard.Progress().Applied.Sequence() < last && limit.Err() == nil; {
			time.Sleep(time.Millisecond)
		}
		if err := shard.Flush(limit); err != nil {
			t.Fatal(err)
		}
		stop()
		if err := <-ended; err != nil {
			t.Fatal(err)
		}
	}
}

func (s *station) outbox(t *testing.T) (out []cx.Delivery) {
	t.Helper()
	err := s.state.EachDelivery(t.Context(), 0, func(d cx.Delivery) error {
		out = append(out, d)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// tell writes fates into the journal, some of them twice, and some of deliveries
// that there never were.
func tell(t *testing.T, j *journal.Journal, r *rand.Rand, sent []cx.Delivery) (told int) {
	t.Helper()
	var entries []cx.Entry
	for _, d := range sent {
		if r.IntN(4) == 0 {
			continue
		}
		f := cx.Fate{
			Key: d.Key, Workspace: d.Workspace, Customer: d.Customer, Decision: d.Decision, Action: d.Action, Channel: d.Channel, Destination: d.Destination,
			State: cx.DeliverySent + cx.DeliveryState(r.IntN(4)), Attempts: 1,
		}
		told++
		for range 1 + r.IntN(2) {
			entries = append(entries, cx.Entry{Kind: cx.EntryFate, Payload: cx.AppendFate(nil, &f)})
		}
		f.Key[0]++
		entries = append(entries, cx.Entry{Kind: cx.EntryFate, Payload: cx.AppendFate(nil, &f)})
	}
	if len(entries) == 0 {
		return 0
	}
	if _, err := j.Append(t.Context(), entries, nil); err != nil {
		t.Fatal(err)
	}
	return told
}

// What is to be sent stands in the outbox of each checkpoint until its fate is in
// the journal; each fate is one row, however often it was told; and machines that
// stop and go on agree with one that never did.
func TestOutboxFollowsFromTheJournal(t *testing.T) {
	dir := t.TempDir()
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, filepath.Join(dir, "journal"), clock)
	r := rand.New(rand.NewPCG(5, 5))
	house, told, left := new(shelf), 0, 0
	path := filepath.Join(dir, "state.db")
	for round := range uint64(4) {
		visits(t, j, clock, 50+round, 600)
		if round%2 == 1 {
			afterwards(t, j, clock)
		}
		s, flush := open(t, j, path, house, pipeline.Options{Workers: 1 + int(round)%3, CheckpointEvery: time.Millisecond, RestAfter: time.Millisecond})
		flush()
		waiting := s.outbox(t)
		s.state.Close()
		n := tell(t, j, r, waiting)
		told, left = told+n, len(waiting)-n
	}
	if told < 100 || left < 10 {
		t.Fatalf("%d deliveries were settled and %d are left: too few to prove anything", told, left)
	}
	clock.pass(time.Second)
	plain := new(shelf)
	want, flush := open(t, j, filepath.Join(dir, "plain.db"), plain, pipeline.Options{Workers: 2, CheckpointEvery: time.Hour})
	flush()
	got, flush := open(t, j, path, house, pipeline.Options{Workers: 2})
	flush()
	if diff := cmp.Diff(want.outbox(t), got.outbox(t)); diff != "" || len(want.outbox(t)) < 10 {
		t.Errorf("another outbox (-plain +restarted), of %d:\n%s", len(want.outbox(t)), diff)
	}
	rows := map[cx.SendKey]pipeline.DeliveryRow{}
	for _, d := range house.batch.Deliveries {
		if _, twice := rows[d.Key]; twice {
			t.Errorf("the fate of %s is stored twice", d.Key)
		}
		rows[d.Key] = d
	}
	if len(rows) != told || len(plain.batch.Deliveries) != told {
		t.Errorf("%d fates were told; %d are stored, %d without restarts", told, len(rows), len(plain.batch.Deliveries))
	}
	a := fingerprint(t, want)
	want.state.Close()
	got.state.Close()
	b := run(t, j, path, house, pipeline.Options{Workers: 3})
	a.Position = b.Position // ticks of flushing
	if a.State != b.State || a.Customers != b.Customers {
		t.Errorf("another state:\n%s", cmp.Diff(a, b))
	}
}

func fingerprint(t *testing.T, s *station) pipeline.Fingerprint {
	t.Helper()
	f, err := s.shard.Fingerprint(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}
