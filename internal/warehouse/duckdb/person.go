package duckdb

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/warehouse"
)

// pageRows is how many rows of a person are in memory at a time.
const pageRows = 500

// personal is what is kept of a person in one table.
type personal struct {
	table warehouse.PersonTable
	from  string   // table below, with the names by which rows are found
	where string   // whose it is; %s are numbers of customers
	trace string   // columns behind the row: definitions and trace
	what  []member // of the row as JSON
}

const noTrace = "0::UBIGINT, ''::BLOB"

// moment writes a timestamp as RFC 3339 in UTC.
func moment(column string) string {
	return fmt.Sprintf("strftime(%s, '%%Y-%%m-%%dT%%H:%%M:%%S.%%fZ')", column)
}

// member is one member of a JSON object.
type member struct{ name, value string }

// columns are members that are called as their columns.
func columns(names ...string) (out []member) {
	for _, n := range names {
		out = append(out, member{n, n})
	}
	return out
}

// objectOf writes the expression for a JSON object. What is not known is null in it.
func objectOf(members []member) string {
	parts := make([]string, len(members))
	for i, m := range members {
		parts[i] = fmt.Sprintf("'%s', %s", m.name, m.value)
	}
	return "json_object(" + strings.Join(parts, ", ") + ")::VARCHAR"
}

var when = member{"time", moment("time")}

var personals = []personal{
	{warehouse.PersonEvents, "events", "customer_id IN (%s)", noTrace, slices.Concat(columns("customer"), []member{
		when,
		{"received", moment("received")},
		{"recorded", moment("recorded")},
		{"name", "name"},
		{"type", "['track', 'identify', 'page', 'screen', 'group', 'alias'][type]"},
		{"session", "nullif(session, 0)"},
		{"verified", "flags & 1 <> 0"},
		{"historical", "flags & 2 <> 0"},
	}, columns("late", "message_id", "anonymous_id", "user_id", "group_id", "previous_id", "locale", "properties", "consent", "context"))},
	{warehouse.PersonDecisions, "decisions", "customer_id IN (%s)", "definitions, trace", slices.Concat(columns("customer"), []member{when},
		columns("decision", "event", "definitions", "winners"))},
	{warehouse.PersonExposures, "exposures", "customer_id IN (%s)", noTrace, slices.Concat(columns("customer"), []member{when},
		columns("decision", "action", "place"), []member{{"fate", "store.fate(fate)"}})},
	{warehouse.PersonSegments, "segment_moves", "customer_id IN (%s)", noTrace, slices.Concat(columns("customer"), []member{when},
		columns("segment", "entered", "by_time"))},
	{warehouse.PersonMerges, "merges", "winner_id IN (%s)", noTrace, slices.Concat(columns("winner", "loser"), []member{when}, columns("reason"))},
	{warehouse.PersonDeliveries, "deliveries", "customer_id IN (%s)", noTrace, slices.Concat(columns("customer"), []member{when},
		columns("delivery", "decision", "action", "channel", "destination"),
		[]member{{"fate", "['queued', 'trying', 'sent', 'failed', 'unknown', 'withheld'][fate]"}}, columns("attempts", "reason"))},
}

// Person calls found with every row about a customer and about those that were
// merged into it, table by table in the order of warehouse.PersonTables, oldest
// first. It holds a few hundred rows at a time.
func (w *Warehouse) Person(ctx context.Context, ws cx.Workspace, id cx.CustomerID, found func(warehouse.PersonRow) error) error {
	var who string
	err := w.look("read a person", ws, func(f *file, in string) (err error) {
		who, err = f.family(ctx, in, id)
		return err
	})
	for i := range personals {
		for after := uint64(0); err == nil; {
			var page []warehouse.PersonRow
			err = w.look("read a person", ws, func(f *file, in string) (err error) {
				page, err = f.personPage(ctx, &personals[i], in, who, after)
				return err
			})
			for at := range page {
				if err == nil {
					err = found(page[at])
				}
			}
			if len(page) == 0 {
				break
			}
			after = uint64(page[len(page)-1].Position)
		}
	}
	return err
}

// personPage returns the rows of the next positions, all of each position.
func (f *file) personPage(ctx context.Context, p *personal, in, who string, after uint64) (page []warehouse.PersonRow, err error) {
	where := fmt.Sprintf("%s AND %s AND position > %d", in, fmt.Sprintf(p.where, who), after)
	rows, err := f.lookups.QueryContext(ctx, fmt.Sprintf(`
		SELECT position, %s, %s FROM store.%s
		WHERE %s AND position <= (SELECT max(position) FROM (SELECT position FROM store.%s WHERE %s ORDER BY position LIMIT %d))
		ORDER BY position, 4`, p.trace, objectOf(p.what), p.from, where, p.from, where, pageRows))
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		r := warehouse.PersonRow{Table: p.table}
		var text sql.RawBytes
		if err := rows.Scan(position{&r.Position}, &r.Definitions, &r.Trace, &text); err != nil {
			return nil, err
		}
		r.JSON = json.RawMessage(append([]byte(nil), text...))
		page = append(page, r)
	}
	return page, rows.Err()
}
