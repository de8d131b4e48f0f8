package storetest

import (
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/deliver"
)

func sendsTakenAgain(t *testing.T, open func() deliver.Store) {
	s := open()
	sent, failed, unknown, untold := item(1), item(2), item(3), item(4)
	take(t, s, 1, sent, failed, unknown, untold)
	settle := func(i *deliver.Item, state cx.DeliveryState, at cx.Instant) {
		i.State, i.SettledAt, i.Attempts = state, at, 3
	}
	settle(&sent, cx.DeliverySent, 50)
	settle(&failed, cx.DeliveryFailed, 60)
	settle(&unknown, cx.DeliveryUnknown, 70)
	settle(&untold, cx.DeliveryFailed, 80)
	record(t, s, sent, failed, unknown, untold)
	if err := s.Told(ctx, []cx.SendKey{sent.Key, failed.Key, unknown.Key}, cx.At(90, 0)); err != nil {
		t.Fatal(err)
	}
	found := func(f deliver.Filter, limit int, want ...uint64) {
		t.Helper()
		items, err := s.Resendable(ctx, f, limit)
		if err != nil {
			t.Fatalf("Resendable: %v", err)
		}
		got := []uint64{}
		for _, i := range items {
			if got = append(got, i.Key[1]); string(i.Payload) != "{}" {
				t.Errorf("%v has payload %q", i.Key, i.Payload)
			}
		}
		equal(t, "resendable", got, append([]uint64{}, want...))
	}
	found(deliver.Filter{}, 9, 2, 3)
	found(deliver.Filter{}, 1, 2)
	found(deliver.Filter{Workspace: "rival"}, 9)
	found(deliver.Filter{Workspace: "shop", Destination: "crm", State: cx.DeliveryUnknown}, 9, 3)
	found(deliver.Filter{Since: 61}, 9, 3)
	found(deliver.Filter{Key: failed.Key}, 9, 2)
	found(deliver.Filter{Key: sent.Key}, 9)

	again := func(n uint64) deliver.Item {
		i := item(n)
		i.Position, i.Payload, i.Customer = cx.At(100+n, 0), nil, 77
		return i
	}
	take(t, s, 2, again(2), again(3))
	take(t, s, 3, again(2)) // the same once more
	s = open()
	found(deliver.Filter{}, 9)
	items := claim(t, s, 1000, 9)
	if len(items) != 2 {
		t.Fatalf("%d are due, want 2", len(items))
	}
	for _, i := range items {
		if i.Position != cx.At(100+i.Key[1], 0) || i.Customer != 77 || string(i.Payload) != "{}" || i.Attempts != 4 || i.Doubt != (i.Key == unknown.Key) {
			t.Errorf("taken again: %+v", i)
		}
		if at, err := s.Known(ctx, i.Key); at != i.Position || err != nil {
			t.Errorf("Known(%v) = %v, %v", i.Key, at, err)
		}
	}
}
