package sqlite

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

// Control keeps what people did in one SQLite file. It implements access.Store
// and is safe for concurrent use.
type Control struct {
	db *sql.DB
}

var _ access.Store = (*Control)(nil)

const controlCache = 2 << 10 // KiB of pages, for each connection

// OpenControl opens the file at path, creating it when there is none and
// bringing its schema up to date. A file written by a newer program is refused
// with kind Invalid. The caller closes the Control.
func OpenControl(ctx context.Context, path string) (*Control, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	c, err := dial(path, "rwc", controlCache)
	if err != nil {
		return nil, err
	}
	err = migrate(c, "control", "control.db")
	if err = errors.Join(err, c.close()); err != nil {
		return nil, err
	}
	dsn, err := source(path, "rw", controlCache)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite3", dsn+"&_txlock=immediate")
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(4)
	return &Control{db: db}, nil
}

// Close closes the file. Calls under way are waited for.
func (c *Control) Close() error { return c.db.Close() }

// Workspaces returns every workspace, by slug.
func (c *Control) Workspaces(ctx context.Context) ([]access.Workspace, error) {
	return list(ctx, c.db, func(r *sql.Rows, w *access.Workspace) error {
		return r.Scan(&w.Slug, &w.Name, &w.SigningSecret, &w.CreatedAt)
	}, "SELECT slug, name, signing_secret, created_at FROM workspaces ORDER BY slug")
}

// Keys returns every key, revoked ones too, by id.
func (c *Control) Keys(ctx context.Context) ([]access.Key, error) {
	return list(ctx, c.db, func(r *sql.Rows, k *access.Key) error {
		var hash []byte
		err := r.Scan(&k.ID, &k.Workspace, &k.Kind, &k.Name, &hash, &k.CreatedAt, &k.RevokedAt)
		copy(k.Hash[:], hash)
		return err
	}, "SELECT id, workspace, kind, name, hash, created_at, revoked_at FROM keys ORDER BY id")
}

// Apply commits u and its line in the record of changes, or changes nothing.
// A disk that cannot be written has kind Unavailable.
func (c *Control) Apply(ctx context.Context, u access.Update) error {
	if err := c.apply(ctx, &u); err != nil {
		return fmt.Errorf("apply a change: %w", ofDisk(err))
	}
	return nil
}

func (c *Control) apply(ctx context.Context, u *access.Update) error {
	tx, err := c.db.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer tx.Rollback()
	for _, write := range []func(context.Context, *sql.Tx, *access.Update) error{addWorkspaces, addKeys, revokeKeys, addSecret, addChange, addAnswer} {
		if err := write(ctx, tx, u); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func addWorkspaces(ctx context.Context, tx *sql.Tx, u *access.Update) error {
	for _, w := range u.Workspaces {
		_, err := tx.ExecContext(ctx, "INSERT INTO workspaces (slug, name, signing_secret, created_at) VALUES (?, ?, ?, ?)",
			w.Slug, w.Name, blob(w.SigningSecret), w.CreatedAt)
		if err != nil {
			return taken(err, fmt.Sprintf("workspace %q exists already", w.Slug))
		}
	}
	return nil
}

func addKeys(ctx context.Context, tx *sql.Tx, u *access.Update) error {
	for _, k := range u.Keys {
		_, err := tx.ExecContext(ctx, "INSERT INTO keys (id, workspace, kind, name, hash, created_at, revoked_at) VALUES (?, ?, ?, ?, ?, ?, ?)",
			k.ID, k.Workspace, k.Kind, k.Name, k.Hash[:], k.CreatedAt, k.RevokedAt)
		if err != nil {
			return taken(err, fmt.Sprintf("key %s exists already", k.ID))
		}
	}
	return nil
}

func revokeKeys(ctx context.Context, tx *sql.Tx, u *access.Update) error {
	for _, id := range u.Revoke {
		r, err := tx.ExecContext(ctx, "UPDATE keys SET revoked_at = CASE revoked_at WHEN 0 THEN ? ELSE revoked_at END WHERE id = ?", u.Change.At, id)
		if err != nil {
			return err
		}
		if n, err := r.RowsAffected(); err != nil || n == 0 {
			return errors.Join(err, cx.E(cx.NotFound, "", fmt.Sprintf("there is no key %s", id)))
		}
	}
	return nil
}

// addSecret puts a secret in the place of the current one, which signs a while
// longer.
func addSecret(ctx context.Context, tx *sql.Tx, u *access.Update) error {
	s := u.Secret
	if s == nil {
		return nil
	}
	_, err := tx.ExecContext(ctx, "UPDATE destination_secrets SET expires = ? WHERE workspace = ? AND destination = ? AND expires = 0",
		u.Change.At+access.SecretOverlap, s.Workspace, s.Destination)
	if err != nil {
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO destination_secrets (workspace, destination, number, secret, created_at, expires)
		SELECT ?1, ?2, coalesce(max(number), 0) + 1, ?3, ?4, 0 FROM destination_secrets WHERE workspace = ?1 AND destination = ?2`,
		s.Workspace, s.Destination, blob(s.Secret), s.CreatedAt)
	return err
}

// DestinationSecrets returns the secrets of a destination, the current one first.
func (c *Control) DestinationSecrets(ctx context.Context, w cx.Workspace, destination string, now cx.Instant) ([]access.DestinationSecret, error) {
	return list(ctx, c.db, func(r *sql.Rows, s *access.DestinationSecret) error {
		s.Workspace, s.Destination = w, destination
		return r.Scan(&s.Secret, &s.CreatedAt)
	}, "SELECT secret, created_at FROM destination_secrets WHERE workspace = ? AND destination = ? AND (expires = 0 OR expires > ?) ORDER BY number DESC", w, destination, now)
}

func addChange(ctx context.Context, tx *sql.Tx, u *access.Update) error {
	c := &u.Change
	_, err := tx.ExecContext(ctx, "INSERT INTO changes (at, workspace, who, why, what) VALUES (?, ?, ?, ?, ?)", c.At, c.Workspace, c.Who, c.Why, c.What)
	return err
}

// addAnswer remembers an answer; one that has expired makes room.
func addAnswer(ctx context.Context, tx *sql.Tx, u *access.Update) error {
	a := u.Answer
	if a == nil {
		return nil
	}
	if _, err := tx.ExecContext(ctx, "DELETE FROM answers WHERE caller = ? AND key = ? AND expires <= ?", a.Caller, a.Key, u.Change.At); err != nil {
		return err
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO answers (caller, key, request, status, body, expires) VALUES (?, ?, ?, ?, ?, ?)",
		a.Caller, a.Key, a.Request[:], a.Status, blob(a.Body), a.Expires)
	if err != nil {
		return taken(err, "a request with this idempotency key has been answered already")
	}
	return nil
}

// Changes returns up to limit changes of w, newest first, numbered below before.
func (c *Control) Changes(ctx context.Context, w cx.Workspace, before uint64, limit int) ([]access.Change, error) {
	query, args := "SELECT number, at, workspace, who, why, what FROM changes WHERE (? = 0 OR number < ?)", []any{int64(before), int64(before)}
	if w != access.Everywhere {
		query, args = query+" AND workspace = ?", append(args, w)
	}
	return list(ctx, c.db, func(r *sql.Rows, h *access.Change) error {
		return r.Scan(&h.Number, &h.At, &h.Workspace, &h.Who, &h.Why, &h.What)
	}, query+" ORDER BY number DESC LIMIT ?", append(args, limit)...)
}

// Remembered returns the answer that is kept for a repeated request, or nil.
func (c *Control) Remembered(ctx context.Context, caller cx.KeyID, idempotencyKey string, now cx.Instant) (*access.Answer, error) {
	found, err := list(ctx, c.db, func(r *sql.Rows, a *access.Answer) error {
		var request []byte
		err := r.Scan(&a.Caller, &a.Key, &request, &a.Status, &a.Body, &a.Expires)
		copy(a.Request[:], request)
		return err
	}, "SELECT caller, key, request, status, body, expires FROM answers WHERE caller = ? AND key = ? AND expires > ?", caller, idempotencyKey, now)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return &found[0], nil
}

// Forget drops answers that expired before now.
func (c *Control) Forget(ctx context.Context, now cx.Instant) error {
	_, err := c.db.ExecContext(ctx, "DELETE FROM answers WHERE expires < ?", now)
	return err
}

// taken turns a broken uniqueness into kind Conflict.
func taken(err error, message string) error {
	if e, ok := errors.AsType[sqlite3.Error](err); ok && (e.ExtendedCode == sqlite3.ErrConstraintPrimaryKey || e.ExtendedCode == sqlite3.ErrConstraintUnique) {
		return cx.E(cx.Conflict, "", message)
	}
	return err
}

// ofDisk says in words what the disk did not let us write.
func ofDisk(err error) error {
	e, ok := errors.AsType[sqlite3.Error](err)
	switch {
	case ok && e.Code == sqlite3.ErrFull:
		return cx.E(cx.Unavailable, "", "the disk is full and nothing was changed: make room")
	case ok && e.Code == sqlite3.ErrReadonly:
		return cx.E(cx.Unavailable, "", "the disk is read-only and nothing was changed: repair it and start the program again")
	case ok && e.Code == sqlite3.ErrIoErr:
		return &cx.Error{Kind: cx.Unavailable, Err: fmt.Errorf("the disk fails, and nothing was changed as far as is known: %w", err)}
	}
	return err
}

// list runs a query and scans each row.
func list[T any](ctx context.Context, db *sql.DB, scan func(*sql.Rows, *T) error, query string, args ...any) (out []T, err error) {
	rows, err := db.QueryContext(ctx, query, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var v T
		if err := scan(rows, &v); err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, rows.Err()
}
