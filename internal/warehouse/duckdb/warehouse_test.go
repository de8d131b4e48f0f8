package duckdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/warehouse/warehousetest"
)

func TestWarehouse(t *testing.T) {
	warehousetest.Run(t, func(t *testing.T) func() warehousetest.Warehouse {
		t.Helper()
		path := filepath.Join(t.TempDir(), "warehouse.duckdb")
		return func() warehousetest.Warehouse { return open(t, Options{Path: path}) }
	})
}

// open opens a warehouse that is closed when the test ends.
func open(tb testing.TB, o Options) *Warehouse {
	tb.Helper()
	if o.QueryTime == 0 {
		o.QueryTime = 5 * time.Second
	}
	w, err := Open(context.Background(), o)
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := w.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return w
}

// TestFailedCommitIsTriedAgain lets another transaction hold the position, so
// that a batch fails after its rows were written.
func TestFailedCommitIsTriedAgain(t *testing.T) {
	w := stocked(t, Options{})
	tx, err := w.file.lookups.Begin()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tx.Exec("UPDATE store.meta SET position = 0"); err != nil {
		t.Fatal(err)
	}
	next := batch(5)
	if err := w.Append(context.Background(), next); err == nil {
		t.Error("two transactions wrote the position")
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if p, err := w.Position(context.Background()); p != cx.At(2, 0) || err != nil {
		t.Errorf("after the failure: position %v, %v", p, err)
	}
	if err := w.Append(context.Background(), next); err != nil {
		t.Fatalf("the same batch again: %v", err)
	}
	table, err := w.Query(context.Background(), "demo", "select count(*) from events where position > "+fmt.Sprint(uint64(cx.At(2, 0))))
	if err != nil || fmt.Sprint(table.Rows) != fmt.Sprintf("[[%d]]", crashRows) {
		t.Errorf("rows of a batch stored at the second try: %v, %v", table, err)
	}
}

// TestAppendingGoesBeforeQuestions appends while questions use up the memory.
func TestAppendingGoesBeforeQuestions(t *testing.T) {
	w := stocked(t, Options{Memory: 48 << 20, QueryTime: 30 * time.Second})
	ctx, cancel := context.WithCancel(context.Background())
	var asked sync.WaitGroup
	for range 2 {
		asked.Go(func() {
			for ctx.Err() == nil {
				_, _ = w.Query(ctx, "demo", "select list(range), list(range::varchar) from range(100000000) group by range % 1000")
			}
		})
	}
	for n := uint64(5); n < 15; n++ {
		// The machine asks again when an append fails, and so does this.
		err := w.Append(context.Background(), batch(n))
		for try := 0; err != nil && try < 10; try++ {
			err = w.Append(context.Background(), batch(n))
		}
		if err != nil {
			t.Fatalf("batch %d: %v", n, err)
		}
	}
	cancel()
	asked.Wait()
}

// TestOpensAgain takes the file away, as after an error that DuckDB does not
// recover from and a failure to open it again.
func TestOpensAgain(t *testing.T) {
	w := stocked(t, Options{})
	if err := w.drop(); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Query(context.Background(), "demo", "select 1"); cx.KindOf(err) != cx.Unavailable {
		t.Errorf("a question meanwhile: %v", err)
	}
	if err := w.Append(context.Background(), batch(5)); err != nil {
		t.Fatal(err)
	}
	table, err := w.Query(context.Background(), "demo", "select count(*) from events")
	if err != nil || fmt.Sprint(table.Rows) != fmt.Sprintf("[[%d]]", crashRows+1) {
		t.Errorf("afterwards: %v, %v", table, err)
	}
}

func TestQuestionsAreInterrupted(t *testing.T) {
	var q questions
	ctx, leave, err := q.enter(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		<-ctx.Done()
		leave()
	}()
	release := q.hold(errEvicted)
	if !errors.Is(context.Cause(ctx), errEvicted) {
		t.Errorf("interrupted for %v", context.Cause(ctx))
	}
	if _, _, err := q.enter(context.Background()); !errors.Is(err, errEvicted) {
		t.Errorf("a question while they are held up: %v", err)
	}
	release()
	if _, leave, err := q.enter(context.Background()); err != nil {
		t.Errorf("a question afterwards: %v", err)
	} else {
		leave()
	}
}

func TestCloseInterruptsQuestions(t *testing.T) {
	w := stocked(t, Options{QueryTime: time.Minute})
	failed := make(chan error, 1)
	go func() {
		_, err := w.Query(context.Background(), "demo", "select count(*) from range(1000000) a, range(1000000) b where a.range * b.range = 7")
		failed <- err
	}()
	for asking := false; !asking; runtime.Gosched() {
		w.asking.mu.Lock()
		asking = len(w.asking.running) > 0
		w.asking.mu.Unlock()
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if err := <-failed; cx.KindOf(err) != cx.Unavailable {
		t.Errorf("the question under way: %v", err)
	}
}

func TestNewerSchemaIsRefused(t *testing.T) {
	w := stocked(t, Options{})
	if _, err := w.file.lookups.Exec("UPDATE store.meta SET schema_version = 99"); err != nil {
		t.Fatal(err)
	}
	w.Close()
	_, err := Open(context.Background(), Options{Path: w.options.Path})
	if cx.KindOf(err) != cx.Invalid || !strings.Contains(err.Error(), "newer Kikubari") {
		t.Errorf("opening a newer file: %v", err)
	}
}

// TestTextsOfEveryLength writes texts around the length at which they no longer
// stand in the vector itself, and more than one block and one chunk of them.
func TestTextsOfEveryLength(t *testing.T) {
	w := open(t, Options{Path: filepath.Join(t.TempDir(), "warehouse.duckdb")})
	b := &pipeline.Batch{Upto: cx.At(2, 0)}
	total := 0
	for i := range 5_000 {
		s := strings.Repeat(string(rune('a'+i%26)), i%40)
		if i%1_000 == 999 {
			s = strings.Repeat("z", blockSize/2+i)
		}
		total += len(s)
		b.Events = append(b.Events, pipeline.EventRow{Position: cx.At(1, i), At: 1, Event: &cx.Event{Workspace: "demo", MessageID: s, UserID: s}})
	}
	if err := w.Append(context.Background(), b); err != nil {
		t.Fatal(err)
	}
	table, err := w.Query(context.Background(), "demo", `select sum(length(message_id))::bigint, count(*) filter (where message_id is distinct from coalesce(user_id, '')),
		count(*) filter (where length(message_id) between 1 and 39 and length(replace(message_id, message_id[1], '')) > 0) from events`)
	if want := fmt.Sprintf("[[%d 0 0]]", total); err != nil || fmt.Sprint(table.Rows) != want {
		t.Errorf("%v, %v; want %s", table, err, want)
	}
}

// FuzzQuery asks anything at all: what comes back never shows the other
// workspace, and the warehouse goes on.
func FuzzQuery(f *testing.F) {
	for _, s := range []string{
		"select * from events", "with e as (from events) select * from e, e f", "select * from store.events", "explain select 1",
		"from events select properties->>'price'", "select [x for x in range(3)]", "summarize events", "select 1; select 2", "describe decisions",
		"select * from (values (1)) t(a) where a in (select 1)", "select 'a' || $$b$$ || E'\\n'", "select * from \"events\" as \"e\" natural join events",
	} {
		f.Add(s)
	}
	w := stocked(f, Options{QueryTime: 200 * time.Millisecond, QueryRows: 50})
	f.Fuzz(func(t *testing.T, statement string) {
		table, err := w.Query(context.Background(), "demo", statement)
		if err != nil {
			if k := cx.KindOf(err); k != cx.Invalid && k != cx.Limited {
				t.Errorf("%q: %v (%v)", statement, err, k)
			}
			return
		}
		if strings.Contains(fmt.Sprint(table.Rows), "of rival") {
			t.Errorf("%q shows the other workspace: %v", statement, table.Rows)
		}
	})
}

func TestCloseEndsEverything(t *testing.T) {
	before := goleak.IgnoreCurrent()
	w := stocked(t, Options{})
	if _, err := w.Query(context.Background(), "demo", "select 1"); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	}
	goleak.VerifyNone(t, before)
}

func TestOpenFailsCleanly(t *testing.T) {
	before := goleak.IgnoreCurrent()
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.duckdb")
	if err := os.WriteFile(broken, []byte(strings.Repeat("this is not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "missing", "warehouse.duckdb"), broken, dir} {
		if w, err := Open(context.Background(), Options{Path: path}); err == nil {
			t.Errorf("opened %s", path)
			w.Close()
		}
	}
	goleak.VerifyNone(t, before)
}
