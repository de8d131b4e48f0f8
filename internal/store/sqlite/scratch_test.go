package sqlite

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// TestScratch: states of back-fills are found again by number until they are
// removed, whole.
func TestScratch(t *testing.T) {
	s := Scratch{Dir: filepath.Join(t.TempDir(), "backfill")}
	if n, err := s.Numbers(); err != nil || len(n) != 0 {
		t.Fatalf("before anything there are %v, %v", n, err)
	}
	for _, number := range []uint64{12, 3} {
		store, err := s.Open(t.Context(), number)
		if err != nil {
			t.Fatal(err)
		}
		r, err := store.Recover(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Checkpoint(t.Context(), &pipeline.Checkpoint{Epoch: r.Epoch, Position: cx.At(number, 0)}); err != nil {
			t.Fatal(err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := s.Numbers(); err != nil || !slices.Equal(n, []uint64{3, 12}) {
		t.Fatalf("there are %v, %v; want 3 and 12", n, err)
	}
	store, err := s.Open(t.Context(), 12)
	if err != nil {
		t.Fatal(err)
	}
	if r, err := store.Recover(t.Context()); err != nil || r.Position != cx.At(12, 0) {
		t.Errorf("12 is at %v, %v", r.Position, err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Remove(12); err != nil {
			t.Fatal(err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(s.Dir, "12*")); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
}
