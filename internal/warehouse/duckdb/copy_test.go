package duckdb

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// count returns how many events a warehouse has and its position.
func count(t *testing.T, path string) (rows int, at cx.Position) {
	t.Helper()
	w := open(t, Options{Path: path})
	defer w.Close()
	table, err := w.Query(t.Context(), "*", "select count(*), count(distinct position), sum(length(properties::varchar)) from events")
	if err != nil {
		t.Fatal(err)
	}
	if fmt.Sprint(table.Rows[0][0]) != fmt.Sprint(table.Rows[0][1]) {
		t.Errorf("the rows of the copy are %v", table.Rows)
	}
	if _, err := fmt.Sscan(fmt.Sprint(table.Rows[0][0]), &rows); err != nil {
		t.Fatal(err)
	}
	if at, err = w.Position(t.Context()); err != nil {
		t.Fatal(err)
	}
	return rows, at
}

// A copy that was made while rows were appended and people asked is a warehouse
// with every row up to its position, and none behind.
func TestCopyWhileRowsAreAppended(t *testing.T) {
	dir := t.TempDir()
	w := open(t, Options{Path: filepath.Join(dir, "warehouse.duckdb"), checkpointAfter: "1MiB"})
	const rows = 3_000
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	var busy sync.WaitGroup
	busy.Go(func() {
		for n := uint64(1); ctx.Err() == nil; n++ {
			if err := w.Append(context.WithoutCancel(ctx), visits(n, rows, 100)); err != nil {
				t.Error(err)
				return
			}
		}
	})
	busy.Go(func() {
		for ctx.Err() == nil {
			if _, err := w.Query(ctx, "demo", "select count(distinct message_id) from events"); err != nil && ctx.Err() == nil && cx.KindOf(err) != cx.Unavailable {
				t.Error(err)
			}
		}
	})
	for limit := time.Now().Add(20 * time.Second); time.Now().Before(limit); time.Sleep(time.Millisecond) {
		if p, err := w.Position(ctx); err != nil || p.Sequence() > 5 {
			break
		}
	}
	for i := range 5 {
		path := filepath.Join(dir, fmt.Sprintf("copy-%d.duckdb", i))
		at, err := w.Copy(ctx, path)
		if err != nil {
			t.Fatal(err)
		}
		got, position := count(t, path)
		if want := int(at.Sequence()) * rows; got != want || position != at || want == 0 {
			t.Errorf("copy %d: %d rows up to %v; %d up to %v were stored", i, got, position, want, at)
		}
	}
	stop()
	busy.Wait()
}

// A head that moves while bytes are copied is noticed.
func TestCopyNoticesANewHead(t *testing.T) {
	w := stocked(t, Options{})
	path := filepath.Join(t.TempDir(), "copy.duckdb")
	_, heads, err := w.settle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.mu.RUnlock()
	if err := w.copyFile(t.Context(), w.file, heads, path); err != nil {
		t.Errorf("nothing moved: %v", err)
	}
	if err := w.Append(t.Context(), batch(5)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := w.settle(t.Context()); err != nil {
		t.Fatal(err)
	}
	w.mu.RUnlock()
	if err := w.copyFile(t.Context(), w.file, heads, path); !errors.Is(err, errMoved) {
		t.Errorf("the head moved: %v", err)
	}
	if at, err := w.copyAlone(t.Context(), path); err != nil || at != batch(5).Upto {
		t.Errorf("alone: %v, %v", at, err)
	}
	if at, err := w.Copy(t.Context(), filepath.Join(path, "no directory")); err == nil {
		t.Errorf("a copy to nowhere is at %v", at)
	}
}
