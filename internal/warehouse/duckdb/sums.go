package duckdb

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/kikubari/kikubari/internal/cx"
)

// Sum is the rows of one table in two numbers: tables with equal sums hold the
// same rows, whatever their order.
type Sum struct {
	Table string
	Rows  int64
	Hash  string // of all their columns, added up
}

// Sums adds up the rows of every table behind one position and up to another, in
// order of the tables' names. What is still to be blanked in the log is not among
// them, nor what exposures taught: an earlier version did not store it.
func (w *Warehouse) Sums(ctx context.Context, after, upto cx.Position) (sums []Sum, err error) {
	err = w.using(func(f *file) error {
		tables, err := tablesOf(ctx, f.lookups)
		for i := 0; i < len(tables) && err == nil; i++ {
			s := Sum{Table: tables[i]}
			err = sumUp(ctx, f.lookups, after, upto, &s)
			sums = append(sums, s)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("sum up the warehouse: %w", err)
	}
	return sums, nil
}

// tablesOf returns the tables whose rows are added up.
func tablesOf(ctx context.Context, db *sql.DB) (names []string, err error) {
	rows, err := db.QueryContext(ctx, "SELECT table_name FROM duckdb_tables() WHERE database_name = current_database() AND schema_name = 'store' AND table_name NOT IN ('meta', 'erased') ORDER BY 1")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

func sumUp(ctx context.Context, db *sql.DB, after, upto cx.Position, s *Sum) error {
	columns := "*"
	if s.Table == "exposures" {
		columns = "* EXCLUDE (exposed, responded)"
	}
	query := fmt.Sprintf("SELECT count(*), coalesce(sum(hash(t)::HUGEINT), 0)::VARCHAR FROM (SELECT %s FROM store.%s WHERE position > ? AND position <= ?) AS t", columns, s.Table)
	return db.QueryRowContext(ctx, query, uint64(after), uint64(upto)).Scan(&s.Rows, &s.Hash)
}
