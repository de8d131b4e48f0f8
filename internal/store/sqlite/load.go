package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// reader is a connection that only reads. Each of its statements sees one
// committed state.
type reader struct {
	*conn
	customer, customers              *stmt
	everyCustomer, everyDue          *stmt
	nextCustomers                    *stmt
	everyIdentity, everyMerged, seen *stmt
	family, merges, nextMerges       *stmt
	everySighting                    *stmt
	everySeen                        *stmt
	outbox                           *stmt
}

const (
	readerCache = 4 << 10 // KiB of pages
	loadAtOnce  = 32      // customers one statement looks up
)

func openReader(path string) (_ *reader, err error) {
	r := &reader{}
	if r.conn, err = dial(path, "rw", readerCache); err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			r.close()
		}
	}()
	if err := r.exec("PRAGMA query_only = 1"); err != nil {
		return nil, err
	}
	for _, p := range []struct {
		to    **stmt
		query string
	}{
		{&r.customer, "SELECT id, blob FROM customers WHERE id = ?"},
		{&r.customers, "SELECT id, blob FROM customers WHERE id IN (?" + strings.Repeat(", ?", loadAtOnce-1) + ")"},
		{&r.everyCustomer, "SELECT id, blob FROM customers ORDER BY id"},
		{&r.nextCustomers, "SELECT id, blob FROM customers WHERE id BETWEEN ? AND ? ORDER BY id LIMIT ?"},
		{&r.everyDue, "SELECT id, due FROM customers WHERE due <> 0"},
		{&r.everyIdentity, "SELECT workspace, namespace, value, customer, since FROM identities"},
		{&r.everyMerged, "SELECT loser, winner FROM merged"},
		{&r.outbox, "SELECT " + outboxColumns + " FROM outbox WHERE position > ? ORDER BY position, key"},
		{&r.family, `WITH RECURSIVE f (loser, winner) AS (
			SELECT loser, winner FROM merged WHERE winner = ?
			UNION SELECT m.loser, m.winner FROM merged m JOIN f ON m.winner = f.loser) SELECT loser, winner FROM f`},
		{&r.merges, "SELECT " + mergeColumns + " FROM merges WHERE winner = ? UNION SELECT " + mergeColumns + " FROM merges WHERE loser = ? ORDER BY position, ordinal"},
		{&r.nextMerges, "SELECT " + mergeColumns + " FROM merges WHERE (position, loser, winner) > (?, ?, ?) ORDER BY position, loser, winner LIMIT ?"},
		{&r.everySighting, "SELECT workspace, namespace, value, seen, since, own, linked FROM sightings"},
		{&r.seen, "SELECT at FROM spilled WHERE customer = ? AND message = ? AND at >= (SELECT spill_floor FROM head)"},
		{&r.everySeen, "SELECT message, at FROM spilled WHERE customer = ? AND at >= (SELECT spill_floor FROM head)"},
	} {
		if *p.to, err = r.prepare(p.query); err != nil {
			return nil, err
		}
	}
	return r, nil
}

// Customers calls found for each stored customer among ids, in any order. An id
// that is given twice may be found twice.
func (s *State) Customers(ctx context.Context, ids []cx.CustomerID, found func(id cx.CustomerID, blob []byte) error) error {
	row := func(v []driver.Value) error { return found(cx.CustomerID(unsigned(v[0])), bytesOf(v[1])) }
	return s.reading(ctx, "load customers", func(r *reader) error {
		for ; len(ids) >= loadAtOnce; ids = ids[loadAtOnce:] {
			for i, id := range ids[:loadAtOnce] {
				r.customers.args[i].Value = signed(uint64(id))
			}
			if err := r.customers.rows(row); err != nil {
				return err
			}
		}
		for _, id := range ids {
			if err := r.customer.each(row, signed(uint64(id))); err != nil {
				return err
			}
		}
		return nil
	})
}

// EachCustomer calls found for every stored customer in order of id.
func (s *State) EachCustomer(ctx context.Context, found func(id cx.CustomerID, blob []byte) error) error {
	return s.every(ctx, "read customers", func(r *reader) *stmt { return r.everyCustomer }, func(v []driver.Value) error {
		return found(cx.CustomerID(unsigned(v[0])), bytesOf(v[1]))
	})
}

// NextCustomers calls found for up to n stored customers from one id to another,
// in order of id.
func (s *State) NextCustomers(ctx context.Context, from, to cx.CustomerID, n int, found func(id cx.CustomerID, blob []byte) error) error {
	return s.reading(ctx, "load customers", func(r *reader) error {
		return r.nextCustomers.each(func(v []driver.Value) error { return found(cx.CustomerID(unsigned(v[0])), bytesOf(v[1])) },
			signed(uint64(from)), signed(uint64(to)), int64(n))
	})
}

// EachDue calls found with the due time of every customer that has one.
func (s *State) EachDue(ctx context.Context, found func(id cx.CustomerID, due cx.Instant) error) error {
	return s.every(ctx, "read due times", func(r *reader) *stmt { return r.everyDue }, func(v []driver.Value) error {
		return found(cx.CustomerID(unsigned(v[0])), cx.Instant(v[1].(int64)))
	})
}

// EachIdentity calls found for every stored identity.
func (s *State) EachIdentity(ctx context.Context, found func(pipeline.IdentityRow) error) error {
	return s.every(ctx, "read identities", func(r *reader) *stmt { return r.everyIdentity }, func(v []driver.Value) error {
		n, ok := v[1].(int64)
		if !ok || n < int64(cx.UserID) || n > int64(cx.AnonymousID) {
			return fmt.Errorf("namespace %v is not known to this version", v[1])
		}
		return found(pipeline.IdentityRow{
			Workspace: cx.Workspace(v[0].(string)),
			Identity:  cx.Identity{Namespace: cx.Namespace(n), Value: v[2].(string), Since: cx.Instant(v[4].(int64))},
			Customer:  cx.CustomerID(unsigned(v[3])),
		})
	})
}

// EachMerged calls found for every customer that was merged into another.
func (s *State) EachMerged(ctx context.Context, found func(loser, winner cx.CustomerID) error) error {
	return s.every(ctx, "read merges", func(r *reader) *stmt { return r.everyMerged }, func(v []driver.Value) error {
		return found(cx.CustomerID(unsigned(v[0])), cx.CustomerID(unsigned(v[1])))
	})
}

// SeenAt returns when a spilled message was received. Marks below the last
// checkpoint's floor count as dropped even while they are still in the file.
func (s *State) SeenAt(ctx context.Context, id cx.CustomerID, message uint64) (at uint32, ok bool, err error) {
	err = s.reading(ctx, "look up a message", func(r *reader) error {
		err := r.seen.row(func(v []driver.Value) error {
			at, ok = uint32(v[0].(int64)), true
			return nil
		}, signed(uint64(id)), signed(message))
		if errors.Is(err, io.EOF) {
			return nil
		}
		return err
	})
	return at, ok, err
}

// EachSeen calls found for every spilled mark of a customer that SeenAt finds.
func (s *State) EachSeen(ctx context.Context, id cx.CustomerID, found func(message uint64, at uint32) error) error {
	return s.reading(ctx, "look up messages", func(r *reader) error {
		return r.everySeen.each(func(v []driver.Value) error { return found(unsigned(v[0]), uint32(v[1].(int64))) }, signed(uint64(id)))
	})
}

// every runs a whole-table statement and looks at ctx now and then.
func (s *State) every(ctx context.Context, op string, query func(*reader) *stmt, found func([]driver.Value) error) error {
	const look = 1 << 10
	n := 0
	return s.reading(ctx, op, func(r *reader) error {
		return query(r).each(func(v []driver.Value) error {
			if n++; n%look == 0 && ctx.Err() != nil {
				return ctx.Err()
			}
			return found(v)
		})
	})
}

func bytesOf(v driver.Value) []byte {
	b, _ := v.([]byte)
	return b
}
