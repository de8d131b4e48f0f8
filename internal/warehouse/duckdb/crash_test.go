package duckdb

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// victim names the file that a child process appends to until it is killed.
const victim = "KIKUBARI_TEST_WAREHOUSE"

func TestMain(m *testing.M) {
	if path := os.Getenv(victim); path != "" {
		if err := appendUntilKilled(path); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// often makes DuckDB rewrite its log into the file every few batches, so that
// kills meet that too.
const often = "4MiB"

func appendUntilKilled(path string) error {
	w, err := Open(context.Background(), Options{Path: path, checkpointAfter: often})
	if err != nil {
		return err
	}
	p, err := w.Position(context.Background())
	if err != nil {
		return err
	}
	for n := p.Sequence() + 1; ; n++ {
		if err := w.Append(context.Background(), batch(n)); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

const crashRows = 1_000

// batch makes batch n: as many rows of each kind, all in record n.
func batch(n uint64) *pipeline.Batch {
	b := &pipeline.Batch{Upto: cx.At(n, crashRows)}
	for i := range crashRows {
		p := cx.At(n, i)
		b.Events = append(b.Events, pipeline.EventRow{Position: p, At: 1, Event: &cx.Event{Workspace: "demo", Type: cx.Track, MessageID: p.String(), Properties: []byte(`{"text":"` + strings.Repeat("x", 100+i%100) + `"}`)}})
		b.Decisions = append(b.Decisions, pipeline.DecisionRow{Position: p, ID: cx.NewDecisionID(p), At: 1, Workspace: "demo", Trace: make([]byte, 50)})
		b.Exposures = append(b.Exposures, pipeline.ExposureRow{Position: p, At: 1, Workspace: "demo"})
		b.Moves = append(b.Moves, pipeline.SegmentRow{Position: p, At: 1, Workspace: "demo"})
		b.Merges = append(b.Merges, pipeline.MergeRow{Position: p, At: 1, Workspace: "demo"})
		b.Deliveries = append(b.Deliveries, pipeline.DeliveryRow{Position: p, At: 1, Fate: cx.Fate{Workspace: "demo"}})
	}
	return b
}

func TestKilledAtAnyMoment(t *testing.T) {
	const rounds = 6
	path := filepath.Join(t.TempDir(), "warehouse.duckdb")
	last := uint64(0)
	for round := range rounds {
		acked := runUntilKilled(t, path, time.Duration(250+round*83)*time.Millisecond)
		if acked <= last {
			t.Fatalf("round %d: no batch after %d was stored before the kill", round, last)
		}
		last = check(t, path, acked)
	}
}

// runUntilKilled lets a child append for d after its first success and returns the last batch it
// said was stored.
func runUntilKilled(t *testing.T, path string, d time.Duration) (acked uint64) {
	t.Helper()
	killed, kill := context.WithCancel(context.Background())
	defer kill()
	cmd := exec.CommandContext(killed, os.Args[0])
	cmd.Env = append(os.Environ(), victim+"="+path)
	var problems bytes.Buffer
	cmd.Stderr = &problems
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for lines := bufio.NewScanner(out); lines.Scan(); {
		n, err := strconv.ParseUint(lines.Text(), 10, 64)
		if err != nil {
			continue
		}
		if acked == 0 {
			defer time.AfterFunc(d, kill).Stop()
		}
		acked = n
	}
	if err := cmd.Wait(); killed.Err() == nil {
		t.Fatalf("the child ended by itself: %v: %s", err, &problems)
	}
	return acked
}

// check opens what the child left: every batch up to the position, in every
// table, once, and nothing beyond it.
func check(t *testing.T, path string, acked uint64) uint64 {
	t.Helper()
	w, err := Open(context.Background(), Options{Path: path, checkpointAfter: often})
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	p, err := w.Position(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	n := p.Sequence()
	if n != acked && n != acked+1 {
		t.Errorf("recovered to batch %d, %d was acknowledged", n, acked)
	}
	for _, view := range views {
		table, err := w.Query(context.Background(), access.Everywhere,
			"select count(*), count(distinct position), min(position), max(position) from "+view)
		if err != nil {
			t.Fatal(err)
		}
		rows := n * crashRows
		want := fmt.Sprint([][]any{{rows, rows, uint64(cx.At(1, 0)), uint64(cx.At(n, crashRows-1))}})
		if got := fmt.Sprint(table.Rows); got != want {
			t.Errorf("%s after batch %d: %s, want %s", view, n, got, want)
		}
	}
	return n
}

func TestOneProcessHoldsTheFile(t *testing.T) {
	w := stocked(t, Options{})
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), victim+"="+w.options.Path)
	out, err := cmd.CombinedOutput()
	if err == nil || !strings.Contains(string(out), "another Kikubari") {
		t.Errorf("a second process: %v, %s", err, out)
	}
}
