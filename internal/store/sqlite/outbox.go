package sqlite

import (
	"context"
	"database/sql/driver"
	"encoding/binary"
	"fmt"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// outboxColumns are the columns of a delivery, in the order of deliveryValues.
const outboxColumns = "key, position, at, workspace, customer, decision, action, purpose, channel, destination, payload"

func deliveryValues(d *cx.Delivery) []driver.Value {
	return []driver.Value{
		keyBytes(d.Key), int64(d.Position), int64(d.At), string(d.Workspace), signed(uint64(d.Customer)), signed(uint64(d.Decision)),
		d.Action, string(d.Purpose), string(d.Channel), d.Destination, blob(d.Payload),
	}
}

// deliveryOf reads the columns of a delivery.
func deliveryOf(v []driver.Value) (d cx.Delivery, err error) {
	if d.Key, err = keyOf(v[0]); err != nil {
		return d, err
	}
	d.Position, d.At = cx.Position(v[1].(int64)), cx.Instant(v[2].(int64))
	d.Workspace, d.Customer, d.Decision = cx.Workspace(v[3].(string)), cx.CustomerID(unsigned(v[4])), cx.DecisionID(unsigned(v[5]))
	d.Action, d.Purpose, d.Channel, d.Destination = v[6].(string), cx.Purpose(v[7].(string)), cx.Channel(v[8].(string)), v[9].(string)
	d.Payload = bytesOf(v[10])
	return d, nil
}

func keyBytes(k cx.SendKey) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64(nil, k[0]), k[1])
}

func keyOf(v driver.Value) (cx.SendKey, error) {
	b, _ := v.([]byte)
	if len(b) != 16 {
		return cx.SendKey{}, fmt.Errorf("the key of a delivery has %d bytes: %w", len(b), cx.ErrCodec)
	}
	return cx.SendKey{binary.BigEndian.Uint64(b), binary.BigEndian.Uint64(b[8:])}, nil
}

// writeOutbox puts deliveries into the outbox and then takes out those whose fate
// is known, so that one that came and went between two checkpoints leaves none.
func (w *writer) writeOutbox(c *pipeline.Checkpoint) error {
	for i := range c.Deliveries {
		d := &c.Deliveries[i]
		if err := w.putDelivery.exec(deliveryValues(d)...); err != nil {
			return fmt.Errorf("delivery %v: %w", d.Key, err)
		}
		makeWay(i)
	}
	for i, x := range c.Settled {
		if err := w.dropDelivery.exec(keyBytes(x.Key), int64(x.Position)); err != nil {
			return fmt.Errorf("delivery %v: %w", x.Key, err)
		}
		makeWay(i)
	}
	return nil
}

// EachDelivery calls found for every delivery of the outbox above a position.
func (s *State) EachDelivery(ctx context.Context, after cx.Position, found func(cx.Delivery) error) error {
	return s.reading(ctx, "read the outbox", func(r *reader) error {
		return r.outbox.each(func(v []driver.Value) error {
			if err := ctx.Err(); err != nil {
				return err
			}
			d, err := deliveryOf(v)
			if err != nil {
				return err
			}
			return found(d)
		}, int64(after))
	})
}
