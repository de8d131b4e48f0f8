package sqlite

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

// Refuse keeps samples of refused input, within access.MaxRefused a key and
// access.RefusedFor of the newest one given.
func (c *Control) Refuse(ctx context.Context, rs []access.Refused) error {
	if len(rs) == 0 {
		return nil
	}
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("keep refused input: %w", err)
	}
	defer tx.Rollback()
	if err := addRefused(ctx, tx, rs); err != nil {
		return fmt.Errorf("keep refused input: %w", err)
	}
	if err := trimRefused(ctx, tx, rs); err != nil {
		return fmt.Errorf("drop old refused input: %w", err)
	}
	return tx.Commit()
}

func addRefused(ctx context.Context, tx *sql.Tx, rs []access.Refused) error {
	insert, err := tx.PrepareContext(ctx, "INSERT INTO refused (at, workspace, key, altered, reason, item, type, name, excerpt) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)")
	if err != nil {
		return err
	}
	defer insert.Close()
	for i := range rs {
		r := &rs[i]
		if _, err := insert.ExecContext(ctx, r.At, r.Workspace, r.Key, r.Altered, r.Reason, r.Index, r.Type, r.Name, r.Excerpt); err != nil {
			return err
		}
	}
	return nil
}

func trimRefused(ctx context.Context, tx *sql.Tx, rs []access.Refused) error {
	newest, keys := cx.Instant(0), []cx.KeyID{}
	for i := range rs {
		newest = max(newest, rs[i].At)
		keys = append(keys, rs[i].Key)
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM refused WHERE at < ?", newest-access.RefusedFor); err != nil {
		return err
	}
	slices.Sort(keys)
	for _, key := range slices.Compact(keys) {
		_, err := tx.ExecContext(ctx, `DELETE FROM refused WHERE key = ?1 AND number <=
			(SELECT number FROM refused WHERE key = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2)`, key, access.MaxRefused)
		if err != nil {
			return err
		}
	}
	return nil
}

// Refused returns up to limit samples of w, newest first, of one key or of all.
func (c *Control) Refused(ctx context.Context, w cx.Workspace, key cx.KeyID, limit int) ([]access.Refused, error) {
	return list(ctx, c.db, func(r *sql.Rows, f *access.Refused) error {
		return r.Scan(&f.At, &f.Workspace, &f.Key, &f.Altered, &f.Reason, &f.Index, &f.Type, &f.Name, &f.Excerpt)
	}, `SELECT at, workspace, key, altered, reason, item, type, name, excerpt FROM refused
		WHERE workspace = ?1 AND (?2 = '' OR key = ?2) ORDER BY number DESC LIMIT ?3`, w, key, limit)
}
