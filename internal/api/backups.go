package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/kikubari/kikubari/internal/access"
)

// Backups makes copies of the data directory while the program runs, one at a
// time. It is safe for concurrent use.
type Backups interface {
	// Begin begins a backup into a directory of the server's machine, given as an
	// absolute path, and returns at once. While one is running it fails with kind
	// Conflict.
	Begin(ctx context.Context, dir string) (Backup, error)
	// Backup returns how the last backup fares or fared; kind NotFound when there
	// was none since the start.
	Backup() (Backup, error)
}

// The states of a backup.
const (
	BackupRunning = "running"
	BackupMade    = "made"
	BackupFailed  = "failed"
)

// Backup is how a backup fares.
type Backup struct {
	Dir   string `json:"dir" doc:"On the server's machine"`
	State string `json:"state" enum:"running,made,failed"`
	Step  string `json:"step,omitempty" doc:"running: what is being done"`
	Error string `json:"error,omitempty" doc:"failed: why, and what to do"`
	Began Time   `json:"began"`
	Ended Time   `json:"ended,omitempty"`
	Bytes int64  `json:"bytes,omitempty" doc:"made: of all files"`
	Files int    `json:"files,omitempty" doc:"made"`
	Last  uint64 `json:"last,omitempty" doc:"made: the last record of the journal in it"`
	Upto  Time   `json:"upto,omitempty" doc:"made: log time of that record; everything acknowledged before is in the backup"`
}

type beginBackupInput struct {
	ChangeInput
	RawBody []byte
	Body    struct {
		Dir string `json:"dir" minLength:"1" maxLength:"1000" doc:"Absolute path of a directory on the server's machine that is empty or does not exist"`
		Why string `json:"why,omitempty" maxLength:"500"`
	}
}

// beginBackup starts a backup. It answers before the backup is made.
func (a *API) beginBackup(ctx context.Context, in *beginBackupInput) (*changed[Backup], error) {
	return change(ctx, a, &in.ChangeInput, in.RawBody, http.StatusAccepted, func() (access.Update, Backup, error) {
		b, err := a.backups.Begin(ctx, in.Body.Dir)
		note := access.Change{Workspace: access.Everywhere, Why: in.reason(in.Body.Why), What: "back up into " + in.Body.Dir}
		return access.Update{Change: note}, b, err
	})
}

func (a *API) backup(context.Context, *struct{}) (*answer[Backup], error) {
	b, err := a.backups.Backup()
	return &answer[Backup]{b}, err
}

// accepts marks a route that answers 202: what was asked for goes on.
func accepts(op *huma.Operation) { op.DefaultStatus = http.StatusAccepted }
