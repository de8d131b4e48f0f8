package duckdb

import (
	"context"
	"fmt"
	"math"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// resortAtOnce is how many events one statement gives to others.
const resortAtOnce = 1000

// resort gives events, and what was decided on and reported by them, to whom an
// un-merge found them to be of.
func (f *feed) resort(rows []pipeline.ResortRow) error {
	for len(rows) > 0 {
		n := min(len(rows), resortAtOnce)
		if err := f.resortSome(rows[:n]); err != nil {
			return err
		}
		rows = rows[n:]
	}
	return nil
}

func (f *feed) resortSome(rows []pipeline.ResortRow) error {
	var values strings.Builder
	first, last := cx.Position(math.MaxUint64), cx.Position(0)
	for i, r := range rows {
		if i > 0 {
			values.WriteString(", ")
		}
		fmt.Fprintf(&values, "(%d::UBIGINT, '%s', %d::UBIGINT)", uint64(r.Event), r.Customer, uint64(r.Customer))
		first, last = min(first, r.Event), max(last, r.Event)
	}
	for _, table := range [...]string{"events", "decisions", "exposures"} {
		err := f.exec(fmt.Sprintf(
			"UPDATE store.%s AS t SET customer = r.customer, customer_id = r.id FROM (VALUES %s) AS r(event, customer, id) WHERE t.position = r.event AND t.position BETWEEN %d AND %d",
			table, values.String(), uint64(first), uint64(last)))
		if err != nil {
			return err
		}
	}
	return nil
}

// EventsOf calls found for every stored event of a customer.
func (w *Warehouse) EventsOf(ctx context.Context, ws cx.Workspace, id cx.CustomerID, from, to cx.Position, found func(at cx.Position, now cx.Instant, ev *cx.Event) error) error {
	return w.look("read events", ws, func(f *file, in string) error {
		rows, err := f.lookups.QueryContext(ctx, fmt.Sprintf(
			"SELECT position, recorded, %s FROM store.events WHERE %s AND customer_id = %d AND position >= %d AND position < %d ORDER BY position",
			eventColumns, in, uint64(id), uint64(from), uint64(to)))
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var at cx.Position
			var now cx.Instant
			var e eventScan
			if err := rows.Scan(append([]any{position{&at}, instant{&now}}, e.into()...)...); err != nil {
				return err
			}
			if err := found(at, now, e.event()); err != nil {
				return err
			}
		}
		return rows.Err()
	})
}
