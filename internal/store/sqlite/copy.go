package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net/url"
	"time"

	sqlite3 "github.com/mattn/go-sqlite3"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/nice"
)

// copyAtOnce is how many pages are copied between two rests.
const copyAtOnce = 512

// Copy writes the state as of the last checkpoint into another file, while
// checkpoints go on, and returns where that checkpoint is: position 0 when there
// is none, and then nothing is written. The file at path is replaced; it is not
// made durable. Pages are copied on a thread of low priority, half of the time.
func (s *State) Copy(ctx context.Context, path string) (at cx.Position, when cx.Instant, err error) {
	low := nice.NewThread()
	defer low.Close()
	from, err := dial(s.path, "rw", 0)
	if err != nil {
		return 0, 0, err
	}
	defer func() { err = errors.Join(err, from.close()) }()
	at, when, err = from.stand()
	if err != nil || at == 0 {
		return at, when, err
	}
	if err := from.copyTo(ctx, path, low); err != nil {
		return 0, 0, fmt.Errorf("copy the state: %w", err)
	}
	return at, when, nil
}

// stand begins to read and returns where the last checkpoint is. What c reads
// from then on stands still there.
func (c *conn) stand() (at cx.Position, when cx.Instant, err error) {
	if err := c.exec("PRAGMA query_only = 1; BEGIN"); err != nil {
		return 0, 0, err
	}
	head, err := c.prepare("SELECT position, time FROM head")
	if err != nil {
		return 0, 0, err
	}
	err = head.row(func(v []driver.Value) error {
		at, when = cx.Position(v[0].(int64)), cx.Instant(v[1].(int64))
		return nil
	})
	return at, when, err
}

// copyTo copies every page of what c sees.
func (c *conn) copyTo(ctx context.Context, path string, low *nice.Thread) (err error) {
	// Nobody opens a copy that is not whole, so it needs no journal of its own.
	dsn, err := sourceOf(path, url.Values{"mode": {"rwc"}, "_journal_mode": {"OFF"}, "_synchronous": {"OFF"}, "_mutex": {"no"}})
	if err != nil {
		return err
	}
	raw, err := (&sqlite3.SQLiteDriver{}).Open(dsn)
	if err != nil {
		return err
	}
	to := raw.(*sqlite3.SQLiteConn)
	defer func() { err = errors.Join(err, to.Close()) }()
	pages, err := to.Backup("main", c.raw, "main")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, pages.Finish()) }()
	for done := false; !done; {
		woke := time.Now()
		if err := low.Do(func() (err error) { done, err = pages.Step(copyAtOnce); return err }); err != nil {
			return err
		}
		select {
		case <-time.After(time.Since(woke)):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}
