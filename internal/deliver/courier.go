package deliver

import (
	"cmp"
	"context"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// Outbox is what the checkpoints hold that is to be sent: a pipeline.Store is one.
type Outbox interface {
	// EachDelivery calls found for every delivery above a position whose fate the
	// last checkpoint does not know.
	EachDelivery(ctx context.Context, after cx.Position, found func(cx.Delivery) error) error
}

// Options say what a Courier works with. Outbox, Store, Senders and Tell are
// needed; the zero value of everything else is a sensible default.
type Options struct {
	Outbox  Outbox
	Store   Store
	Senders map[cx.Channel]Sender
	// Tell puts fates into the journal and returns when they are durable, at or
	// before the position it returns.
	Tell func(ctx context.Context, fates []cx.Fate) (cx.Position, error)
	Log  *slog.Logger
	Now  func() time.Time

	Attempts     int           // under way at once to one destination; default 8
	Timeout      time.Duration // of one attempt; default 15 s
	FirstRetry   time.Duration // longest wait before the second attempt; default 5 s
	LongestRetry time.Duration // longest wait before any; default 1 hour
	GiveUp       time.Duration // no attempt is made so long after the decision; default 24 hours
	Keep         time.Duration // how long what was not sent is listed; default 30 days
}

// Courier sends deliveries. Run does the work; the other methods may be called at
// any time.
type Courier struct {
	opts      Options
	committed atomic.Uint64 // position of the last checkpoint that we were told of
	woken     chan struct{} // a checkpoint was committed
	settled   chan struct{} // there is a fate to tell

	mu     sync.Mutex
	queues map[Queue]*queue
	paused map[cx.Workspace]bool
	counts map[cx.DeliveryState]uint64 // whose fate was told since the start

	moved time.Time // when Released last moved up
}

// Open returns a Courier. What stands in the outbox now is taken for tried before
// if the store has never seen a delivery: somebody may have lost it.
func Open(ctx context.Context, o Options) (*Courier, error) {
	o.Log = cmp.Or(o.Log, slog.New(slog.DiscardHandler))
	if o.Now == nil {
		o.Now = time.Now
	}
	o.Attempts = cmp.Or(o.Attempts, 8)
	o.Timeout = cmp.Or(o.Timeout, 15*time.Second)
	o.FirstRetry = cmp.Or(o.FirstRetry, 5*time.Second)
	o.LongestRetry = max(cmp.Or(o.LongestRetry, time.Hour), o.FirstRetry)
	o.GiveUp = cmp.Or(o.GiveUp, 24*time.Hour)
	o.Keep = cmp.Or(o.Keep, 30*24*time.Hour)
	c := &Courier{
		opts: o, woken: make(chan struct{}, 1), settled: make(chan struct{}, 1),
		queues: map[Queue]*queue{}, paused: map[cx.Workspace]bool{}, counts: map[cx.DeliveryState]uint64{},
	}
	paused, err := o.Store.Paused(ctx)
	if err != nil {
		return nil, err
	}
	for _, w := range paused {
		c.paused[w] = true
	}
	return c, c.begin(ctx)
}

// begin marks a store that has never been used as used, unless something may have
// been sent before.
func (c *Courier) begin(ctx context.Context) error {
	released, err := c.opts.Store.Released(ctx)
	if err != nil || released > 0 {
		return err
	}
	waiting := false
	err = c.opts.Outbox.EachDelivery(ctx, 0, func(cx.Delivery) error {
		waiting = true
		return nil
	})
	if err != nil || waiting {
		return err
	}
	return c.opts.Store.Take(ctx, nil, 1)
}

// Committed tells the Courier that a checkpoint at p is durable. It never waits.
func (c *Courier) Committed(p cx.Position) {
	c.committed.Store(uint64(p))
	nudge(c.woken)
}

// nudge wakes whoever waits for ch, now or next.
func nudge(ch chan struct{}) {
	select {
	case ch <- struct{}{}:
	default:
	}
}

// Run sends until ctx ends; attempts under way then have a few seconds to end. It
// must be called when the checkpoint knows every fate that the journal held when
// the program started.
func (c *Courier) Run(ctx context.Context) {
	for _, step := range []struct {
		doing string
		do    func(context.Context) error
	}{{"look after interrupted sends", c.resume}, {"compare the outbox with what was sent", c.reconcile}, {"open the queues", c.openQueues}} {
		if !c.insist(ctx, step.doing, func() error { return step.do(ctx) }) {
			return
		}
	}
	var working sync.WaitGroup
	defer working.Wait()
	working.Go(func() { c.tell(ctx) })
	c.start(ctx, &working)
	for {
		select {
		case <-c.woken:
		case <-ctx.Done():
			c.farewell(ctx)
			return
		}
		if !c.insist(ctx, "take deliveries out of the checkpoint", func() error { return c.take(ctx) }) {
			return
		}
		c.start(ctx, &working)
		nudge(c.settled)
	}
}

// farewell notes up to where everything was taken.
func (c *Courier) farewell(ctx context.Context) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), grace)
	defer cancel()
	c.moved = time.Time{}
	if err := c.take(ctx); err != nil {
		c.opts.Log.WarnContext(ctx, "deliveries wait for the next start", slog.Any("error", err))
	}
}

// insist does f until it succeeds or ctx ends; then it returns false.
func (c *Courier) insist(ctx context.Context, doing string, f func() error) bool {
	for n := uint32(1); ; n++ {
		err := f()
		switch {
		case ctx.Err() != nil:
			return false
		case err == nil:
			return true
		}
		c.opts.Log.ErrorContext(ctx, "sends wait, trying again", slog.String("doing", doing), slog.Any("error", err))
		select {
		case <-time.After(backoff(n, 100*time.Millisecond, 10*time.Second)):
		case <-ctx.Done():
			return false
		}
	}
}

// resume settles or queues what was being tried when the program ended.
func (c *Courier) resume(ctx context.Context) error {
	items, err := c.opts.Store.Interrupted(ctx)
	if err != nil || len(items) == 0 {
		return err
	}
	now := c.now()
	for i := range items {
		c.doubt(&items[i], "the program ended inside an attempt", now, now)
	}
	return c.opts.Store.Record(ctx, items)
}

// doubt decides what follows when nobody knows whether an attempt reached the
// receiver: a repetition at due if the receiver can tell it from the first or if
// somebody is owed it, else nothing.
func (c *Courier) doubt(i *Item, reason string, due, now cx.Instant) {
	i.Doubt = true
	s := c.opts.Senders[i.Channel]
	if i.Purpose == cx.Transactional || s != nil && s.Idempotent(&i.Delivery) {
		i.again(due, reason)
		return
	}
	i.settle(cx.DeliveryUnknown, reason, now)
}

// reconcile compares the outbox with the store. What the store does not know
// although it has seen the checkpoint that it must have come with was not decided
// the first time: the state was computed again, by rules or code that judge old
// events otherwise. It is withheld.
func (c *Courier) reconcile(ctx context.Context) error {
	released, err := c.opts.Store.Released(ctx)
	if err != nil {
		return err
	}
	upto := max(1, released, cx.Position(c.committed.Load()))
	now := c.now()
	var items []Item
	err = c.opts.Outbox.EachDelivery(ctx, 0, func(d cx.Delivery) error {
		upto = max(upto, d.Position)
		known, err := c.opts.Store.Known(ctx, d.Key)
		if err != nil || known >= d.Position {
			return err
		}
		i := Item{Delivery: d, State: cx.DeliveryQueued, Due: now}
		switch {
		case known != 0: // to be sent again
		case len(d.Payload) == 0:
			i.settle(cx.DeliveryUnknown, "what was to be sent again is lost", now)
		case released == 0:
			c.doubt(&i, "the record of what was sent is lost", now, now)
		case d.Position <= released:
			i.settle(cx.DeliveryWithheld, "it came up when old events were judged again", now)
		}
		items = append(items, i)
		return nil
	})
	if err != nil || len(items) == 0 && upto == released {
		return err
	}
	return c.opts.Store.Take(ctx, items, upto)
}

// take adds what checkpoints have brought since the last time. Where they brought
// nothing, that is noted once a minute.
func (c *Courier) take(ctx context.Context) error {
	upto := cx.Position(c.committed.Load())
	released, err := c.opts.Store.Released(ctx)
	if err != nil || upto <= released {
		return err
	}
	now := c.now()
	var items []Item
	err = c.opts.Outbox.EachDelivery(ctx, released, func(d cx.Delivery) error {
		upto = max(upto, d.Position)
		i := Item{Delivery: d, State: cx.DeliveryQueued, Due: now}
		if len(d.Payload) == 0 {
			if known, err := c.opts.Store.Known(ctx, d.Key); err != nil {
				return err
			} else if known == 0 {
				i.settle(cx.DeliveryUnknown, "what was to be sent again is lost", now)
			}
		}
		items = append(items, i)
		return nil
	})
	if err != nil || len(items) == 0 && c.opts.Now().Sub(c.moved) < time.Minute {
		return err
	}
	if err := c.opts.Store.Take(ctx, items, upto); err != nil {
		return err
	}
	c.moved = c.opts.Now()
	for i := range items {
		c.queue(items[i].Queue()).wake()
	}
	return nil
}

// openQueues finds the queues that have something to do.
func (c *Courier) openQueues(ctx context.Context) error {
	queues, err := c.opts.Store.Queues(ctx)
	for _, q := range queues {
		c.queue(q)
	}
	return err
}

// queue returns the queue of a destination, making it when there is none.
func (c *Courier) queue(name Queue) *queue {
	c.mu.Lock()
	defer c.mu.Unlock()
	q := c.queues[name]
	if q == nil {
		q = &queue{
			Queue: name, courier: c, woken: make(chan struct{}, 1), done: make(chan result, c.opts.Attempts),
			breaker: breaker{first: c.opts.FirstRetry, longest: min(c.opts.LongestRetry, time.Minute)},
		}
		c.queues[name] = q
	}
	return q
}

// start lets the queues work that do not yet.
func (c *Courier) start(ctx context.Context, working *sync.WaitGroup) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.queues {
		if !q.running {
			q.running = true
			working.Go(func() { q.run(ctx) })
		}
	}
}

func (c *Courier) now() cx.Instant { return cx.InstantOf(c.opts.Now()) }

// isPaused reports whether the sends of a workspace are paused.
func (c *Courier) isPaused(w cx.Workspace) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.paused[w] || c.paused[Everywhere]
}

// grace is how long attempts under way may take when the program is stopping.
const grace = 5 * time.Second
