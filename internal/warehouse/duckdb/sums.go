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

// tables are those that hold rows.
var tables = [...]string{"events", "decisions", "exposures", "moves", "merges", "deliveries"}

// Sums adds up the rows of every table behind one position and up to another.
func (w *Warehouse) Sums(ctx context.Context, after, upto cx.Position) (sums []Sum, err error) {
	err = w.using(func(f *file) error {
		for _, table := range tables {
			s := Sum{Table: table}
			if err := sumUp(ctx, f.lookups, after, upto, &s); err != nil {
				return fmt.Errorf("sum up %s: %w", table, err)
			}
			sums = append(sums, s)
		}
		return nil
	})
	return sums, err
}

func sumUp(ctx context.Context, db *sql.DB, after, upto cx.Position, s *Sum) error {
	query := fmt.Sprintf("SELECT count(*), coalesce(sum(hash(t)::HUGEINT), 0)::VARCHAR FROM store.%s AS t WHERE position > ? AND position <= ?", s.Table)
	return db.QueryRowContext(ctx, query, uint64(after), uint64(upto)).Scan(&s.Rows, &s.Hash)
}
