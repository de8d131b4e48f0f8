package pipeline

import (
	"context"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/profile"
)

// Store keeps checkpoints of the machine's state. It is used by one pipeline at
// a time; Customers, SeenAt and EachSeen may be called concurrently with Checkpoint and
// see either the state before it or the state after it.
type Store interface {
	// Recover takes a new epoch, which fences off any earlier user of the store,
	// and returns the header of the last committed checkpoint; its Position is 0
	// when there is none.
	Recover(ctx context.Context) (Recovery, error)
	// Checkpoint commits c in one transaction. It fails with kind Conflict, and
	// changes nothing, unless c.Epoch is the epoch of the last Recover and
	// c.Previous is the position of the last committed checkpoint, which may be
	// c.Position too.
	Checkpoint(ctx context.Context, c *Checkpoint) error
	// Customers calls found for each stored customer among ids, in any order; ids
	// without a row are passed over. blob is valid during the call only.
	Customers(ctx context.Context, ids []cx.CustomerID, found func(id cx.CustomerID, blob []byte) error) error
	// EachCustomer calls found for every stored customer in order of id.
	EachCustomer(ctx context.Context, found func(id cx.CustomerID, blob []byte) error) error
	// NextCustomers calls found for up to n stored customers in order of id: those
	// from one id to another, both included. blob is valid during the call only.
	NextCustomers(ctx context.Context, from, to cx.CustomerID, n int, found func(id cx.CustomerID, blob []byte) error) error
	// EachIdentity calls found for every stored identity, in any order.
	EachIdentity(ctx context.Context, found func(IdentityRow) error) error
	// EachMerged calls found for every customer that was merged into another.
	EachMerged(ctx context.Context, found func(loser, winner cx.CustomerID) error) error
	// Family calls found for everybody who was merged into id, directly or not,
	// with the customer they were merged into.
	Family(ctx context.Context, id cx.CustomerID, found func(loser, winner cx.CustomerID) error) error
	// Merges calls found for every kept merge that id took part in, in order of
	// position and index. found may keep what it is given.
	Merges(ctx context.Context, id cx.CustomerID, found func(MergeFact) error) error
	// NextMerges calls found for up to n kept merges behind one, the zero FactKey
	// for the first, in order of position, and at one position in an order that
	// stays. found may keep what it is given.
	NextMerges(ctx context.Context, after FactKey, n int, found func(MergeFact) error) error
	// EachSighting calls found for every stored sighting, in any order.
	EachSighting(ctx context.Context, found func(Sighting) error) error
	// EachDue calls found with the earliest due time of every stored customer that
	// has one.
	EachDue(ctx context.Context, found func(id cx.CustomerID, due cx.Instant) error) error
	// EachDelivery calls found for every delivery of the outbox whose position is
	// above after, in order of position and key: those whose fate the checkpoint
	// does not know. found may keep what it is given.
	EachDelivery(ctx context.Context, after cx.Position, found func(cx.Delivery) error) error
	// SeenAt returns when a message of a customer was received, in seconds since
	// 1970, if its mark was spilled to the store; ok is false when it was not.
	SeenAt(ctx context.Context, id cx.CustomerID, message uint64) (at uint32, ok bool, err error)
	// EachSeen calls found for every spilled mark of a customer that SeenAt would
	// find, in any order.
	EachSeen(ctx context.Context, id cx.CustomerID, found func(message uint64, at uint32) error) error
}

// Recovery is where a restarted machine goes on from.
type Recovery struct {
	Epoch    uint64
	Position cx.Position // everything up to and including this entry is in the state
	Time     cx.Instant  // log time of that entry
	Shared   []byte      // the state shared between customers, as the checkpoint gave it
}

// Checkpoint is a consistent cut of the machine's state at a tick: what changed
// since the previous one.
type Checkpoint struct {
	Epoch      uint64
	Previous   cx.Position
	Position   cx.Position
	Time       cx.Instant
	Shared     []byte
	Customers  []CustomerRow   // sorted by id
	Gone       []cx.CustomerID // rows to delete: losers of merges
	Identities []IdentityRow
	Merged     [][2]cx.CustomerID // loser, winner; twice the same: merged no more
	Merges     []MergeChange      // in order
	MergeFloor cx.Instant         // merges made before this may be dropped
	Sightings  []Sighting         // one replaces that of the same identity; with nobody seen it removes it
	Spilled    []SpillRow
	SpillFloor uint32          // spilled marks received before this second may be dropped
	Deliveries []cx.Delivery   // put into the outbox …
	Settled    []Settlement    // … and taken out of it again: their fate is known
	Erased     []cx.CustomerID // of whom, after all that, nothing may be left
}

// Settlement takes a delivery out of the outbox, unless it was put there after
// Position, that of the fate.
type Settlement struct {
	Key      cx.SendKey
	Position cx.Position
}

// CustomerRow is one customer, encoded. Due is the earliest due time of its
// timers, 0 when it has none.
type CustomerRow struct {
	ID        cx.CustomerID
	Workspace cx.Workspace
	Due       cx.Instant
	Blob      []byte
}

// MergeFact is one merge as it was made.
type MergeFact = profile.MergeFact

// FactKey names one merge.
type FactKey = profile.FactKey

// Sighting says on which users a value was seen, and whether it is in quarantine.
type Sighting = profile.Sighting

// MergeChange is one change to the kept merges: Put one, or Forget or mark as
// undone the one called Key.
type MergeChange struct {
	Position cx.Position // of the entry that led to it
	Put      *MergeFact
	Key      FactKey
	Undone   bool // else, without Put, forget it
}

// IdentityRow links an identity to a customer. A row with the same workspace,
// namespace and value replaces the earlier one.
type IdentityRow struct {
	Workspace cx.Workspace
	Identity  cx.Identity
	Customer  cx.CustomerID
}

// SpillRow is the mark of a received message that no longer fits in memory.
type SpillRow struct {
	Customer cx.CustomerID
	Message  uint64
	At       uint32 // seconds since 1970
}

// Warehouse takes the rows for analysis, exactly once.
type Warehouse interface {
	// Position returns the position up to which rows are stored, 0 for none.
	Position(ctx context.Context) (cx.Position, error)
	// Append stores the rows and the batch's position in one transaction. It keeps
	// nothing of b: its memory is used again.
	Append(ctx context.Context, b *Batch) error
}

// Batch is what the machine put out since the last one. Rows of one customer are
// in order of position; those of different customers are in no order.
// Upto is the position of the tick that closed it. Rows at or below the
// warehouse's position have been left out already.
type Batch struct {
	Upto      cx.Position
	Events    []EventRow
	Decisions []DecisionRow
	Exposures []ExposureRow
	Moves     []SegmentRow
	Merges    []MergeRow
	Erased    []ErasedRow // to be carried out after the rows of the batch are stored
	Resorted  []ResortRow // events that were stored before, or stand in this batch

	Deliveries []DeliveryRow
}

// EventRow is one folded event; duplicates are not rows.
type EventRow struct {
	Position cx.Position
	At       cx.Instant // log time
	Customer cx.CustomerID
	Session  uint32 // number of the customer's session, 0 for none
	Late     bool
	Event    *cx.Event // aliases the journal record, which stays alive with it
}

// DecisionRow is one decision with what is needed to explain it again.
type DecisionRow struct {
	ID          cx.DecisionID
	Position    cx.Position
	At          cx.Instant
	Workspace   cx.Workspace
	Customer    cx.CustomerID
	Event       cx.EventName
	Definitions uint64
	Winners     []cx.Treatment
	Trace       []byte // decide.PackTrace
	Input       []byte // what Explain needs to decide again
}

// ExposureRow is one report of what became of a treatment.
type ExposureRow struct {
	Position  cx.Position
	At        cx.Instant
	Workspace cx.Workspace
	Customer  cx.CustomerID
	Decision  cx.DecisionID
	Action    string
	Place     string
	Fate      cx.AttentionState

	// What it taught about the action.
	Exposed   bool // it was seen for the first time
	Responded bool // it was clicked for the first time
}

// SegmentRow says that a customer entered or left a segment.
type SegmentRow struct {
	Position  cx.Position
	At        cx.Instant
	Workspace cx.Workspace
	Customer  cx.CustomerID
	Segment   string
	Entered   bool
	ByTime    bool // by a timer, not by an event
}

// MergeRow says that two customers turned out to be one or, when Undoes is set,
// that they did not.
type MergeRow struct {
	Position  cx.Position
	At        cx.Instant
	Workspace cx.Workspace
	Winner    cx.CustomerID
	Loser     cx.CustomerID
	Reason    string      // namespace and call that linked them
	Undoes    cx.Position // of the merge that is undone, 0 for none
}

// ResortRow says that an un-merge found an event to be another customer's.
type ResortRow struct {
	Position  cx.Position // of the un-merge
	Workspace cx.Workspace
	Event     cx.Position
	Customer  cx.CustomerID
}

// DeliveryRow is how one delivery ended, once for each.
type DeliveryRow struct {
	Position cx.Position // of the fate
	At       cx.Instant
	cx.Fate
}
