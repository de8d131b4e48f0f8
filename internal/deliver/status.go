package deliver

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// Pause stops or goes on with the sends of a workspace, of all for Everywhere. It
// outlives the program. Attempts under way end.
func (c *Courier) Pause(ctx context.Context, w cx.Workspace, paused bool) error {
	if err := c.opts.Store.Pause(ctx, w, paused); err != nil {
		return err
	}
	c.mu.Lock()
	c.paused[w] = paused
	c.mu.Unlock()
	c.wakeAll()
	return nil
}

// Paused reports whether the sends of a workspace are paused.
func (c *Courier) Paused(w cx.Workspace) bool { return c.isPaused(w) }

// Retry makes what waits for its next attempt due now: one delivery, or with a zero
// key all of a destination, or with "" all of the workspace. It returns how many
// there were. A destination that was left alone because it is dead is tried too.
func (c *Courier) Retry(ctx context.Context, w cx.Workspace, destination string, k cx.SendKey) (n int, err error) {
	queues, err := c.opts.Store.Queues(ctx)
	if err != nil {
		return 0, err
	}
	for _, name := range queues {
		if w != Everywhere && name.Workspace != w || destination != "" && name.Destination != destination {
			continue
		}
		hurried, err := c.opts.Store.Hurry(ctx, name, k, c.now())
		if err != nil {
			return n, err
		}
		if n += hurried; hurried > 0 {
			q := c.queue(name)
			q.impatient.Store(true)
			q.wake()
		}
	}
	return n, nil
}

// Resendable returns up to limit deliveries that failed or are unknown and can be
// sent again, by position.
func (c *Courier) Resendable(ctx context.Context, f Filter, limit int) ([]Item, error) {
	return c.opts.Store.Resendable(ctx, f, limit)
}

// Repeats reports whether sending the item again may have its receiver do it
// twice: it may have arrived, and the receiver cannot tell.
func (c *Courier) Repeats(i *Item) bool {
	s := c.opts.Senders[i.Channel]
	return i.State == cx.DeliveryUnknown && (s == nil || !s.Idempotent(&i.Delivery))
}

// List returns up to limit deliveries, the unsettled first.
func (c *Courier) List(ctx context.Context, f Filter, limit int) ([]Item, error) {
	return c.opts.Store.List(ctx, f, limit)
}

// Destination is how one destination does.
type Destination struct {
	Queue
	Waiting int        // queued or being tried
	Unknown int        // tried, and nobody knows whether it arrived
	Failed  int        // will not arrive
	Oldest  cx.Instant // when the oldest that waits was decided, 0 for none
	Open    bool       // it does not answer and is tried now and then only
	Until   time.Time  // when it will be tried again, if it is open
}

// Destinations reports on every destination that has something to report, in no
// order.
func (c *Courier) Destinations(ctx context.Context) ([]Destination, error) {
	counts, err := c.opts.Store.Tally(ctx)
	if err != nil {
		return nil, err
	}
	index := map[Queue]int{}
	var out []Destination
	for _, n := range counts {
		i, known := index[n.Queue]
		if !known {
			i = len(out)
			index[n.Queue] = i
			out = append(out, c.destination(n.Queue))
		}
		d := &out[i]
		switch n.State {
		case cx.DeliveryQueued, cx.DeliveryTrying:
			d.Waiting += n.Items
			if d.Oldest == 0 || n.Oldest < d.Oldest {
				d.Oldest = n.Oldest
			}
		case cx.DeliveryUnknown:
			d.Unknown = n.Items
		case cx.DeliveryFailed:
			d.Failed = n.Items
		default:
		}
	}
	return out, nil
}

func (c *Courier) destination(name Queue) Destination {
	c.mu.Lock()
	defer c.mu.Unlock()
	d := Destination{Queue: name}
	if q := c.queues[name]; q != nil {
		d.Open, d.Until = q.state.open, q.state.until
	}
	return d
}

// Troubles says what holds sends up, a sentence each, from memory.
func (c *Courier) Troubles() (out []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for w, paused := range c.paused {
		switch {
		case !paused:
		case w == Everywhere:
			out = append(out, "all sends are paused; kikubari sends resume goes on")
		default:
			out = append(out, "sends of workspace "+string(w)+" are paused; kikubari sends resume --workspace "+string(w)+" goes on")
		}
	}
	for name, q := range c.queues {
		if q.state.open {
			out = append(out, fmt.Sprintf("destination %s of workspace %s does not answer and is tried now and then; kikubari sends list --destination %[1]s says why", name.Destination, name.Workspace))
		}
	}
	slices.Sort(out)
	return out
}

// Settled returns how many deliveries ended in each state since the start.
func (c *Courier) Settled() map[cx.DeliveryState]uint64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	return maps.Clone(c.counts)
}

// wakeAll lets every queue look again.
func (c *Courier) wakeAll() {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, q := range c.queues {
		q.wake()
	}
}
