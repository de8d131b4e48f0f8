package access

import (
	"context"

	"github.com/kikubari/kikubari/internal/cx"
)

// Store keeps workspaces, keys, the record of changes, remembered answers and
// samples of refused input. What Apply has committed survives a power cut. It
// is safe for concurrent use.
type Store interface {
	// Workspaces returns every workspace, by slug.
	Workspaces(ctx context.Context) ([]Workspace, error)
	// Keys returns every key, revoked ones too, by id.
	Keys(ctx context.Context) ([]Key, error)

	// Apply commits u in one transaction, or changes nothing. It fails with kind
	// Conflict when a workspace or key of u exists already or u.Answer is already
	// remembered, and with NotFound when a key to revoke does not exist. Revoking
	// a revoked key keeps its first time.
	Apply(ctx context.Context, u Update) error
	// Changes returns up to limit changes of workspace w, newest first, with
	// numbers below before; before 0 begins at the newest. Everywhere means the
	// changes of all workspaces.
	Changes(ctx context.Context, w cx.Workspace, before uint64, limit int) ([]Change, error)

	// DestinationSecrets returns the secrets that sign for a destination at now, the
	// current one first; none when none was ever made.
	DestinationSecrets(ctx context.Context, w cx.Workspace, destination string, now cx.Instant) ([]DestinationSecret, error)

	// Remembered returns the answer kept under the caller's idempotency key and
	// not yet expired at now, or nil when there is none.
	Remembered(ctx context.Context, caller cx.KeyID, idempotencyKey string, now cx.Instant) (*Answer, error)
	// Forget drops answers that expired before now.
	Forget(ctx context.Context, now cx.Instant) error

	// Refuse keeps samples of refused input: for each key the newest
	// MaxRefused, none older than RefusedFor before the newest of rs. It need
	// not survive a power cut.
	Refuse(ctx context.Context, rs []Refused) error
	// Refused returns up to limit samples of workspace w, newest first; key ""
	// means those of every key.
	Refused(ctx context.Context, w cx.Workspace, key cx.KeyID, limit int) ([]Refused, error)
}

// Update is one change of who may say what, committed as a whole.
type Update struct {
	Workspaces []Workspace        // to create
	Keys       []Key              // to create; ids and hashes are unique in the installation
	Revoke     []cx.KeyID         // to take back at Change.At
	Change     Change             // who did it and why; its Number is given by the Store
	Answer     *Answer            // to remember for a repeated request, or nil
	Secret     *DestinationSecret // to sign with from now on, or nil; earlier ones expire SecretOverlap after Change.At
}

// Change is one line of the record of what people did. Lines are only ever
// added.
type Change struct {
	Number    uint64 // 1, 2, 3 … in the installation, in order of commit
	At        cx.Instant
	Workspace cx.Workspace // Everywhere when it concerns the installation
	Who       cx.KeyID
	Why       string // as the person put it
	What      string // "create key k_…", "publish definitions 12"; never a secret
}

// AnswerFor is how long an answer is remembered.
const AnswerFor = cx.Day

// Answer is what was said to a request that carried an idempotency key, to be
// said again when it is repeated.
type Answer struct {
	Caller  cx.KeyID
	Key     string   // the idempotency key, 1 to 200 bytes
	Request [32]byte // SHA-256 of method, path and body
	Status  int      // HTTP status
	Body    []byte
	Expires cx.Instant
}

// How much refused input is kept.
const (
	MaxRefused = 1000       // samples a key
	RefusedFor = 7 * cx.Day // age of the oldest
)

// Refused is a sample of input that was refused or altered, with values masked.
type Refused struct {
	At        cx.Instant
	Workspace cx.Workspace
	Key       cx.KeyID
	Altered   bool   // taken after a change, not refused
	Reason    string // "too_large", "no_user_anon_id" …
	Index     int    // of the event in its request, -1 when the whole request is meant
	Type      string // "track" …, as far as known
	Name      string // the event's name, as far as known
	Excerpt   string // shape of the input, at most 512 bytes, no values in it
}
