package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/kikubari/kikubari/internal/cx"
)

// BlankedName is a name that is replaced in the log while it is rewritten.
type BlankedName struct {
	Workspace cx.Workspace
	Value     string
	Token     string
}

// BeginBlanking keeps what is needed to go on with a rewriting of the log up to a
// position, should the program end meanwhile: the names that are replaced, and
// how many entries stay as they are.
func (c *Control) BeginBlanking(ctx context.Context, upto cx.Position, kept int, names []BlankedName) error {
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("begin a rewriting: %w", err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, "INSERT INTO blanking (one, upto, kept) VALUES (1, ?, ?)", int64(upto), kept); err != nil {
		return fmt.Errorf("begin a rewriting: %w", err)
	}
	for _, n := range names {
		if _, err := tx.ExecContext(ctx, "INSERT INTO blanking_names (workspace, value, token) VALUES (?, ?, ?)", n.Workspace, n.Value, n.Token); err != nil {
			return fmt.Errorf("begin a rewriting: %w", err)
		}
	}
	return tx.Commit()
}

// Blanking returns the rewriting that is under way; upto is 0 when none is.
func (c *Control) Blanking(ctx context.Context) (upto cx.Position, names []BlankedName, err error) {
	err = c.db.QueryRowContext(ctx, "SELECT upto FROM blanking").Scan(&upto)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil, nil
	}
	if err != nil {
		return 0, nil, err
	}
	names, err = list(ctx, c.db, func(r *sql.Rows, n *BlankedName) error { return r.Scan(&n.Workspace, &n.Value, &n.Token) },
		"SELECT workspace, value, token FROM blanking_names")
	return upto, names, err
}

// EndBlanking forgets the names and notes, at a time, that the archive is clean of
// all who were erased up to where the rewriting went. What it deletes is
// overwritten, in the file and in its write-ahead log.
func (c *Control) EndBlanking(ctx context.Context, at cx.Instant) error {
	if _, err := c.db.ExecContext(ctx, "DELETE FROM blanking_names"); err != nil {
		return fmt.Errorf("end a rewriting: %w", err)
	}
	if err := c.tidy(ctx); err != nil {
		return fmt.Errorf("end a rewriting: %w", err)
	}
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("end a rewriting: %w", err)
	}
	defer tx.Rollback()
	if _, err := tx.ExecContext(ctx, `UPDATE erasures SET archive_at = ?, kept = (SELECT kept FROM blanking)
		WHERE archive_at = 0 AND done_at <> 0 AND position <= (SELECT upto FROM blanking)`, at); err != nil {
		return fmt.Errorf("end a rewriting: %w", err)
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM blanking"); err != nil {
		return fmt.Errorf("end a rewriting: %w", err)
	}
	return tx.Commit()
}
