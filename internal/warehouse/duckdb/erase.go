package duckdb

import (
	"context"
	"fmt"
	"strconv"
	"strings"

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
			fmt.Sprintf("INSERT INTO store.erased SELECT %d, position FROM store.events WHERE customer_id IN (%s)", uint64(r.Position), who),
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
