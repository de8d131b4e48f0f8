package duckdb

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// erase deletes every row about erased customers, those of the batch that has
// just been written too, and keeps the positions of their events.
func (f *feed) erase(rows []pipeline.ErasedRow) error {
	for i := range rows {
		r := &rows[i]
		who := numbers(r.Customers)
		for _, statement := range []string{
			fmt.Sprintf(keepErased, uint64(r.Position), who),
			"DELETE FROM store.events WHERE customer_id IN (" + who + ")",
			"DELETE FROM store.decisions WHERE customer_id IN (" + who + ")",
			"DELETE FROM store.exposures WHERE customer_id IN (" + who + ")",
			"DELETE FROM store.moves WHERE customer_id IN (" + who + ")",
			"DELETE FROM store.merges WHERE winner_id IN (" + who + ") OR loser_id IN (" + who + ")",
			"DELETE FROM store.deliveries WHERE customer_id IN (" + who + ")",
		} {
			if err := f.exec(statement); err != nil {
				return err
			}
		}
	}
	return nil
}

// keepErased notes the events of customers. What those taught that were stored by
// an earlier version is not known.
const keepErased = `
INSERT INTO store.erased (erasure, position, action, exposed, responded, told)
SELECT %d, e.position, max(x.action), coalesce(bool_or(x.exposed), false), coalesce(bool_or(x.responded), false), count(x.position) = count(x.exposed)
FROM store.events AS e LEFT JOIN store.exposures AS x ON x.position = e.position
WHERE e.customer_id IN (%s) GROUP BY e.position`

// EachErased calls found for every event that commands up to a position erased,
// with what it taught; told is false when that is not known, because it was
// stored by an earlier version.
func (w *Warehouse) EachErased(ctx context.Context, upto cx.Position, found func(at cx.Position, taught cx.Lesson, told bool)) error {
	return w.look("read what was erased", access.Everywhere, func(f *file, _ string) error {
		rows, err := f.lookups.QueryContext(ctx, fmt.Sprintf(`
			SELECT position, coalesce(action, ''), coalesce(exposed, false), coalesce(responded, false), coalesce(told, false)
			FROM store.erased WHERE erasure <= %d`, uint64(upto)))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var at uint64
			var taught cx.Lesson
			var told bool
			if err := rows.Scan(&at, &taught.Action, &taught.Exposed, &taught.Responded, &told); err != nil {
				return err
			}
			found(cx.Position(at), taught, told)
		}
		return rows.Err()
	})
}

// Stored reports whether there is, or was, a row of the event at a position.
func (w *Warehouse) Stored(ctx context.Context, at cx.Position) (stored bool, err error) {
	err = w.look("look for an event", access.Everywhere, func(f *file, _ string) error {
		return f.lookups.QueryRowContext(ctx, fmt.Sprintf(
			"SELECT EXISTS (FROM store.events WHERE position = %[1]d) OR EXISTS (FROM store.erased WHERE position = %[1]d)", uint64(at))).Scan(&stored)
	})
	return stored, err
}

// Blanked forgets which events commands up to a position erased: the log does not
// hold them any more. Those of which it is not known what they taught stay, as
// they may in the log.
func (w *Warehouse) Blanked(ctx context.Context, upto cx.Position) error {
	w.appending.Lock()
	defer w.appending.Unlock()
	w.changes++
	err := w.ready(ctx)
	if err == nil {
		w.file.feed.heavy = atOnce
		err = w.file.feed.exec(fmt.Sprintf("DELETE FROM store.erased WHERE told AND erasure <= %d", uint64(upto)))
	}
	if err != nil {
		return fmt.Errorf("forget what was erased: %w", err)
	}
	return nil
}

// numbers lists customers with commas between.
func numbers(ids []cx.CustomerID) string {
	texts := make([]string, len(ids))
	for i, id := range ids {
		texts[i] = strconv.FormatUint(uint64(id), 10)
	}
	return strings.Join(texts, ", ")
}

// CountOf returns how many rows there are about customers.
func (w *Warehouse) CountOf(ctx context.Context, ids []cx.CustomerID) (n int64, err error) {
	who := numbers(ids)
	var counts []string
	for _, t := range []string{"events", "decisions", "exposures", "moves", "deliveries"} {
		counts = append(counts, "(SELECT count(*) FROM store."+t+" WHERE customer_id IN ("+who+"))")
	}
	err = w.look("count rows", "*", func(f *file, _ string) error {
		return f.lookups.QueryRowContext(ctx, "SELECT "+strings.Join(counts, " + ")).Scan(&n)
	})
	return n, err
}
