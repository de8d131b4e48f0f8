package deliver

import (
	"context"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/fault"
)

// queue sends to one destination. One goroutine claims deliveries, lets attempts
// run beside it and records what they came to.
type queue struct {
	Queue
	courier *Courier
	running bool // under the courier's lock
	woken   chan struct{}
	done    chan result
	breaker breaker
	state   queueState // of the breaker, for readers outside; under the courier's lock
	busy    int        // attempts under way
	swept   time.Time  // when what is too old was last given up

	impatient atomic.Bool // somebody asked to try now, whatever the breaker says
}

// queueState is what others may know of a queue.
type queueState struct {
	open  bool
	until time.Time
}

// result is what one attempt came to.
type result struct {
	item Item
	err  error
}

func (q *queue) wake() { nudge(q.woken) }

// run works until ctx ends and its attempts have.
func (q *queue) run(ctx context.Context) {
	attempts, cut := context.WithCancel(context.WithoutCancel(ctx))
	defer cut()
	context.AfterFunc(ctx, func() { time.AfterFunc(grace, cut) })
	for ctx.Err() == nil {
		next := q.begin(ctx, attempts)
		timer := time.NewTimer(next)
		select {
		case r := <-q.done:
			q.finish(attempts, r)
		case <-q.woken:
		case <-timer.C:
		case <-ctx.Done():
		}
		timer.Stop()
	}
	last, end := context.WithTimeout(context.WithoutCancel(ctx), 2*grace)
	defer end()
	for q.busy > 0 {
		q.finish(last, <-q.done)
	}
}

// lookAgain is how long a queue sleeps at most: it expires what has become too
// old, and comes back after the store failed.
const lookAgain = time.Minute

// begin claims what is due, as far as the breaker and the pause allow, and begins
// an attempt for each. It returns how long nothing further will be due.
func (q *queue) begin(ctx, attempts context.Context) time.Duration {
	c := q.courier
	now := c.opts.Now()
	if err := q.sweep(ctx, now); err != nil {
		return q.troubled(ctx, err)
	}
	if c.isPaused(q.Workspace) {
		return lookAgain
	}
	if q.impatient.Swap(false) {
		q.breaker.until = time.Time{}
	}
	if n := q.breaker.allows(now, c.opts.Attempts-q.busy, q.busy); n > 0 {
		items, err := c.opts.Store.Claim(ctx, q.Queue, cx.InstantOf(now), n)
		if err != nil {
			return q.troubled(ctx, err)
		}
		for i := range items {
			q.busy++
			go q.attempt(attempts, items[i])
		}
	}
	if q.busy == c.opts.Attempts || q.busy > 0 && q.breaker.open() {
		return lookAgain // the next that ends makes room
	}
	due, err := c.opts.Store.Due(ctx, q.Queue)
	switch {
	case err != nil:
		return q.troubled(ctx, err)
	case due == 0:
		return lookAgain
	}
	wait := max(due.Time().Sub(now), q.breaker.until.Sub(now), 0)
	return min(wait, lookAgain)
}

// sweepEvery is how often a queue that is at work looks for what is too old: it
// reads all that waits.
const sweepEvery = 10 * time.Second

// sweep gives up what was decided too long ago.
func (q *queue) sweep(ctx context.Context, now time.Time) error {
	c := q.courier
	if now.Sub(q.swept) < sweepEvery {
		return nil
	}
	n, err := c.opts.Store.Expire(ctx, q.Queue, cx.InstantOf(now.Add(-c.opts.GiveUp)), cx.InstantOf(now), "not sent within "+c.opts.GiveUp.String())
	if err != nil {
		return err
	}
	if q.swept = now; n > 0 {
		nudge(c.settled)
	}
	return nil
}

// troubled says that the store failed, and how long to wait.
func (q *queue) troubled(ctx context.Context, err error) time.Duration {
	if ctx.Err() == nil {
		q.courier.opts.Log.ErrorContext(ctx, "sends wait, trying again", slog.String("destination", q.Destination), slog.Any("error", err))
	}
	return time.Second
}

// attempt makes one attempt.
func (q *queue) attempt(ctx context.Context, i Item) {
	fault.Point("send.before")
	ctx, cancel := context.WithTimeout(ctx, q.courier.opts.Timeout)
	defer cancel()
	err := q.courier.send(ctx, &i.Delivery)
	fault.Point("send.inside")
	q.done <- result{i, err}
}

// send hands a delivery to the sender of its channel.
func (c *Courier) send(ctx context.Context, d *cx.Delivery) error {
	s := c.opts.Senders[d.Channel]
	if s == nil {
		return Refused(fmt.Errorf("this program has no channel %q", d.Channel))
	}
	return s.Send(ctx, d)
}

// finish records what came of an attempt and of others that have ended meanwhile.
// What cannot be recorded stays marked as being tried.
func (q *queue) finish(ctx context.Context, first result) {
	items := []Item{q.judge(ctx, first)}
	for more := true; more; {
		select {
		case r := <-q.done:
			items = append(items, q.judge(ctx, r))
		default:
			more = false
		}
	}
	q.busy -= len(items)
	q.show()
	c := q.courier
	if !c.insist(ctx, "record what was sent", func() error { return c.opts.Store.Record(ctx, items) }) {
		return
	}
	fault.Point("send.after")
	nudge(c.settled)
}

// judge decides what follows from an attempt, for the delivery and for the
// destination.
func (q *queue) judge(ctx context.Context, r result) Item {
	c, i := q.courier, r.item
	now := c.opts.Now()
	outcome, after := OutcomeOf(r.err)
	wait := max(after, backoff(i.Attempts, c.opts.FirstRetry, c.opts.LongestRetry))
	due := cx.InstantOf(now.Add(wait))
	switch outcome {
	case Accepted:
		i.settle(cx.DeliverySent, "", cx.InstantOf(now))
	case Declined:
		state := cx.DeliveryFailed
		if i.Doubt {
			state = cx.DeliveryUnknown
		}
		i.settle(state, r.err.Error(), cx.InstantOf(now))
	case Deferred:
		i.again(due, r.err.Error())
	case Unclear:
		c.doubt(&i, r.err.Error(), due, cx.InstantOf(now))
	}
	q.note(ctx, outcome, after, now, r.err)
	return i
}

// note lets the breaker know. A destination that refuses is alive.
func (q *queue) note(ctx context.Context, o Outcome, after time.Duration, now time.Time, err error) {
	if o == Deferred || o == Unclear {
		q.breaker.fail(now, after)
		q.courier.opts.Log.WarnContext(ctx, "a send failed", slog.String("workspace", string(q.Workspace)), slog.String("destination", q.Destination), slog.Any("error", err))
		return
	}
	if q.breaker.succeed() {
		// Others wait for their turn because it was dead: now it is not.
		if _, err := q.courier.opts.Store.Hurry(ctx, q.Queue, cx.SendKey{}, cx.InstantOf(now)); err != nil {
			q.courier.opts.Log.ErrorContext(ctx, "retries keep their time", slog.String("destination", q.Destination), slog.Any("error", err))
		}
	}
}

// show lets others see the breaker.
func (q *queue) show() {
	q.courier.mu.Lock()
	defer q.courier.mu.Unlock()
	q.state.open, q.state.until = q.breaker.open(), q.breaker.until
}
