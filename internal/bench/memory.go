package bench

import (
	"context"
	"errors"
	"fmt"
	"math"
	"time"
)

// eventsEach is how many events a customer has in the memory mode.
const eventsEach = 10

// The server is at rest when what it weighs has stayed the same for so long that
// it would have put customers to rest, collected garbage and given memory back.
const (
	restAfter = 3 * time.Minute
	restBy    = 9 * time.Minute // it is read then in any case
	restSame  = 0.02            // a change by less than this share is none
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

// settle waits until the server is at rest.
func (t *target) settle(ctx context.Context) error {
	from := time.Now()
	since, weight := from, 0.0
	for time.Since(from) < restBy && time.Since(since) < restAfter {
		if err := pause(ctx, 2*time.Second); err != nil {
			return err
		}
		now, err := t.read(ctx)
		if err != nil {
			return err
		}
		if w := float64(now.server.rss); math.Abs(w-weight) > restSame*weight {
			since, weight = time.Now(), w
		}
	}
	return nil
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
