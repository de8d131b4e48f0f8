package bench

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// metricDecisions counts decisions, whether anything was said or not.
const metricDecisions = "kikubari_decisions_total"

// reading is what the server and this program had used at one moment.
type reading struct {
	at      time.Time
	server  usage
	own     usage
	metrics map[string]float64
}

// read takes a reading; what cannot be read is left out.
func (t *target) read(ctx context.Context) (r reading, err error) {
	if t.pid != 0 {
		if r.server, err = usageOf(t.pid); err != nil {
			return r, fmt.Errorf("read the server's usage: %w", err)
		}
	}
	if r.metrics, err = t.metrics(ctx); err != nil {
		return r, fmt.Errorf("read the server's metrics: %w", err)
	}
	r.own, _ = usageOf(os.Getpid()) // not on every system, and only for information
	r.at = time.Now()
	return r, nil
}

// measure loads the target in a closed or open loop.
func (r *Result) measure(ctx context.Context, o Options, t *target) error {
	before, err := t.countStored(ctx)
	if err != nil {
		return err
	}
	saw, readings, err := r.loadOnce(ctx, o, t)
	if saw == nil {
		return err
	}
	r.load(saw, o.Duration)
	if len(readings) == 2 {
		from, to := readings[0], readings[1]
		r.costs(from.server, to.server, saw.measured, to.at.Sub(from.at))
		r.share(stages(from.metrics, to.metrics), saw.measured)
		if saw.measured > 0 {
			r.DecisionShare = round((sum(to.metrics, metricDecisions) - sum(from.metrics, metricDecisions)) / float64(saw.measured))
			r.GenCPU = round(float64((to.own.cpu - from.own.cpu).Microseconds()) / float64(saw.measured))
		}
	}
	return errors.Join(err, r.verify(ctx, t, before))
}

// loadOnce runs the load once, with a reading at either end of the measured time.
func (r *Result) loadOnce(ctx context.Context, o Options, t *target) (*tally, []reading, error) {
	s := newSpan(time.Now(), o.WarmUp, o.Duration, grace)
	senders, err := t.senders(ctx, o, s, NewShop(o.Seed, o.Customers).Visitors)
	if err != nil {
		return nil, nil, err
	}
	defer disconnect(senders)
	watched := make(chan []reading, 1)
	watching, stop := context.WithCancel(ctx)
	go func() { watched <- t.watch(watching, s) }()
	if o.Mode == Open {
		var lateness *Histogram
		lateness, err = openLoop(ctx, senders, newArrivals(o.Seed, s.start, o.Rate))
		r.GenLate99 = ms(lateness.Quantile(0.99))
	} else {
		err = closedLoop(ctx, senders)
	}
	if err != nil {
		stop()
	}
	readings := <-watched
	stop()
	return total(senders), readings, err
}

// watch takes readings when the measured time begins and ends.
func (t *target) watch(ctx context.Context, s span) (out []reading) {
	for _, at := range []time.Time{s.warm, s.stop} {
		if pause(ctx, time.Until(at)) != nil {
			return nil
		}
		r, err := t.read(ctx)
		if err != nil {
			return nil
		}
		out = append(out, r)
	}
	return out
}

// countStored asks what is stored already; 0 when there is no key to ask with.
func (t *target) countStored(ctx context.Context) (uint64, error) {
	if t.control.key == "" {
		return 0, nil
	}
	return t.stored(ctx)
}

// verify waits for the warehouse and compares what is stored with what was
// acknowledged.
func (r *Result) verify(ctx context.Context, t *target, before uint64) error {
	if t.control.key == "" {
		return nil
	}
	from := time.Now()
	n, err := t.catchUp(ctx, before+r.Acked)
	if err != nil {
		return fmt.Errorf("ask what is stored: %w", err)
	}
	r.Stored, r.CatchUp = n-before, round(time.Since(from).Seconds())
	if r.Stored != r.Acked && t.own != nil {
		return fmt.Errorf("%d events were acknowledged and %d are stored", r.Acked, r.Stored)
	}
	return nil
}
