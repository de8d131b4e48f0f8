// Package warehouse says what can be asked of the rows that the machine put
// out: the questions and the answers, whichever engine keeps the rows. The
// engines are in the packages below it.
package warehouse

import (
	"context"
	"encoding/json"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// Reader answers questions about one workspace. Workspace access.Everywhere
// means all of them; the empty workspace is refused with kind Denied, so that a
// forgotten one never means more than one's own. A Reader is safe for concurrent
// use and sees whole batches only.
type Reader interface {
	// Query runs one statement that a person wrote. One that is wrong, or does
	// anything but read, has kind Invalid; one that takes too much time or memory
	// has Limited. The messages are for that person.
	Query(ctx context.Context, w cx.Workspace, statement string) (*Table, error)
	// Story returns what happened to a customer, and to those merged into it,
	// newest first: the items before the given position, 0 for the newest. It
	// returns at least limit items when there are as many, and all items of a
	// position or none, so that the last item's position is where the next page
	// begins.
	Story(ctx context.Context, w cx.Workspace, id cx.CustomerID, before cx.Position, limit int) ([]Item, error)
	// Decision returns one decision as it was recorded, or kind NotFound.
	Decision(ctx context.Context, w cx.Workspace, id cx.DecisionID) (*pipeline.DecisionRow, error)
	// Event returns the event at a position, or kind NotFound.
	Event(ctx context.Context, w cx.Workspace, at cx.Position) (*cx.Event, error)
	// EventsOf calls found for every stored event of a customer, without those of
	// customers merged into it, from one position on and before another, in order,
	// with its log time. found may keep the event.
	EventsOf(ctx context.Context, w cx.Workspace, id cx.CustomerID, from, to cx.Position, found func(at cx.Position, now cx.Instant, ev *cx.Event) error) error
	// Person calls found with every row about a customer and about those merged
	// into it, table by table in the order of PersonTables, oldest first. It does
	// not hold all of them at once.
	Person(ctx context.Context, w cx.Workspace, id cx.CustomerID, found func(PersonRow) error) error
	// Recent returns the newest events, newest first.
	Recent(ctx context.Context, w cx.Workspace, limit int) ([]Item, error)
}

// Table is the answer to a query.
type Table struct {
	Columns   []Column `json:"columns"`
	Rows      [][]any  `json:"rows"`      // values that encode as JSON
	Truncated bool     `json:"truncated"` // there were more rows than are answered
}

// Column names one column and its type as the engine calls it.
type Column struct {
	Name string `json:"name"`
	Type string `json:"type"`
}

// ItemKind says what an Item tells.
type ItemKind string

// The kinds of Item. Of items at one position, what the event led to is newer
// than the event; the order is that of this list, oldest first.
const (
	EventItem    ItemKind = "event"
	MergeItem    ItemKind = "merge"
	UnmergeItem  ItemKind = "unmerge" // stands where a merge does
	DeliveryItem ItemKind = "delivery"
	ExposureItem ItemKind = "exposure"
	SegmentItem  ItemKind = "segment"
	DecisionItem ItemKind = "decision"
)

// Item is one line of a customer's story. Which fields beyond the first four
// are set depends on the kind.
type Item struct {
	Kind     ItemKind    `json:"kind"`
	At       cx.Instant  `json:"at"` // log time
	Position cx.Position `json:"position"`
	Customer string      `json:"customer"` // to whom it happened, before any later merge

	Name       string          `json:"name,omitempty"` // events; for decisions the event that was judged
	Type       string          `json:"type,omitempty"` // events: track, page …
	Time       cx.Instant      `json:"time,omitzero"`  // events: when it happened
	Session    uint32          `json:"session,omitempty"`
	Late       bool            `json:"late,omitempty"`
	Properties json.RawMessage `json:"properties,omitempty"`

	Decision string   `json:"decision,omitempty"` // decisions, exposures and deliveries
	Winners  []Winner `json:"winners,omitempty"`  // decisions
	Action   string   `json:"action,omitempty"`   // exposures and deliveries
	Place    string   `json:"place,omitempty"`
	Fate     string   `json:"fate,omitempty"` // exposures: reserved, shown, clicked, dismissed, released, withdrawn; deliveries: sent, failed, unknown, withheld

	Delivery    string `json:"delivery,omitempty"` // the key that every attempt carried
	Destination string `json:"destination,omitempty"`

	Segment string `json:"segment,omitempty"`
	Entered bool   `json:"entered,omitempty"` // segments: false means left
	ByTime  bool   `json:"by_time,omitempty"`

	Loser  string `json:"loser,omitempty"`  // merges: who became part of Customer; un-merges: who is no part of it any more
	Reason string `json:"reason,omitempty"` // merges and deliveries
}

// Winner is one treatment that won its place.
type Winner struct {
	Action  string          `json:"action"`
	Place   string          `json:"place"`
	Channel cx.Channel      `json:"channel"`
	Content json.RawMessage `json:"content,omitempty"`
}

// PersonTable is one kind of row about a person.
type PersonTable string

// The tables of a person.
const (
	PersonEvents     PersonTable = "events"
	PersonDecisions  PersonTable = "decisions"
	PersonExposures  PersonTable = "exposures"
	PersonSegments   PersonTable = "segment_moves"
	PersonMerges     PersonTable = "merges"
	PersonDeliveries PersonTable = "deliveries"
)

// PersonTables lists them in order.
var PersonTables = []PersonTable{PersonEvents, PersonDecisions, PersonExposures, PersonSegments, PersonMerges, PersonDeliveries}

// PersonRow is one row about a person.
type PersonRow struct {
	Table    PersonTable
	Position cx.Position
	JSON     json.RawMessage // an object; instants as RFC 3339 in UTC

	// Of decisions: the number of the set that was in force, and decide.PackTrace.
	Definitions uint64
	Trace       []byte
}
