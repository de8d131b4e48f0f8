package deliver

import (
	"context"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/fault"
)

// tellAtOnce is how many fates go into the journal with one append.
const tellAtOnce = 500

// tell puts the fates of settled deliveries into the journal, until ctx ends. One
// that is told twice, because the program ended before it noted that it had told
// it, is known to the machine.
func (c *Courier) tell(ctx context.Context) {
	for {
		if !c.insist(ctx, "tell fates to the journal", func() error { return c.tellAll(ctx) }) {
			return
		}
		if !c.insist(ctx, "forget what was sent", func() error {
			return c.opts.Store.Forget(ctx, cx.Position(c.committed.Load()), cx.InstantOf(c.opts.Now().Add(-c.opts.Keep)))
		}) {
			return
		}
		select {
		case <-c.settled:
		case <-time.After(time.Minute):
		case <-ctx.Done():
			return
		}
	}
}

// tellAll tells every fate there is to tell.
func (c *Courier) tellAll(ctx context.Context) error {
	for {
		items, err := c.opts.Store.Untold(ctx, tellAtOnce)
		if err != nil || len(items) == 0 {
			return err
		}
		fates, keys := make([]cx.Fate, len(items)), make([]cx.SendKey, len(items))
		for i := range items {
			fates[i], keys[i] = items[i].fate(), items[i].Key
		}
		fault.Point("fate.before")
		at, err := c.opts.Tell(ctx, fates)
		if err != nil {
			return err
		}
		fault.Point("fate.after")
		if err := c.opts.Store.Told(ctx, keys, at); err != nil {
			return err
		}
		c.count(items)
	}
}

func (c *Courier) count(items []Item) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for i := range items {
		c.counts[items[i].State]++
	}
}
