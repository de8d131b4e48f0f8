package api

import (
	"context"
	"encoding/json"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// Customers answers what is known of the customers of one workspace now. It is
// safe for concurrent use.
type Customers interface {
	// Recent returns up to n customers, the one seen last first.
	Recent(ctx context.Context, w cx.Workspace, n int) ([]CustomerSummary, error)
	// Customer returns one customer, the winner when id was merged into another;
	// kind NotFound when the workspace has none of that id.
	Customer(ctx context.Context, w cx.Workspace, id cx.CustomerID) (Customer, error)
}

// History answers what happened. It is safe for concurrent use.
type History interface {
	// Story returns what happened to a customer at positions below before, newest
	// first; before 0 begins at the newest. It stops after limit things, but never
	// between two of one position, so that the last position leads on. Customers
	// that were merged into it are included.
	Story(ctx context.Context, w cx.Workspace, id cx.CustomerID, before cx.Position, limit int) ([]StoryItem, error)
	// Decision returns one decision with its trace; kind NotFound when the
	// workspace has none of that id.
	Decision(ctx context.Context, w cx.Workspace, id cx.DecisionID) (Decision, error)
	// Person calls found with everything that is kept about a customer and those
	// merged into it: rows as JSON objects, in the order of PersonTables, oldest
	// first.
	Person(ctx context.Context, w cx.Workspace, id cx.CustomerID, found func(table string, row json.RawMessage) error) error
	PersonTables() []string
	// Query runs one read-only statement over the rows of workspace w, of all
	// workspaces when w is access.Everywhere, within the program's limits of
	// time, memory and size. A statement that is wrong or not allowed has kind
	// Invalid.
	Query(ctx context.Context, w cx.Workspace, query string) (Table, error)
}

// Publisher puts definitions in force. It is safe for concurrent use.
type Publisher interface {
	// Publish checks the whole set and puts it in force at one position, or
	// changes nothing. Wrong definitions have kind Invalid and Details() with
	// one line for each fault: file, line and what to do.
	Publish(ctx context.Context, p Publication) (Published, error)
	// Backfills lists the back-fills of workspace w, of all workspaces when w is
	// access.Everywhere, that are not over, by number.
	Backfills(w cx.Workspace) []Backfill
	// Versions returns up to limit published sets of workspace w, newest first.
	Versions(ctx context.Context, w cx.Workspace, limit int) ([]Published, error)
	// Export returns a set of workspace w as files, the one in force for 0; kind
	// NotFound when w has none of that number.
	Export(ctx context.Context, w cx.Workspace, set uint64) (Exported, error)
	// Compare says what differs between two sets, or between a set and files,
	// which it checks as Publish does.
	Compare(ctx context.Context, c ToCompare) (Comparison, error)
	// Rollback publishes an earlier set again, as a new one; the earlier one and
	// all others stay as they are. Kind NotFound when there is none of that
	// number, Conflict when it is in force, Invalid when this version of the
	// program cannot build it.
	Rollback(ctx context.Context, r Rollback) (Published, error)
}

// Publication is a set of definitions to be put in force.
type Publication struct {
	Workspace cx.Workspace
	Files     []File
	Who       cx.KeyID
	Why       string
	At        cx.Instant
	Strict    bool // what would be a warning is a fault
	DryRun    bool // only check: nothing is put in force
}

// ToCompare names two sets to compare. The number 0 is the set in force.
type ToCompare struct {
	Workspace cx.Workspace
	From, To  uint64
	Files     []File // instead of To
	Strict    bool   // as in Publication
}

// Rollback is an earlier set to be published again.
type Rollback struct {
	Workspace cx.Workspace
	Set       uint64
	Who       cx.KeyID
	Why       string
	DryRun    bool // only check: nothing is put in force
}

// Imports knows how far imports have come. It is safe for concurrent use.
type Imports interface {
	// Imported returns how far a job of workspace w had come a moment ago; a job
	// that nobody has heard of has not begun.
	Imported(w cx.Workspace, job string) Import
}

// Sends answers what is on its way to destinations, and holds it up. It is safe
// for concurrent use. access.Everywhere means all workspaces.
type Sends interface {
	// List returns up to limit sends, what waits first; destination "" and state 0
	// do not narrow it.
	List(ctx context.Context, w cx.Workspace, destination string, state cx.DeliveryState, limit int) ([]Send, error)
	// Destinations returns the published destinations and how they do, by name.
	Destinations(ctx context.Context, w cx.Workspace) ([]Destination, error)
	// Has reports whether a destination is published.
	Has(w cx.Workspace, destination string) bool
	// Paused reports whether the sends of a workspace are paused.
	Paused(w cx.Workspace) bool
	// Pause pauses or resumes sends, until told otherwise.
	Pause(ctx context.Context, w cx.Workspace, paused bool) error
	// Retry makes what waits due now: all, all of a destination, or one.
	Retry(ctx context.Context, w cx.Workspace, destination string, k cx.SendKey) (int, error)
	// Resend has sent again what ended without arriving, as far as is known. With
	// kind Conflict it says that something may then be done twice and was not asked
	// for; nothing is sent then.
	Resend(ctx context.Context, r Resend) (Resent, error)
	// FormatSecret writes a secret as receivers take it.
	FormatSecret(secret []byte) string
}

// Resend says what is to be sent again: one send, or all that a filter lets
// through.
type Resend struct {
	Workspace   cx.Workspace // access.Everywhere: of every workspace
	Send        cx.SendKey   // not zero: this one
	Destination string       // "" for all
	State       cx.DeliveryState
	Since       cx.Instant // ended since
	MayRepeat   bool       // also what may have arrived
	Who         cx.KeyID
	Why         string
}

// Resent is what came of a Resend.
type Resent struct {
	Sends   int      // that are on their way again
	Refused []string // why others are not, a sentence each
	More    bool     // there are more that were not looked at
}

// Records answers what is in the log: the journal and, before it, the archive.
// It is safe for concurrent use.
type Records interface {
	// Stat returns how much there is.
	Stat(ctx context.Context) (LogStat, error)
	// Newest returns the newest entries, oldest first. After and Wait do not count.
	Newest(ctx context.Context, q EntriesAsked) (LogEntries, error)
	// Entries returns the entries behind a position, in order, fewer than asked for
	// when it takes long to find them: Next leads on.
	Entries(ctx context.Context, q EntriesAsked) (LogEntries, error)
	// Archive archives what the machine does not need any more and, if it is to,
	// lets the journal drop it. When ctx ends before it is done, what was done
	// stays done, and asking again goes on.
	Archive(ctx context.Context, release bool) (LogStat, error)
}

// EntriesAsked says which entries of the log are wanted.
type EntriesAsked struct {
	Workspace cx.Workspace // access.Everywhere for all, and ticks, which belong to none
	After     cx.Position
	Limit     int
	Wait      time.Duration // for new ones, when there are none
	Full      bool          // with raw JSON
}

// Health answers how the program is, from memory, without waiting for anything.
type Health interface {
	Health() Condition
}
