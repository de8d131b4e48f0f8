package sqlite

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/kikubari/kikubari/internal/cx"
)

// DefinitionSet is one published set of definitions of a workspace.
type DefinitionSet struct {
	Workspace cx.Workspace
	Sequence  uint64      // 1, 2, 3 … in the workspace
	Position  cx.Position // of the entry that put it in force
	At        cx.Instant
	Who       cx.KeyID
	Why       string
	Blob      []byte // the set in its canonical encoding
}

// PutDefinitions keeps a published set. A sequence number that is taken has kind
// Conflict.
func (c *Control) PutDefinitions(ctx context.Context, d DefinitionSet) error {
	_, err := c.db.ExecContext(ctx, "INSERT INTO definitions (workspace, sequence, position, at, who, why, blob) VALUES (?, ?, ?, ?, ?, ?, ?)",
		d.Workspace, int64(d.Sequence), int64(d.Position), d.At, d.Who, d.Why, blob(d.Blob))
	if err != nil {
		return fmt.Errorf("keep definitions: %w", taken(err, fmt.Sprintf("set %d of workspace %q exists already", d.Sequence, d.Workspace)))
	}
	return nil
}

// Definitions returns up to limit sets of a workspace, newest first.
func (c *Control) Definitions(ctx context.Context, w cx.Workspace, limit int) ([]DefinitionSet, error) {
	return list(ctx, c.db, scanDefinitions,
		"SELECT workspace, sequence, position, at, who, why, blob FROM definitions WHERE workspace = ? ORDER BY sequence DESC LIMIT ?", w, limit)
}

// DefinitionsAt returns the set of a workspace with the given sequence number,
// or kind NotFound.
func (c *Control) DefinitionsAt(ctx context.Context, w cx.Workspace, sequence uint64) (DefinitionSet, error) {
	found, err := list(ctx, c.db, scanDefinitions,
		"SELECT workspace, sequence, position, at, who, why, blob FROM definitions WHERE workspace = ? AND sequence = ?", w, int64(sequence))
	if err == nil && len(found) == 0 {
		err = cx.E(cx.NotFound, "find definitions", fmt.Sprintf("set %d of workspace %q is not on record", sequence, w))
	}
	if err != nil {
		return DefinitionSet{}, err
	}
	return found[0], nil
}

// LatestDefinitions returns the newest set of each workspace that has one, by
// workspace.
func (c *Control) LatestDefinitions(ctx context.Context) ([]DefinitionSet, error) {
	return list(ctx, c.db, scanDefinitions, `
		SELECT workspace, sequence, position, at, who, why, blob FROM definitions AS d
		WHERE sequence = (SELECT max(sequence) FROM definitions WHERE workspace = d.workspace) ORDER BY workspace`)
}

func scanDefinitions(r *sql.Rows, d *DefinitionSet) error {
	return r.Scan(&d.Workspace, &d.Sequence, &d.Position, &d.At, &d.Who, &d.Why, &d.Blob)
}
