package duckdb

import (
	"encoding/json"
	"path/filepath"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/warehouse"
)

// A person with more rows than a page holds is read in order, whole, once.
func TestPersonIsReadInPages(t *testing.T) {
	w := open(t, Options{Path: filepath.Join(t.TempDir(), "warehouse.duckdb")})
	const rows, batches = 1200, 3
	for n := uint64(1); n <= batches; n++ {
		if err := w.Append(t.Context(), visits(n, rows, 1)); err != nil {
			t.Fatal(err)
		}
	}
	n, last := 0, cx.Position(0)
	who := visits(1, 1, 1).Events[0].Customer
	err := w.Person(t.Context(), "demo", who, func(r warehouse.PersonRow) error {
		var e struct {
			Customer, Name, Time string
			Properties           struct{ Price int }
		}
		if err := json.Unmarshal(r.JSON, &e); err != nil || r.Table != warehouse.PersonEvents || e.Customer != who.String() ||
			e.Name != "Product Added" || e.Properties.Price < 500 || e.Time < "2026" {
			t.Fatalf("%v: %s %s", err, r.Table, r.JSON)
		}
		if r.Position <= last {
			t.Fatalf("%v comes after %v", r.Position, last)
		}
		n, last = n+1, r.Position
		return nil
	})
	if err != nil || n != rows*batches {
		t.Errorf("%d rows, %v", n, err)
	}
	if err := w.Person(t.Context(), "other", who, func(warehouse.PersonRow) error { n++; return nil }); err != nil || n != rows*batches {
		t.Errorf("another workspace sees %d rows, %v", n-rows*batches, err)
	}
}
