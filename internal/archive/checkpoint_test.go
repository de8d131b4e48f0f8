package archive_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
)

// writes returns what Keep asks for: a state file with a content, and where it is.
func writes(content []byte, at cx.Position, when cx.Instant) func(context.Context, string) (cx.Position, cx.Instant, error) {
	return func(_ context.Context, path string) (cx.Position, cx.Instant, error) {
		return at, when, os.WriteFile(path, content, 0o600)
	}
}

func TestKeptCheckpoints(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	content := bytes.Repeat([]byte("a state of three megabytes "), 120_000)
	day := cx.InstantOf(time.Date(2026, 11, 21, 23, 59, 0, 0, time.UTC))
	for i := range 3 {
		c, err := a.Keep(t.Context(), 0, writes(content, cx.At(uint64(100*(i+1)), 7), day+cx.Instant(i)*24*cx.Hour))
		if err != nil {
			t.Fatal(err)
		}
		if want := "checkpoint-2026-11-21-000000000000100.00007.db.zst"; i == 0 && c.Name() != want {
			t.Errorf("it is called %s, want %s", c.Name(), want)
		}
	}
	if c, err := a.Keep(t.Context(), 0, writes(nil, 0, 0)); err != nil || c.Path != "" {
		t.Errorf("no checkpoint is kept as %v, %v", c, err)
	}
	wrong := errors.New("wrong")
	if _, err := a.Keep(t.Context(), 0, func(context.Context, string) (cx.Position, cx.Instant, error) { return 0, 0, wrong }); !errors.Is(err, wrong) {
		t.Errorf("a copy that failed is answered %v", err)
	}
	for _, a := range []*archive.Archive{a, open(t, dir)} {
		kept := a.Checkpoints()
		if len(kept) != 3 || kept[1].Position != cx.At(200, 7) || !kept[1].Day.Equal(time.Date(2026, 11, 22, 0, 0, 0, 0, time.UTC)) || kept[1].Bytes == 0 {
			t.Fatalf("kept: %+v", kept)
		}
		path := filepath.Join(t.TempDir(), "state.db")
		if err := a.Restore(kept[2], path); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || !bytes.Equal(got, content) {
			t.Errorf("%d bytes come back (%v)", len(got), err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
		t.Errorf("left behind: %v", left)
	}

	c := a.Checkpoints()[0]
	stored, err := os.ReadFile(c.Path)
	if err != nil {
		t.Fatal(err)
	}
	stored[len(stored)/2] ^= 1
	if err := os.WriteFile(c.Path, stored, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, ok := errors.AsType[*archive.DamageError](a.Restore(c, filepath.Join(t.TempDir(), "state.db"))); !ok {
		t.Error("a damaged checkpoint is restored")
	}
	if _, ok := errors.AsType[*archive.DamageError](a.Check(c)); !ok {
		t.Error("a damaged checkpoint passes for whole")
	}
	if err := a.Check(a.Checkpoints()[1]); err != nil {
		t.Errorf("a whole one: %v", err)
	}
	if err := os.Truncate(c.Path, int64(len(stored)/2)); err != nil {
		t.Fatal(err)
	}
	if _, ok := errors.AsType[*archive.DamageError](a.Check(c)); !ok {
		t.Error("half a checkpoint passes for whole")
	}
	if err := a.Forget(c); err != nil || len(a.Checkpoints()) != 2 || len(open(t, dir).Checkpoints()) != 2 {
		t.Errorf("forgotten, %d are kept: %v", len(a.Checkpoints()), err)
	}
}

// TestDrop drops what is old, but never what the state is computed from.
func TestDrop(t *testing.T) {
	dir := t.TempDir()
	a := open(t, dir)
	source := records(1, 100)
	start := cx.InstantOf(time.Date(2026, 11, 1, 12, 0, 0, 0, time.UTC))
	for i, r := range source {
		r.Time = start + cx.Instant(i)*cx.Hour
	}
	mustAdd(t, a, source, 100)
	limit := start + 50*cx.Hour
	keep := func(i int) {
		if _, err := a.Keep(t.Context(), 0, writes([]byte("state"), cx.At(source[i].Sequence, 0), source[i].Time)); err != nil {
			t.Fatal(err)
		}
	}
	keep(10)
	if n, err := a.Drop(limit); n != 0 || err != nil {
		t.Fatalf("%d dropped although nothing else could be computed from: %v", n, err)
	}
	keep(60)
	n, err := a.Drop(limit)
	if n == 0 || err != nil {
		t.Fatal(n, err)
	}
	for _, a := range []*archive.Archive{a, open(t, dir)} {
		first := a.First()
		if files := a.Files(); files[0].Last < 51 || first < 10 || first > 51 {
			t.Errorf("it begins at %d with %s", first, files[0].Name())
		}
		if kept := a.Checkpoints(); len(kept) != 1 || kept[0].Position != cx.At(61, 0) {
			t.Errorf("kept: %v", kept)
		}
		got, next := all(t, a, 0, 0)
		if next != 101 || !bytes.Equal(encoded(got), encoded(source[first-1:])) {
			t.Errorf("from %d on it gives %d records", first, len(got))
		}
	}
}
