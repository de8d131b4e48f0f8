package storetest

import (
	"fmt"
	"slices"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/deliver"
)

// RunSends runs the suite that every deliver.Store must pass; place is as for Run.
func RunSends(t *testing.T, place func(t *testing.T) (open func() deliver.Store)) {
	t.Helper()
	for _, test := range []struct {
		name string
		run  func(t *testing.T, open func() deliver.Store)
	}{
		{"what was taken is there after a crash, once", sendsTaken},
		{"what is due is claimed in order and marked", sendsClaimed},
		{"what was recorded is there after a crash", sendsRecorded},
		{"what is too old is given up", sendsExpired},
		{"fates are told once and forgotten when a checkpoint knows them", sendsTold},
		{"waiting can be cut short", sendsHurried},
		{"what did not arrive can be taken again", sendsTakenAgain},
		{"a pause outlives the program", sendsPaused},
		{"lists and counts", sendsListed},
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, place(t)) })
	}
}

// crm is the queue of the items that item makes.
var crm = deliver.Queue{Workspace: "shop", Channel: cx.Webhook, Destination: "crm"}

// item is the n-th of some items that differ, due at n.
func item(n uint64) deliver.Item {
	return deliver.Item{
		Delivery: cx.Delivery{
			Key: cx.SendKey{-n, n}, Position: cx.At(n, 1), At: cx.Instant(n) * cx.Hour, Workspace: crm.Workspace, Customer: cx.CustomerID(-n),
			Decision: cx.DecisionID(1<<63 + n), Action: "tell", Purpose: cx.Marketing, Channel: crm.Channel, Destination: crm.Destination, Payload: []byte("{}"),
		},
		State: cx.DeliveryQueued, Due: cx.Instant(n),
	}
}

func take(t *testing.T, s deliver.Store, released cx.Position, items ...deliver.Item) {
	t.Helper()
	if err := s.Take(ctx, items, released); err != nil {
		t.Fatalf("Take: %v", err)
	}
}

func claim(t *testing.T, s deliver.Store, now cx.Instant, n int) []deliver.Item {
	t.Helper()
	items, err := s.Claim(ctx, crm, now, n)
	if err != nil {
		t.Fatalf("Claim: %v", err)
	}
	return items
}

func record(t *testing.T, s deliver.Store, items ...deliver.Item) {
	t.Helper()
	if err := s.Record(ctx, items); err != nil {
		t.Fatalf("Record: %v", err)
	}
}

func listed(t *testing.T, s deliver.Store, f deliver.Filter) (keys []uint64) {
	t.Helper()
	items, err := s.List(ctx, f, 100)
	if err != nil {
		t.Fatalf("List: %v", err)
	}
	for _, i := range items {
		if i.Payload != nil {
			t.Errorf("the payload of %v is listed", i.Key)
		}
		keys = append(keys, i.Key[1])
	}
	return keys
}

func released(t *testing.T, s deliver.Store, want cx.Position) {
	t.Helper()
	if got, err := s.Released(ctx); got != want || err != nil {
		t.Errorf("Released() = %v, %v; want %v", got, err, want)
	}
}

func sendsTaken(t *testing.T, open func() deliver.Store) {
	t.Helper()
	s := open()
	released(t, s, 0)
	take(t, s, cx.At(2, 0), item(1))
	changed := item(1)
	changed.Action = "something else"
	take(t, s, cx.At(1, 0), changed, item(2))
	s = open()
	released(t, s, cx.At(2, 0))
	for n, want := range map[uint64]bool{1: true, 2: true, 3: false} {
		if known, err := s.Known(ctx, item(n).Key); (known != 0) != want || err != nil {
			t.Errorf("Known(%d) = %v, %v", n, known, err)
		}
	}
	queues, err := s.Queues(ctx)
	equal(t, "the queues", queues, []deliver.Queue{crm})
	if err != nil {
		t.Error(err)
	}
	got := claim(t, s, 100, 10)
	want := []deliver.Item{item(1), item(2)}
	for i := range want {
		want[i].State, want[i].Attempts = cx.DeliveryTrying, 1
	}
	equal(t, "what was taken", got, want)
}

func sendsClaimed(t *testing.T, open func() deliver.Store) {
	t.Helper()
	s := open()
	other := item(9)
	other.Destination = "other"
	take(t, s, 1, item(3), item(1), item(2), other)
	due := func(want cx.Instant) {
		t.Helper()
		if at, err := s.Due(ctx, crm); at != want || err != nil {
			t.Errorf("Due() = %v, %v; want %v", at, err, want)
		}
	}
	due(1)
	equal(t, "before anything is due", claim(t, s, 0, 5), []deliver.Item(nil))
	first := claim(t, s, 2, 1)
	if len(first) != 1 || first[0].Key != item(1).Key {
		t.Fatalf("claimed %v", first)
	}
	due(2)
	if rest := claim(t, s, 2, 5); len(rest) != 1 || rest[0].Key != item(2).Key {
		t.Errorf("claimed %v", rest)
	}
	due(3)
	s = open()
	interrupted, err := s.Interrupted(ctx)
	if err != nil || len(interrupted) != 2 || interrupted[0].State != cx.DeliveryTrying || interrupted[0].Attempts != 1 || string(interrupted[0].Payload) != "{}" {
		t.Errorf("interrupted: %v, %v", interrupted, err)
	}
	claim(t, s, 3, 5)
	due(0)
}

func sendsRecorded(t *testing.T, open func() deliver.Store) {
	t.Helper()
	s := open()
	take(t, s, 1, item(1))
	i := claim(t, s, 5, 1)[0]
	i.State, i.Due, i.Doubt, i.Reason = cx.DeliveryQueued, 70, true, "503 \"'"
	record(t, s, i)
	s = open()
	if got := claim(t, s, 69, 1); len(got) != 0 {
		t.Errorf("claimed before it is due: %v", got)
	}
	i.State, i.Attempts = cx.DeliveryTrying, 2
	equal(t, "the second attempt", claim(t, s, 70, 1), []deliver.Item{i})
}

func sendsExpired(t *testing.T, open func() deliver.Store) {
	t.Helper()
	s := open()
	doubtful, owed, owedAndTried, young := item(2), item(3), item(4), item(9)
	doubtful.Doubt, doubtful.Reason = true, "timeout"
	owed.Purpose, owedAndTried.Purpose, owedAndTried.Attempts = cx.Transactional, cx.Transactional, 1
	take(t, s, 1, item(1), doubtful, owed, owedAndTried, young)
	if n, err := s.Expire(ctx, crm, 9*cx.Hour, 77, "too late"); n != 3 || err != nil {
		t.Errorf("Expire() = %d, %v", n, err)
	}
	got := map[uint64]string{}
	items, err := s.List(ctx, deliver.Filter{}, 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, i := range items {
		got[i.Key[1]] = i.State.String() + " " + i.Reason
		if i.State.Settled() != (i.SettledAt == 77) {
			t.Errorf("%v is settled at %v", i.Key, i.SettledAt)
		}
	}
	equal(t, "what was given up", got, map[uint64]string{1: "failed too late", 2: "unknown too late: timeout", 3: "queued ", 4: "failed too late", 9: "queued "})
}

func sendsTold(t *testing.T, open func() deliver.Store) {
	t.Helper()
	s := open()
	sent, failed := item(1), item(2)
	take(t, s, 1, sent, failed, item(3))
	sent.State, sent.SettledAt, failed.State, failed.SettledAt = cx.DeliverySent, 50, cx.DeliveryFailed, 60
	record(t, s, sent, failed)
	untold := func(limit int) (keys []uint64) {
		t.Helper()
		items, err := s.Untold(ctx, limit)
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range items {
			keys = append(keys, i.Key[1])
			if i.State == cx.DeliverySent && len(i.Payload) > 0 {
				t.Errorf("%v was sent and its payload is kept", i.Key)
			}
		}
		slices.Sort(keys)
		return keys
	}
	forget := func(told cx.Position, before cx.Instant) {
		t.Helper()
		if err := s.Forget(ctx, told, before); err != nil {
			t.Fatal(err)
		}
	}
	equal(t, "untold", untold(9), []uint64{1, 2})
	if n := len(untold(1)); n != 1 {
		t.Errorf("%d untold, asked for 1", n)
	}
	forget(cx.At(99, 0), 99)
	equal(t, "what was not told is not forgotten", listed(t, s, deliver.Filter{}), []uint64{3, 2, 1})
	if err := s.Told(ctx, []cx.SendKey{sent.Key, failed.Key}, cx.At(10, 0)); err != nil {
		t.Fatal(err)
	}
	s = open()
	equal(t, "untold afterwards", untold(9), []uint64(nil))
	forget(cx.At(9, 0), 99)
	equal(t, "before a checkpoint knows", listed(t, s, deliver.Filter{}), []uint64{3, 2, 1})
	forget(cx.At(10, 0), 60)
	equal(t, "when it knows", listed(t, s, deliver.Filter{}), []uint64{3, 2})
	forget(cx.At(10, 0), 61)
	equal(t, "when it is old", listed(t, s, deliver.Filter{}), []uint64{3})
}

func sendsHurried(t *testing.T, open func() deliver.Store) {
	t.Helper()
	s := open()
	take(t, s, 1, item(50), item(60), item(70))
	hurry := func(k cx.SendKey, want int) {
		t.Helper()
		if n, err := s.Hurry(ctx, crm, k, 5); n != want || err != nil {
			t.Errorf("Hurry(%v) = %d, %v; want %d", k, n, err, want)
		}
	}
	hurry(item(60).Key, 1)
	if got := claim(t, s, 5, 9); len(got) != 1 || got[0].Key != item(60).Key {
		t.Errorf("claimed %v", got)
	}
	hurry(item(60).Key, 0) // it is being tried
	hurry(cx.SendKey{}, 2)
	if got := claim(t, s, 5, 9); len(got) != 2 {
		t.Errorf("claimed %v", got)
	}
}

func sendsPaused(t *testing.T, open func() deliver.Store) {
	t.Helper()
	s := open()
	set := func(w cx.Workspace, paused bool) {
		t.Helper()
		if err := s.Pause(ctx, w, paused); err != nil {
			t.Fatal(err)
		}
	}
	set("shop", true)
	set("shop", true)
	set(deliver.Everywhere, true)
	set("other", false)
	s = open()
	got, err := s.Paused(ctx)
	equal(t, "paused", got, []cx.Workspace{deliver.Everywhere, "shop"})
	set("shop", false)
	got, err2 := s.Paused(ctx)
	equal(t, "paused", got, []cx.Workspace{deliver.Everywhere})
	if err != nil || err2 != nil {
		t.Error(err, err2)
	}
}

func sendsListed(t *testing.T, open func() deliver.Store) {
	t.Helper()
	s := open()
	elsewhere := item(4)
	elsewhere.Workspace, elsewhere.Destination = "rival", "mail"
	old, fresh := item(5), item(6)
	old.State, old.SettledAt, fresh.State, fresh.SettledAt = cx.DeliveryUnknown, 10, cx.DeliveryUnknown, 20
	take(t, s, 1, old, item(2), fresh, item(1), elsewhere)
	for want, f := range map[string]deliver.Filter{
		"[1 2 4 6 5]": {}, "[1 2 6 5]": {Workspace: "shop"}, "[4]": {Destination: "mail"}, "[6 5]": {Workspace: deliver.Everywhere, State: cx.DeliveryUnknown}, "[]": {Workspace: "none"},
	} {
		equal(t, "the list", fmt.Sprint(listed(t, s, f)), want)
	}
	counts, err := s.Tally(ctx)
	if err != nil {
		t.Fatal(err)
	}
	equal(t, "the counts", counts, []deliver.Count{
		{Queue: elsewhere.Queue(), State: cx.DeliveryQueued, Items: 1, Oldest: 4 * cx.Hour},
		{Queue: crm, State: cx.DeliveryQueued, Items: 2, Oldest: cx.Hour},
		{Queue: crm, State: cx.DeliveryUnknown, Items: 2, Oldest: 5 * cx.Hour},
	})
}
