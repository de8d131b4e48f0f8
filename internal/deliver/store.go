package deliver

import (
	"context"

	"github.com/kikubari/kikubari/internal/cx"
)

// Store keeps how far deliveries have come. What it has committed survives a
// power cut. It is safe for concurrent use.
type Store interface {
	// Released returns the position up to which deliveries were taken out of
	// checkpoints, 0 when that has never been done.
	Released(ctx context.Context) (cx.Position, error)
	// Known returns the position at which a delivery that was taken before, and is not
	// forgotten, was last decided on; 0 for any other.
	Known(ctx context.Context, k cx.SendKey) (cx.Position, error)
	// Take adds deliveries and moves Released up, in one transaction. One that is
	// known is passed over, unless its position is above the known one: then it is to
	// be sent again, with the payload that is kept.
	Take(ctx context.Context, items []Item, released cx.Position) error

	// Queues returns the queues that have something queued.
	Queues(ctx context.Context) ([]Queue, error)
	// Claim marks up to n queued items of a queue that are due by now as being
	// tried, those due first first, and returns them once that would survive a
	// power cut. Their Attempts include the one that may now be made.
	Claim(ctx context.Context, q Queue, now cx.Instant, n int) ([]Item, error)
	// Due returns when the next queued item of a queue is due, 0 for none.
	Due(ctx context.Context, q Queue) (cx.Instant, error)
	// Interrupted returns every item that is marked as being tried.
	Interrupted(ctx context.Context) ([]Item, error)
	// Record keeps State, Attempts, Due, Doubt, Reason and SettledAt of items. The
	// payloads of those that were sent are dropped.
	Record(ctx context.Context, items []Item) error
	// Expire settles the queued items of a queue that were decided before a time
	// and have been tried, or are not transactional: as failed, or as unknown where
	// there is doubt. It returns how many there were.
	Expire(ctx context.Context, q Queue, decidedBefore, now cx.Instant, reason string) (int, error)
	// Hurry makes what is queued due at now: one delivery, or with a zero key all
	// of a queue. It returns how many there were.
	Hurry(ctx context.Context, q Queue, k cx.SendKey, now cx.Instant) (int, error)

	// Untold returns up to limit settled items whose fate is not known to be in the
	// journal.
	Untold(ctx context.Context, limit int) ([]Item, error)
	// Told notes that the fates of deliveries are in the journal, at or before a
	// position.
	Told(ctx context.Context, keys []cx.SendKey, at cx.Position) error
	// Forget drops sent items that were told up to a position, because a checkpoint
	// knows of them, and such items of other fates that were settled before a time.
	Forget(ctx context.Context, told cx.Position, settledBefore cx.Instant) error

	// Resendable returns up to limit items that failed or are unknown, whose fate is
	// in the journal and whose payload is kept, by position.
	Resendable(ctx context.Context, f Filter, limit int) ([]Item, error)

	// List returns up to limit items without their payloads: the unsettled first,
	// by when they are due, then the settled, newest first.
	List(ctx context.Context, f Filter, limit int) ([]Item, error)
	// Tally counts items by queue and state.
	Tally(ctx context.Context) ([]Count, error)

	// Paused returns the workspaces whose sends are paused; Everywhere pauses all.
	Paused(ctx context.Context) ([]cx.Workspace, error)
	// Pause pauses or resumes the sends of a workspace.
	Pause(ctx context.Context, w cx.Workspace, paused bool) error
}

// Everywhere stands for all workspaces, as access.Everywhere does.
const Everywhere cx.Workspace = "*"

// Item is a delivery and how far it has come.
type Item struct {
	cx.Delivery
	State     cx.DeliveryState
	Attempts  uint32     // made, or being made
	Due       cx.Instant // when the next attempt may be made; queued items only
	Doubt     bool       // an earlier attempt may have reached the receiver
	Reason    string     // why the last attempt failed, for people
	SettledAt cx.Instant // wall clock; 0 until it is settled
}

// Queue returns the queue that the item stands in.
func (i *Item) Queue() Queue { return Queue{i.Workspace, i.Channel, i.Destination} }

// settle ends the item.
func (i *Item) settle(s cx.DeliveryState, reason string, now cx.Instant) {
	i.State, i.Reason, i.SettledAt = s, reason, now
}

// again queues the item once more.
func (i *Item) again(due cx.Instant, reason string) {
	i.State, i.Due, i.Reason = cx.DeliveryQueued, due, reason
}

// fate returns what is told of a settled item.
func (i *Item) fate() cx.Fate {
	f := cx.Fate{
		Key: i.Key, Workspace: i.Workspace, Customer: i.Customer, Decision: i.Decision, Action: i.Action,
		Channel: i.Channel, Destination: i.Destination, State: i.State, Attempts: i.Attempts,
	}
	if i.State != cx.DeliverySent {
		f.Reason = i.Reason
	}
	return f
}

// Queue is one destination of one workspace.
type Queue struct {
	Workspace   cx.Workspace
	Channel     cx.Channel
	Destination string
}

// Filter narrows a list; zero fields do not.
type Filter struct {
	Workspace   cx.Workspace // Everywhere is as good as none
	Destination string
	State       cx.DeliveryState

	// Of Resendable only.
	Key   cx.SendKey
	Since cx.Instant // settled since
}

// Count says how many items of a queue are in a state.
type Count struct {
	Queue
	State  cx.DeliveryState
	Items  int
	Oldest cx.Instant // when the oldest of them was decided
}
