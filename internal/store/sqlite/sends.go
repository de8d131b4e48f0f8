package sqlite

import (
	"cmp"
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/deliver"
)

// Sends keeps how far deliveries have come in one SQLite file. It implements
// deliver.Store and is safe for concurrent use.
type Sends struct {
	mu sync.Mutex
	*conn

	begin, commit, rollback          *stmt
	readReleased, moveReleased       *stmt
	known, add, set                  *stmt
	queues, due, claim, interrupted  *stmt
	expire, hurry, hurryAll          *stmt
	untold, told, forget, forgetLong *stmt
	list, tally, resendable          *stmt
	readPaused, pause, resume        *stmt
}

var _ deliver.Store = (*Sends)(nil)

const (
	sendsCache  = 4 << 10 // KiB of pages
	sendColumns = outboxColumns + ", state, attempts, due, doubt, reason, settled_at"
	sameQueue   = "workspace = ? AND channel = ? AND destination = ?"
)

// OpenSends opens the file at path, creating it when there is none and bringing
// its schema up to date. A file written by a newer program is refused with kind
// Invalid. The caller closes the Sends.
func OpenSends(ctx context.Context, path string) (_ *Sends, err error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	s := new(Sends)
	if s.conn, err = dial(path, "rwc", sendsCache); err != nil {
		return nil, err
	}
	if err = migrate(s.conn, "sends", "deliver.db"); err == nil {
		err = s.prepareAll()
	}
	if err != nil {
		return nil, errors.Join(err, s.close())
	}
	return s, nil
}

func (s *Sends) prepareAll() (err error) {
	for _, p := range []struct {
		to    **stmt
		query string
	}{
		{&s.begin, "BEGIN IMMEDIATE"},
		{&s.commit, "COMMIT"},
		{&s.rollback, "ROLLBACK"},
		{&s.readReleased, "SELECT released FROM head"},
		{&s.moveReleased, "UPDATE head SET released = max(released, ?)"},
		{&s.known, "SELECT position FROM sends WHERE key = ?"},
		{&s.add, "INSERT INTO sends (" + sendColumns + ", told) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)" +
			" ON CONFLICT (key) DO UPDATE SET position = excluded.position, at = excluded.at, customer = excluded.customer, state = excluded.state," +
			" due = excluded.due, doubt = doubt OR state = 5, reason = excluded.reason, settled_at = excluded.settled_at, told = 0" +
			" WHERE excluded.position > sends.position"},
		{&s.set, "UPDATE sends SET state = ?1, attempts = ?2, due = ?3, doubt = ?4, reason = ?5, settled_at = ?6, payload = CASE WHEN ?1 = 3 THEN x'' ELSE payload END WHERE key = ?7"},
		{&s.queues, "SELECT DISTINCT workspace, channel, destination FROM sends WHERE state = 1"},
		{&s.due, "SELECT due FROM sends WHERE state = 1 AND " + sameQueue + " ORDER BY due LIMIT 1"},
		{&s.claim, "SELECT " + sendColumns + " FROM sends WHERE state = 1 AND " + sameQueue + " AND due <= ? ORDER BY due, position LIMIT ?"},
		{&s.interrupted, "SELECT " + sendColumns + " FROM sends WHERE state = 2 ORDER BY key"},
		{&s.expire, "UPDATE sends SET state = CASE doubt WHEN 0 THEN 4 ELSE 5 END, reason = ? || CASE reason WHEN '' THEN '' ELSE ': ' || reason END, settled_at = ?" +
			" WHERE state = 1 AND " + sameQueue + " AND at < ? AND (attempts > 0 OR purpose <> 'transactional')"},
		{&s.hurry, "UPDATE sends SET due = ? WHERE state = 1 AND " + sameQueue + " AND key = ?"},
		{&s.hurryAll, "UPDATE sends SET due = ? WHERE state = 1 AND " + sameQueue},
		{&s.untold, "SELECT " + sendColumns + " FROM sends WHERE state > 2 AND told = 0 ORDER BY key LIMIT ?"},
		{&s.told, "UPDATE sends SET told = ? WHERE key = ?"},
		{&s.forget, "DELETE FROM sends WHERE told > 0 AND told <= ? AND state = 3"},
		{&s.forgetLong, "DELETE FROM sends WHERE told > 0 AND told <= ? AND settled_at < ?"},
		{&s.list, "SELECT " + sendColumns + " FROM sends WHERE (?1 = '*' OR workspace = ?1) AND (?2 = '' OR destination = ?2) AND (?3 = 0 OR state = ?3)" +
			" ORDER BY state > 2, CASE WHEN state > 2 THEN -settled_at ELSE due END, position LIMIT ?4"},
		{&s.resendable, "SELECT " + sendColumns + " FROM sends WHERE state IN (4, 5) AND told > 0 AND length(payload) > 0 AND (?1 = '*' OR workspace = ?1)" +
			" AND (?2 = '' OR destination = ?2) AND (?3 = 0 OR state = ?3) AND settled_at >= ?4 AND (?5 = zeroblob(16) OR key = ?5) ORDER BY position, key LIMIT ?6"},
		{&s.tally, "SELECT workspace, channel, destination, state, count(*), min(at) FROM sends GROUP BY workspace, channel, destination, state"},
		{&s.readPaused, "SELECT workspace FROM paused ORDER BY workspace"},
		{&s.pause, "INSERT OR IGNORE INTO paused (workspace) VALUES (?)"},
		{&s.resume, "DELETE FROM paused WHERE workspace = ?"},
	} {
		if *p.to, err = s.prepare(p.query); err != nil {
			return err
		}
	}
	return nil
}

// Close closes the file. Nothing else may be called after it.
func (s *Sends) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.close()
}

// alone runs f while nobody else uses the connection.
func (s *Sends) alone(ctx context.Context, op string, f func() error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	err := ctx.Err()
	if err == nil {
		err = f()
	}
	if err != nil {
		return fmt.Errorf("%s: %w", op, err)
	}
	return nil
}

// changing runs f in a transaction and returns when what it did would survive a
// loss of power; when f fails it leaves no trace.
func (s *Sends) changing(ctx context.Context, op string, f func() error) error {
	return s.alone(ctx, op, func() error {
		if err := s.begin.exec(); err != nil {
			return err
		}
		err := f()
		if err == nil {
			err = s.commit.exec()
		}
		if err != nil && !s.raw.AutoCommit() {
			return errors.Join(err, s.rollback.exec())
		}
		return err
	})
}

// Released makes Sends a deliver.Store.
func (s *Sends) Released(ctx context.Context) (p cx.Position, err error) {
	err = s.alone(ctx, "read what was sent", func() error {
		return s.readReleased.row(func(v []driver.Value) error { p = cx.Position(v[0].(int64)); return nil })
	})
	return p, err
}

// Known makes Sends a deliver.Store.
func (s *Sends) Known(ctx context.Context, k cx.SendKey) (at cx.Position, err error) {
	err = s.alone(ctx, "look for a delivery", func() error {
		return s.known.each(func(v []driver.Value) error { at = cx.Position(v[0].(int64)); return nil }, keyBytes(k))
	})
	return at, err
}

// Take makes Sends a deliver.Store.
func (s *Sends) Take(ctx context.Context, items []deliver.Item, released cx.Position) error {
	return s.changing(ctx, "take deliveries", func() error {
		for i := range items {
			if err := s.add.exec(append(deliveryValues(&items[i].Delivery), progress(&items[i])...)...); err != nil {
				return fmt.Errorf("delivery %v: %w", items[i].Key, err)
			}
		}
		return s.moveReleased.exec(int64(released))
	})
}

// progress returns the columns that Record sets.
func progress(i *deliver.Item) []driver.Value {
	return []driver.Value{int64(i.State), int64(i.Attempts), int64(i.Due), i.Doubt, i.Reason, int64(i.SettledAt)}
}

// itemOf reads sendColumns.
func itemOf(v []driver.Value) (i deliver.Item, err error) {
	if i.Delivery, err = deliveryOf(v); err != nil {
		return i, err
	}
	p := v[11:]
	i.State, i.Attempts, i.Due = cx.DeliveryState(p[0].(int64)), uint32(p[1].(int64)), cx.Instant(p[2].(int64))
	i.Doubt, i.Reason, i.SettledAt = p[3].(int64) != 0, p[4].(string), cx.Instant(p[5].(int64))
	return i, nil
}

// items collects the rows of a statement.
func (s *stmt) items(values ...driver.Value) (out []deliver.Item, err error) {
	err = s.each(func(v []driver.Value) error {
		i, err := itemOf(v)
		out = append(out, i)
		return err
	}, values...)
	return out, err
}

func queueValues(q deliver.Queue) []driver.Value {
	return []driver.Value{string(q.Workspace), string(q.Channel), q.Destination}
}

// Queues makes Sends a deliver.Store.
func (s *Sends) Queues(ctx context.Context) (out []deliver.Queue, err error) {
	err = s.alone(ctx, "read the queues", func() error {
		return s.queues.each(func(v []driver.Value) error {
			out = append(out, queueOf(v))
			return nil
		})
	})
	return out, err
}

func queueOf(v []driver.Value) deliver.Queue {
	return deliver.Queue{Workspace: cx.Workspace(v[0].(string)), Channel: cx.Channel(v[1].(string)), Destination: v[2].(string)}
}

// Claim makes Sends a deliver.Store.
func (s *Sends) Claim(ctx context.Context, q deliver.Queue, now cx.Instant, n int) (items []deliver.Item, err error) {
	var due []deliver.Item
	err = s.alone(ctx, "look for what is due", func() (err error) {
		due, err = s.claim.items(append(queueValues(q), int64(now), int64(n))...)
		return err
	})
	if err != nil || len(due) == 0 {
		return nil, err
	}
	for i := range due {
		due[i].State = cx.DeliveryTrying
		due[i].Attempts++
	}
	return due, s.Record(ctx, due)
}

// Due makes Sends a deliver.Store.
func (s *Sends) Due(ctx context.Context, q deliver.Queue) (due cx.Instant, err error) {
	err = s.alone(ctx, "look for what is due", func() error {
		return s.due.each(func(v []driver.Value) error { due = cx.Instant(v[0].(int64)); return nil }, queueValues(q)...)
	})
	return due, err
}

// Interrupted makes Sends a deliver.Store.
func (s *Sends) Interrupted(ctx context.Context) (items []deliver.Item, err error) {
	err = s.alone(ctx, "look for interrupted attempts", func() (err error) {
		items, err = s.interrupted.items()
		return err
	})
	return items, err
}

// Record makes Sends a deliver.Store.
func (s *Sends) Record(ctx context.Context, items []deliver.Item) error {
	return s.changing(ctx, "record deliveries", func() error {
		for i := range items {
			if err := s.set.exec(append(progress(&items[i]), keyBytes(items[i].Key))...); err != nil {
				return fmt.Errorf("delivery %v: %w", items[i].Key, err)
			}
		}
		return nil
	})
}

// Expire makes Sends a deliver.Store.
func (s *Sends) Expire(ctx context.Context, q deliver.Queue, decidedBefore, now cx.Instant, reason string) (int, error) {
	return s.update(ctx, "give up", s.expire, append(append([]driver.Value{reason, int64(now)}, queueValues(q)...), int64(decidedBefore))...)
}

// Hurry makes Sends a deliver.Store.
func (s *Sends) Hurry(ctx context.Context, q deliver.Queue, k cx.SendKey, now cx.Instant) (int, error) {
	values := append([]driver.Value{int64(now)}, queueValues(q)...)
	if k == (cx.SendKey{}) {
		return s.update(ctx, "hurry", s.hurryAll, values...)
	}
	return s.update(ctx, "hurry", s.hurry, append(values, keyBytes(k))...)
}

// update runs one statement that changes rows and returns how many it changed.
func (s *Sends) update(ctx context.Context, op string, st *stmt, values ...driver.Value) (n int, err error) {
	err = s.alone(ctx, op, func() error {
		st.bind(values)
		r, err := st.raw.ExecContext(unbroken, st.args)
		if err != nil {
			return err
		}
		changed, err := r.RowsAffected()
		n = int(changed)
		return err
	})
	return n, err
}

// Untold makes Sends a deliver.Store.
func (s *Sends) Untold(ctx context.Context, limit int) (items []deliver.Item, err error) {
	err = s.alone(ctx, "look for fates to tell", func() (err error) {
		items, err = s.untold.items(int64(limit))
		return err
	})
	return items, err
}

// Told makes Sends a deliver.Store.
func (s *Sends) Told(ctx context.Context, keys []cx.SendKey, at cx.Position) error {
	return s.changing(ctx, "note what was told", func() error {
		for _, k := range keys {
			if err := s.told.exec(int64(at), keyBytes(k)); err != nil {
				return fmt.Errorf("delivery %v: %w", k, err)
			}
		}
		return nil
	})
}

// Forget makes Sends a deliver.Store.
func (s *Sends) Forget(ctx context.Context, told cx.Position, settledBefore cx.Instant) error {
	if _, err := s.update(ctx, "forget what was sent", s.forget, int64(told)); err != nil {
		return err
	}
	_, err := s.update(ctx, "forget old deliveries", s.forgetLong, int64(told), int64(settledBefore))
	return err
}

// Resendable makes Sends a deliver.Store.
func (s *Sends) Resendable(ctx context.Context, f deliver.Filter, limit int) (items []deliver.Item, err error) {
	err = s.alone(ctx, "look for what may be sent again", func() (err error) {
		items, err = s.resendable.items(workspaceOf(f), f.Destination, int64(f.State), int64(f.Since), keyBytes(f.Key), int64(limit))
		return err
	})
	return items, err
}

func workspaceOf(f deliver.Filter) string {
	return string(cmp.Or(f.Workspace, deliver.Everywhere))
}

// List makes Sends a deliver.Store.
func (s *Sends) List(ctx context.Context, f deliver.Filter, limit int) (items []deliver.Item, err error) {
	err = s.alone(ctx, "list deliveries", func() (err error) {
		items, err = s.list.items(workspaceOf(f), f.Destination, int64(f.State), int64(limit))
		return err
	})
	for i := range items {
		items[i].Payload = nil
	}
	return items, err
}

// Tally makes Sends a deliver.Store.
func (s *Sends) Tally(ctx context.Context) (out []deliver.Count, err error) {
	err = s.alone(ctx, "count deliveries", func() error {
		return s.tally.each(func(v []driver.Value) error {
			out = append(out, deliver.Count{Queue: queueOf(v), State: cx.DeliveryState(v[3].(int64)), Items: int(v[4].(int64)), Oldest: cx.Instant(v[5].(int64))})
			return nil
		})
	})
	return out, err
}

// Paused makes Sends a deliver.Store.
func (s *Sends) Paused(ctx context.Context) (out []cx.Workspace, err error) {
	err = s.alone(ctx, "read which sends are paused", func() error {
		return s.readPaused.each(func(v []driver.Value) error {
			out = append(out, cx.Workspace(v[0].(string)))
			return nil
		})
	})
	return out, err
}

// Pause makes Sends a deliver.Store.
func (s *Sends) Pause(ctx context.Context, w cx.Workspace, paused bool) error {
	st := s.resume
	if paused {
		st = s.pause
	}
	_, err := s.update(ctx, "pause sends", st, string(w))
	return err
}
