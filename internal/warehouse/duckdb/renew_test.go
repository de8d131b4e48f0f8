package duckdb

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// told makes a batch of events by two customers; what each says is in no other's.
func told(n uint64, rows int) *pipeline.Batch {
	b := &pipeline.Batch{Upto: cx.At(n, rows)}
	for i := range rows {
		who := cx.CustomerID(1 + i%2)
		b.Events = append(b.Events, pipeline.EventRow{Position: cx.At(n, i), At: 1, Customer: who, Event: &cx.Event{
			Workspace: "shop", Type: cx.Track, Name: "Said", MessageID: fmt.Sprintf("customer-%d-said-%d-%d", who, n, i),
		}})
	}
	return b
}

// In a file that was written anew nothing is left of deleted rows; every other row
// is there, those too that came meanwhile.
func TestRenewedFileHoldsNoDeletedRows(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "warehouse.duckdb")
	w := open(t, Options{Path: path})
	for n := uint64(1); n <= 5; n++ {
		if err := w.Append(ctx, told(n, 10_000)); err != nil {
			t.Fatal(err)
		}
	}
	erased := &pipeline.Batch{Upto: cx.At(6, 1), Erased: []pipeline.ErasedRow{{Position: cx.At(6, 0), At: 1, Workspace: "shop", Customers: []cx.CustomerID{1}}}}
	if err := w.Append(ctx, erased); err != nil {
		t.Fatal(err)
	}
	w.appending.Lock()
	err := w.file.checkpoint(ctx)
	w.appending.Unlock()
	if err != nil {
		t.Fatal(err)
	}
	left := func() (gone, kept int) {
		b, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		return bytes.Count(b, []byte("customer-1-said-")), bytes.Count(b, []byte("customer-2-said-"))
	}
	if gone, _ := left(); gone == 0 {
		t.Error("DuckDB leaves nothing of deleted rows: the file need not be written anew")
	}

	meanwhile, stop := context.WithCancel(ctx)
	defer stop()
	last := uint64(7)
	var busy sync.WaitGroup
	busy.Go(func() {
		for ; meanwhile.Err() == nil; last++ {
			b := told(last, 200)
			b.Events = slices.DeleteFunc(b.Events, func(r pipeline.EventRow) bool { return r.Customer == 1 })
			if err := w.Append(ctx, b); err != nil {
				t.Error(err)
				return
			}
		}
	})
	busy.Go(func() {
		for meanwhile.Err() == nil {
			if _, err := w.Query(meanwhile, "shop", "select count(distinct message_id) from events"); err != nil && meanwhile.Err() == nil && cx.KindOf(err) != cx.Unavailable {
				t.Error(err)
			}
			if _, err := w.Stored(ctx, cx.At(1, 1)); err != nil {
				t.Errorf("a look-up meanwhile: %v", err)
			}
		}
	})
	for range 3 {
		if err := w.Renew(ctx); err != nil {
			t.Error(err)
		}
	}
	stop()
	busy.Wait()

	want, err := w.Sums(ctx, 0, cx.At(1<<40, 0))
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(want, func(s Sum) bool { return s.Table == "events" })
	if rows := int64(25_000 + 100*(last-7)); want[i].Rows != rows {
		t.Errorf("%d events are stored, want %d", want[i].Rows, rows)
	}
	if at, err := w.Position(ctx); err != nil || at != cx.At(last-1, 200) {
		t.Errorf("it is at %v, want %v (%v)", at, cx.At(last-1, 200), err)
	}
	if err := w.Append(ctx, told(last, 10)); err != nil {
		t.Error(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if gone, kept := left(); gone != 5 || kept == 0 { // the five that were appended last
		t.Errorf("%d pieces of the erased customer are left, and %d of the other", gone, kept)
	}
	if beside, err := filepath.Glob(path + ".*"); err != nil || len(beside) > 0 {
		t.Errorf("beside it stand %v (%v)", beside, err)
	}
}

// A file that was changed in between is left as it was.
func TestRenewNoticesChangedRows(t *testing.T) {
	ctx := t.Context()
	path := filepath.Join(t.TempDir(), "warehouse.duckdb")
	w := open(t, Options{Path: path})
	if err := w.Append(ctx, told(1, 100)); err != nil {
		t.Fatal(err)
	}
	w.renewing = func() {
		erased := &pipeline.Batch{Upto: cx.At(2, 1), Erased: []pipeline.ErasedRow{{Position: cx.At(2, 0), At: 1, Workspace: "shop", Customers: []cx.CustomerID{1}}}}
		if err := w.Append(ctx, erased); err != nil {
			t.Error(err)
		}
	}
	if err := w.Renew(ctx); cx.KindOf(err) != cx.Unavailable {
		t.Errorf("it answers %v", err)
	}
	if n, err := w.CountOf(ctx, []cx.CustomerID{1, 2}); err != nil || n != 50 {
		t.Errorf("%d rows are stored, %v", n, err)
	}
	if beside, err := filepath.Glob(path + ".[nc]*"); err != nil || len(beside) > 0 {
		t.Errorf("beside it stand %v (%v)", beside, err)
	}
	w.renewing = nil
	if err := w.Renew(ctx); err != nil {
		t.Error(err)
	}
}

// What a crash left beside the file goes when it is opened.
func TestLeftoversOfARenewalGo(t *testing.T) {
	path := filepath.Join(t.TempDir(), "warehouse.duckdb")
	for _, name := range []string{".new", ".new.wal", ".copy"} {
		if err := os.WriteFile(path+name, []byte("hana"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	open(t, Options{Path: path})
	for _, name := range []string{".new", ".new.wal", ".copy"} {
		if _, err := os.Stat(path + name); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s is still there (%v)", name, err)
		}
	}
}
