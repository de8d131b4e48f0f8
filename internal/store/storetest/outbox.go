package storetest

import (
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

func outbox(t *testing.T, open func() pipeline.Store) {
	t.Helper()
	full := cx.Delivery{
		Key: cx.SendKey{1<<64 - 1, 1}, Position: cx.At(7, 3), At: 5 * cx.Hour, Workspace: "demo", Customer: 1<<64 - 2, Decision: 1<<63 + 9,
		Action: "confirm-order", Purpose: cx.Transactional, Channel: cx.Webhook, Destination: "crm", Payload: []byte("{\"x\":\"\x00\"}"),
	}
	twin := cx.Delivery{Key: cx.SendKey{2, 0}, Position: cx.At(7, 3), Payload: []byte("{}")}
	early := cx.Delivery{Key: cx.SendKey{9, 9}, Position: cx.At(2, 0), Payload: []byte("{}")}

	m := start(t, open())
	m.commit(pipeline.Checkpoint{Deliveries: []cx.Delivery{full, early}})
	m.commit(pipeline.Checkpoint{Deliveries: []cx.Delivery{twin}})
	m = start(t, open())
	equal(t, "the outbox, by position and key", deliveries(t, m, 0), []cx.Delivery{early, twin, full})
	equal(t, "the outbox above a position", deliveries(t, m, cx.At(2, 0)), []cx.Delivery{twin, full})

	m.commit(pipeline.Checkpoint{Settled: settled(cx.At(8, 0), early.Key, cx.SendKey{4, 4})})
	brief := cx.Delivery{Key: cx.SendKey{5, 5}, Position: cx.At(9, 0), Payload: []byte("{}")}
	m.commit(pipeline.Checkpoint{Deliveries: []cx.Delivery{brief}, Settled: settled(cx.At(10, 0), brief.Key, twin.Key)})
	equal(t, "the outbox after fates", deliveries(t, m, 0), []cx.Delivery{full})

	stale := m.next(pipeline.Checkpoint{Deliveries: []cx.Delivery{brief}, Settled: settled(cx.At(11, 0), full.Key)})
	stale.Previous--
	conflicts(t, "a checkpoint out of place", m.Checkpoint(ctx, stale))
	equal(t, "the outbox after a refusal", deliveries(t, m, 0), []cx.Delivery{full})

	again := full
	again.Position = cx.At(12, 0) // its fate was told before it was sent again
	m.commit(pipeline.Checkpoint{Deliveries: []cx.Delivery{again}, Settled: settled(cx.At(11, 0), full.Key)})
	equal(t, "the outbox after one is sent again", deliveries(t, m, 0), []cx.Delivery{again})
}

// settled are the settlements of deliveries by fates at a position.
func settled(at cx.Position, keys ...cx.SendKey) (out []pipeline.Settlement) {
	for _, k := range keys {
		out = append(out, pipeline.Settlement{Key: k, Position: at})
	}
	return out
}

func deliveries(t *testing.T, s pipeline.Store, after cx.Position) (out []cx.Delivery) {
	t.Helper()
	err := s.EachDelivery(ctx, after, func(d cx.Delivery) error {
		out = append(out, d)
		return nil
	})
	if err != nil {
		t.Fatalf("EachDelivery: %v", err)
	}
	return out
}
