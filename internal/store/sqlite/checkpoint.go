package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/fault"
	"github.com/kikubari/kikubari/internal/nice"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// writer is the connection that writes checkpoints.
type writer struct {
	*conn
	log string       // path of the write-ahead log
	low *nice.Thread // where commits run

	begin, commit, rollback       *stmt
	takeEpoch, readHead, moveHead *stmt
	putCustomer, dropCustomer     *stmt
	putIdentity, putMerged        *stmt
	putSpilled, dropSpilled       *stmt
	putDelivery, dropDelivery     *stmt
	dropMerged                    *stmt
	putMerge, forgetMerge         *stmt
	undoMerge, dropMerges         *stmt
	putSighting, dropSighting     *stmt
}

// Sizes.
const (
	writerCache = 16 << 10  // KiB of pages
	maxLog      = 256 << 20 // bytes of write-ahead log after which a checkpoint waits for it to be emptied
	dropAtOnce  = 20_000    // spilled marks removed in one checkpoint, so that none takes long
	forgetMost  = 500       // old merges removed in one checkpoint, for the same reason
)

func (w *writer) open(path string) (err error) {
	if w.conn, err = dial(path, "rwc", writerCache); err != nil {
		return err
	}
	w.log = path + "-wal"
	if err := migrate(w.conn, "state", "state.db"); err != nil {
		return err
	}
	// The copier empties the log in the background; the file shrinks back to
	// the limit whenever the log starts over.
	if err := w.exec("PRAGMA wal_autocheckpoint = 0; PRAGMA journal_size_limit = 67108864"); err != nil {
		return err
	}
	for _, p := range []struct {
		to    **stmt
		query string
	}{
		{&w.begin, "BEGIN IMMEDIATE"},
		{&w.commit, "COMMIT"},
		{&w.rollback, "ROLLBACK"},
		{&w.takeEpoch, "UPDATE head SET epoch = epoch + 1"},
		{&w.readHead, "SELECT epoch, position, time, shared, spill_floor FROM head"},
		{&w.moveHead, "UPDATE head SET position = ?, time = ?, shared = ?, spill_floor = ?"},
		{&w.putCustomer, "REPLACE INTO customers (id, due, workspace, blob) VALUES (?, ?, ?, ?)"},
		{&w.dropCustomer, "DELETE FROM customers WHERE id = ?"},
		{&w.putIdentity, "REPLACE INTO identities (workspace, namespace, value, customer, since) VALUES (?, ?, ?, ?, ?)"},
		{&w.putMerged, "REPLACE INTO merged (loser, winner) VALUES (?, ?)"},
		{&w.dropMerged, "DELETE FROM merged WHERE loser = ?"},
		{&w.putMerge, "REPLACE INTO merges (" + mergeColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&w.forgetMerge, "DELETE FROM merges WHERE position = ? AND loser = ? AND winner = ? AND undone = 0"},
		{&w.undoMerge, "UPDATE merges SET undone = ? WHERE position = ? AND loser = ? AND winner = ?"},
		{&w.dropMerges, "DELETE FROM merges WHERE (position, loser, winner) IN (SELECT position, loser, winner FROM merges WHERE at < ? ORDER BY at LIMIT ?)"},
		{&w.putSighting, "REPLACE INTO sightings (workspace, namespace, value, seen, since, own, linked) VALUES (?, ?, ?, ?, ?, ?, ?)"},
		{&w.dropSighting, "DELETE FROM sightings WHERE workspace = ? AND namespace = ? AND value = ?"},
		{&w.putSpilled, "REPLACE INTO spilled (customer, message, at) VALUES (?, ?, ?)"},
		{&w.putDelivery, "REPLACE INTO outbox (" + outboxColumns + ") VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"},
		{&w.dropDelivery, "DELETE FROM outbox WHERE key = ? AND position < ?"},
		{&w.dropSpilled, "DELETE FROM spilled WHERE (customer, message) IN (SELECT customer, message FROM spilled WHERE at < ? ORDER BY at LIMIT ?)"},
	} {
		if *p.to, err = w.prepare(p.query); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) close() error {
	if w.conn == nil {
		return nil
	}
	return w.conn.close()
}

// Recover takes a new epoch and returns the header of the last checkpoint.
func (s *State) Recover(ctx context.Context) (r pipeline.Recovery, err error) {
	if err := ctx.Err(); err != nil {
		return r, err
	}
	err = s.writer.inTransaction(func(w *writer) error {
		if err := w.takeEpoch.exec(); err != nil {
			return err
		}
		h, err := w.head()
		r = pipeline.Recovery{Epoch: h.epoch, Position: h.position, Time: h.time, Shared: h.shared}
		return err
	})
	if err != nil {
		return pipeline.Recovery{}, fmt.Errorf("recover state: %w", err)
	}
	return r, nil
}

// Checkpoint commits c and returns when it would survive a loss of power. It
// cannot be interrupted: ctx is looked at before the transaction begins.
func (s *State) Checkpoint(ctx context.Context, c *pipeline.Checkpoint) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	fault.Point("checkpoint.before")
	err := s.writer.boundLog()
	if err == nil {
		err = s.writer.inTransaction(func(w *writer) error { return w.checkpoint(c) })
	}
	if err != nil {
		return fmt.Errorf("commit checkpoint: %w", err)
	}
	fault.Point("checkpoint.after")
	s.copier.wake()
	return nil
}

// inTransaction runs f in a transaction that is committed when f succeeds and
// leaves no trace when it fails.
func (w *writer) inTransaction(f func(w *writer) error) error {
	if err := w.begin.exec(); err != nil {
		return err
	}
	err := f(w)
	if err == nil {
		err = w.low.Do(func() error { return w.commit.exec() })
	}
	if err != nil && !w.raw.AutoCommit() {
		return errors.Join(err, w.rollback.exec())
	}
	return err
}

func (w *writer) checkpoint(c *pipeline.Checkpoint) error {
	h, err := w.head()
	if err != nil {
		return err
	}
	switch {
	case h.epoch != c.Epoch:
		return cx.E(cx.Conflict, "", fmt.Sprintf("another process has taken over this data directory (epoch %d, ours is %d)", h.epoch, c.Epoch))
	case h.position != c.Previous:
		return cx.E(cx.Conflict, "", fmt.Sprintf("the last checkpoint is at %v, not at %v", h.position, c.Previous))
	}
	for _, write := range []func(*pipeline.Checkpoint) error{w.writeCustomers, w.writeIdentities, w.writeSpilled, w.writeOutbox, w.writeMerges, w.writeSightings, w.writeErased} {
		if err := write(c); err != nil {
			return err
		}
		fault.Point("checkpoint.inside")
	}
	return w.moveHead.exec(int64(c.Position), int64(c.Time), c.Shared, int64(max(h.floor, c.SpillFloor)))
}

// writeCustomers puts the changed rows and then deletes the gone ones, so that
// a customer who changed before being merged away is gone.
func (w *writer) writeCustomers(c *pipeline.Checkpoint) error {
	for i := range c.Customers {
		r := &c.Customers[i]
		if err := w.putCustomer.exec(signed(uint64(r.ID)), int64(r.Due), string(r.Workspace), blob(r.Blob)); err != nil {
			return fmt.Errorf("customer %v: %w", r.ID, err)
		}
		makeWay(i)
	}
	for _, id := range c.Gone {
		if err := w.dropCustomer.exec(signed(uint64(id))); err != nil {
			return fmt.Errorf("customer %v: %w", id, err)
		}
	}
	return nil
}

// writeIdentities writes links in the order of their key, which touches each
// page once; of two rows with one key the later one stays.
func (w *writer) writeIdentities(c *pipeline.Checkpoint) error {
	order := make([]int, len(c.Identities))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int { return compareIdentities(&c.Identities[a], &c.Identities[b]) })
	for n, i := range order {
		makeWay(n)
		r := &c.Identities[i]
		err := w.putIdentity.exec(string(r.Workspace), int64(r.Identity.Namespace), r.Identity.Value, signed(uint64(r.Customer)), int64(r.Identity.Since))
		if err != nil {
			return fmt.Errorf("identity of customer %v: %w", r.Customer, err)
		}
	}
	for _, m := range c.Merged {
		if m[0] == m[1] {
			if err := w.dropMerged.exec(signed(uint64(m[0]))); err != nil {
				return fmt.Errorf("un-merge of %v: %w", m[0], err)
			}
			continue
		}
		if err := w.putMerged.exec(signed(uint64(m[0])), signed(uint64(m[1]))); err != nil {
			return fmt.Errorf("merge of %v: %w", m[0], err)
		}
	}
	return nil
}

// makeWay lets goroutines that wait for a processor go first, after every few
// rows.
func makeWay(row int) {
	if row%32 == 31 {
		runtime.Gosched()
	}
}

func compareIdentities(a, b *pipeline.IdentityRow) int {
	if c := strings.Compare(string(a.Workspace), string(b.Workspace)); c != 0 {
		return c
	}
	if c := int(a.Identity.Namespace) - int(b.Identity.Namespace); c != 0 {
		return c
	}
	return strings.Compare(a.Identity.Value, b.Identity.Value)
}

func (w *writer) writeSpilled(c *pipeline.Checkpoint) error {
	for _, r := range c.Spilled {
		if err := w.putSpilled.exec(signed(uint64(r.Customer)), signed(r.Message), int64(r.At)); err != nil {
			return fmt.Errorf("mark of customer %v: %w", r.Customer, err)
		}
	}
	return w.dropSpilled.exec(int64(c.SpillFloor), int64(dropAtOnce))
}

type head struct {
	epoch    uint64
	position cx.Position
	time     cx.Instant
	shared   []byte
	floor    uint32
}

func (w *writer) head() (h head, err error) {
	err = w.readHead.row(func(v []driver.Value) error {
		h.epoch = uint64(v[0].(int64))
		h.position = cx.Position(v[1].(int64))
		h.time = cx.Instant(v[2].(int64))
		h.shared, _ = v[3].([]byte)
		h.floor = uint32(v[4].(int64))
		return nil
	})
	return h, err
}

// boundLog empties the write-ahead log when the copier has not kept up with it,
// as happens when a long read holds it back. The log would otherwise grow
// without limit under load.
func (w *writer) boundLog() error {
	info, err := os.Stat(w.log)
	if err == nil && info.Size() >= maxLog {
		return w.exec("PRAGMA wal_checkpoint(RESTART)")
	}
	return nil // no log is a short log
}

// signed maps an unsigned number to the signed one of the same rank: 0 becomes
// the smallest.
func signed(v uint64) int64 { return int64(v ^ 1<<63) }

func unsigned(v driver.Value) uint64 {
	n, _ := v.(int64)
	return uint64(n) ^ 1<<63
}

// blob makes an empty slice distinct from NULL, which the columns refuse.
func blob(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
