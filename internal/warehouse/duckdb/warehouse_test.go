package duckdb

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/warehouse/warehousetest"
)

func TestWarehouse(t *testing.T) {
	warehousetest.Run(t, func(t *testing.T) func() warehousetest.Warehouse {
		path := filepath.Join(t.TempDir(), "warehouse.duckdb")
		return func() warehousetest.Warehouse { return open(t, Options{Path: path}) }
	})
}

// open opens a warehouse that is closed when the test ends.
func open(t testing.TB, o Options) *Warehouse {
	t.Helper()
	if o.QueryTime == 0 {
		o.QueryTime = 5 * time.Second
	}
	w, err := Open(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return w
}
