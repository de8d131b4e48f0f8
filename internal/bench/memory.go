package bench

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// eventsEach is how many events a customer has in the memory mode.
const eventsEach = 10

// An idle Go program collects its garbage every two minutes; after that it
// gives memory back for a while.
const (
	collected = 3 * time.Minute // longest time until a collection
	givenBack = 15 * time.Second

	metricCollected = "go_memstats_last_gc_time_seconds"
)

// memory gives every customer ten events and reads what the server weighs once
// it has come to rest.
func (r *Result) memory(ctx context.Context, o Options, t *target) error {
	empty, err := t.read(ctx)
	if err != nil {
		return err
	}
	saw, err := r.fill(ctx, o, t)
	if err != nil {
		return err
	}
	err = r.verify(ctx, t, 0)
	if err := t.settle(ctx); err != nil {
		return err
	}
	full, readErr := t.read(ctx)
	if readErr != nil {
		return errors.Join(err, readErr)
	}
	r.costs(empty.server, full.server, saw.acked, full.at.Sub(empty.at))
	r.BytesPerCustomer = round(float64(full.server.rss-empty.server.rss) / float64(o.Customers))
	return err
}

// settle waits until the server has collected its garbage and given back what
// it does not need.
func (t *target) settle(ctx context.Context) error {
	from := time.Now()
	for time.Since(from) < collected {
		m, err := t.metrics(ctx)
		if err != nil {
			return err
		}
		if m[metricCollected] > float64(from.Unix()) {
			break
		}
		if err := pause(ctx, time.Second); err != nil {
			return err
		}
	}
	return pause(ctx, givenBack)
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
	from := time.Now()
	err = fill(ctx, senders, perSender/o.Batch)
	saw := total(senders)
	r.load(saw, time.Since(from))
	return saw, err
}
