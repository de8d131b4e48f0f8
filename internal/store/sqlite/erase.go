package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// writeErased deletes every row about erased customers, what this checkpoint has
// just written too. SQLite overwrites what it deletes with zeros meanwhile.
func (w *writer) writeErased(c *pipeline.Checkpoint) (err error) {
	if len(c.Erased) == 0 {
		return nil
	}
	for _, id := range c.Erased {
		for _, rows := range [...]string{
			"customers WHERE id = ?1", "identities WHERE customer = ?1", "merged WHERE loser = ?1 OR winner = ?1",
			"merges WHERE loser = ?1 OR winner = ?1", "spilled WHERE customer = ?1", "outbox WHERE customer = ?1",
		} {
			if err := w.run("DELETE FROM "+rows, signed(uint64(id))); err != nil {
				return fmt.Errorf("erase customer %v: %w", id, err)
			}
		}
	}
	return nil
}

// run runs a statement once.
func (c *conn) run(query string, values ...driver.Value) error {
	args := make([]driver.NamedValue, len(values))
	for i, v := range values {
		args[i] = driver.NamedValue{Ordinal: i + 1, Value: v}
	}
	_, err := c.raw.ExecContext(unbroken, query, args)
	return err
}

// Erase deletes deliveries to customers, with what was to be said in them.
func (s *Sends) Erase(ctx context.Context, ids []cx.CustomerID) error {
	return s.alone(ctx, "erase deliveries", func() error {
		for _, id := range ids {
			if err := s.run("DELETE FROM sends WHERE customer = ?", signed(uint64(id))); err != nil {
				return err
			}
		}
		return emptied(ctx, func() (int64, error) { return s.number(emptyLog) })
	})
}

// Tidy moves all of the write-ahead log into the file and empties it, so that
// nothing deleted is left in either. The copier and look-ups under way may keep it
// from that; when they do for ten seconds the error is of kind Unavailable.
func (s *State) Tidy(ctx context.Context) (err error) {
	c, err := dial(s.path, "rw", 0)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	return emptied(ctx, func() (int64, error) { return c.number(emptyLog) })
}

// tidy is what Tidy is of the state.
func (c *Control) tidy(ctx context.Context) error {
	return emptied(ctx, func() (busy int64, err error) {
		var frames, moved int64
		return busy, c.db.QueryRowContext(ctx, emptyLog).Scan(&busy, &frames, &moved)
	})
}

// emptyLog empties the write-ahead log. Its first number is 1 when somebody who uses
// the log keeps it from that.
const emptyLog = "PRAGMA wal_checkpoint(TRUNCATE)"

// emptied tries to empty a write-ahead log until it is.
func emptied(ctx context.Context, try func() (busy int64, err error)) error {
	for limit := time.Now().Add(10 * time.Second); ; {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		busy, err := try()
		if err != nil || busy == 0 {
			return err
		}
		if time.Now().After(limit) {
			return cx.E(cx.Unavailable, "empty a write-ahead log", "somebody reads it all the while: try again")
		}
		select {
		case <-time.After(5 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}

// EraseRefused deletes samples of refused input of a workspace in which one of
// the values stands, and returns how many.
func (c *Control) EraseRefused(ctx context.Context, w cx.Workspace, values []string) (n int64, err error) {
	for _, v := range values {
		if len(strings.TrimSpace(v)) < 3 {
			continue // it would be found everywhere
		}
		r, err := c.db.ExecContext(ctx, "DELETE FROM refused WHERE workspace = ? AND (instr(excerpt, ?2) OR instr(name, ?2))", w, v)
		if err != nil {
			return n, fmt.Errorf("erase refused input: %w", err)
		}
		more, err := r.RowsAffected()
		if err != nil {
			return n, err
		}
		n += more
	}
	if n > 0 {
		err = c.tidy(ctx)
	}
	return n, err
}
