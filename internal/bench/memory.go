package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// eventsEach is how many events a customer has in the memory mode.
const eventsEach = 10

// settled is how long after the last event memory is read: the server has
// written its checkpoint, filled its warehouse and given back what it can.
const settled = 20 * time.Second

// memory gives every customer ten events and reads what the server weighs.
func (r *Result) memory(ctx context.Context, o Options, t *target) error {
	empty, err := t.read(ctx)
	if err != nil {
		return err
	}
	from := time.Now()
	sum, err := r.fill(ctx, o, t)
	if err != nil {
		return err
	}
	took := time.Since(from)
	err = r.verify(ctx, t, 0)
	if pause(ctx, settled) != nil {
		return ctx.Err()
	}
	full, readErr := t.read(ctx)
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	r.costs(empty.server, full.server, sum.acked, took)
	r.EventsPerSecond = round(float64(sum.acked) / took.Seconds())
	r.BytesPerCustomer = round(float64(full.server.rss-empty.server.rss) / float64(o.Customers))
	return err
}

// fill sends the events, customers spread over the connections.
func (r *Result) fill(ctx context.Context, o Options, t *target) (*tally, error) {
	shop := NewShop(o.Seed, o.Customers)
	roll := func(stream int) *Visitors { return shop.Roll(stream, stream, o.Connections, eventsEach) }
	senders, err := t.senders(ctx, o, newSpan(time.Now(), 0, time.Hour, grace), roll)
	if err != nil {
		return nil, err
	}
	defer disconnect(senders)
	perSender := o.Customers * eventsEach / o.Connections
	if perSender%o.Batch != 0 || o.Customers%o.Connections != 0 {
		return nil, fmt.Errorf("%d customers do not divide into %d connections and batches of %d; use round numbers", o.Customers, o.Connections, o.Batch)
	}
	err = fill(ctx, senders, perSender/o.Batch)
	sum := total(senders)
	r.load(sum, time.Second)
	r.Seconds, r.RequestsPerSecond = 0, 0
	return sum, err
}
