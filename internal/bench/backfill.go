package bench

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"
)

// backfill sends events, asks for statistics that nobody has kept, and measures
// how fast they are folded from the log: with nothing beside and then, if there is
// a rate, beside requests of one event, whose latency is measured meanwhile.
func (r *Result) backfill(ctx context.Context, o Options, t *target) error {
	if err := r.past(ctx, o, t); err != nil {
		return err
	}
	from, err := t.read(ctx)
	if err != nil {
		return err
	}
	f, err := t.askAnew(ctx, 41, true)
	if err != nil {
		return err
	}
	to, err := t.read(ctx)
	if err != nil {
		return err
	}
	r.Filled, r.FillSeconds, r.JudgedSeconds = r.Acked, round(f.known.Seconds()), round(f.judged.Seconds())
	r.EventsPerSecond = round(float64(r.Filled) / f.known.Seconds())
	r.costs(from.server, to.server, r.Filled, to.at.Sub(from.at))
	if o.Rate == 0 {
		return nil
	}
	return r.beside(ctx, o, t)
}

// past sends the events and waits until all are stored.
func (r *Result) past(ctx context.Context, o Options, t *target) error {
	senders, err := t.senders(ctx, o, newSpan(time.Now(), 0, time.Hour, grace), NewShop(o.Seed, o.Customers).Visitors)
	if err != nil {
		return err
	}
	defer disconnect(senders)
	each := o.Connections * o.Batch
	err = fill(ctx, senders, (o.Events+each-1)/each)
	r.Acked = total(senders).acked
	return errors.Join(err, r.verify(ctx, t, 0))
}

// beside asks for other statistics while requests come, until these are known.
func (r *Result) beside(ctx context.Context, o Options, t *target) error {
	single := o
	single.Batch = 1
	s := newSpan(time.Now(), o.WarmUp, time.Hour, grace)
	senders, err := t.senders(ctx, single, s, NewShop(o.Seed+1, o.Customers).Visitors)
	if err != nil {
		return err
	}
	defer disconnect(senders)
	loading, end := context.WithCancel(ctx)
	defer end()
	loaded := make(chan error, 1)
	go func() {
		lateness, err := openLoop(loading, senders, newArrivals(o.Seed, s.start, o.Rate))
		r.GenLate99 = ms(lateness.Quantile(0.99))
		loaded <- err
	}()
	err = pause(ctx, o.WarmUp)
	var f filling
	if err == nil {
		f, err = t.askAnew(ctx, 43, false)
	}
	took := time.Since(s.warm)
	end()
	if e := <-loaded; err == nil && ctx.Err() == nil && !errors.Is(e, context.Canceled) {
		err = e // it ended before it was told to
	}
	if err != nil {
		return err
	}
	saw, alone := total(senders), *r
	r.load(saw, took)
	r.EventsPerSecond, r.Acked = alone.EventsPerSecond, alone.Acked+saw.acked
	r.FillBeside, r.FillBesidePS = round(f.known.Seconds()), round(float64(max(f.entries, alone.Acked))/f.known.Seconds())
	r.Stored, err = t.catchUp(ctx, r.Acked)
	if err == nil && r.Stored < r.Acked { // there may be more: the last answers were not awaited
		err = fmt.Errorf("%d events were acknowledged and %d are stored", r.Acked, r.Stored)
	}
	return err
}

// asked is a set with three statistics more than Definitions, over windows of so
// many days, in which nobody is.
func asked(days int) string {
	return Definitions(workspace) + fmt.Sprintf(`
---
kind: segment
name: filled-spent
when: sum("Order Completed", "total", "%[1]dd") >= 1000000000
---
kind: segment
name: filled-seen
when: distinct("Product Viewed", "product_id", "%[1]dd") > 1000000
---
kind: segment
name: filled-all
when: count("*", "%[1]dd") > 1000000000
`, days)
}

// filling is how statistics were filled.
type filling struct {
	known   time.Duration // until their values were
	judged  time.Duration // after that, until everybody was judged by them
	entries uint64        // of the log, when they were last looked at before they were known
}

// askAnew publishes a set that asks for new statistics and waits until these are
// known or, if it is to, until everybody is judged by them.
func (c *control) askAnew(ctx context.Context, days int, everybody bool) (f filling, err error) {
	if err := c.publish(ctx, asked(days)); err != nil {
		return f, err
	}
	from, seen := time.Now(), false
	for {
		var list []struct {
			Known string
			Of    uint64
		}
		if err := c.ask(ctx, http.MethodGet, "/api/v1/backfills?workspace="+workspace, nil, &list); err != nil {
			return f, err
		}
		waiting := false
		for _, b := range list {
			if b.Known == "" {
				waiting, f.entries = true, max(f.entries, b.Of)
			}
		}
		seen = seen || len(list) > 0
		if f.known == 0 && !waiting {
			f.known = time.Since(from)
		}
		switch {
		case !seen:
			return f, errors.New("the server fills nothing: it has kept these statistics already, or there are no events")
		case len(list) == 0:
			f.judged = time.Since(from) - f.known
			return f, nil
		case f.known > 0 && !everybody:
			return f, nil
		}
		if err := pause(ctx, 10*time.Millisecond); err != nil {
			return f, err
		}
	}
}
