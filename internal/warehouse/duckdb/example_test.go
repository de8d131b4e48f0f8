package duckdb_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/warehouse/duckdb"
)

func Example() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "warehouse")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	w, err := duckdb.Open(ctx, duckdb.Options{Path: filepath.Join(dir, "warehouse.duckdb")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer w.Close()

	err = w.Append(ctx, &pipeline.Batch{Upto: cx.At(1, 2), Events: []pipeline.EventRow{
		{Position: cx.At(1, 0), At: 1, Customer: 7, Event: &cx.Event{Workspace: "demo", Name: "Product Added", Properties: []byte(`{"price":4000}`)}},
		{Position: cx.At(1, 1), At: 1, Customer: 7, Event: &cx.Event{Workspace: "demo", Name: "Product Added", Properties: []byte(`{"price":1000}`)}},
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	answer, err := w.Query(ctx, "demo", "SELECT customer, sum(properties.price::INTEGER)::INTEGER AS total FROM events GROUP BY customer")
	fmt.Println(answer.Columns, answer.Rows, err)
	_, err = w.Query(ctx, "demo", "SELECT * FROM read_csv('/etc/passwd')")
	fmt.Println(err)
	// Output:
	// [{customer VARCHAR} {total INTEGER}] [[c_000000000000e 5000]] <nil>
	// the function read_csv cannot be read from; use one of unnest, range, generate_series, json_each, json_tree
}
