package sqlite

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

func atBeginning() (pipeline.Origin, error) { return pipeline.Origin{From: 1}, nil }

// TestScratch: states of back-fills are found again by number until they are
// removed, whole.
func TestScratch(t *testing.T) {
	s := Scratch{Dir: filepath.Join(t.TempDir(), "backfill")}
	if n, err := s.Numbers(); err != nil || len(n) != 0 {
		t.Fatalf("before anything there are %v, %v", n, err)
	}
	for _, number := range []uint64{12, 3} {
		store, err := s.Open(t.Context(), number, atBeginning)
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
	store, err := s.Open(t.Context(), 12, nil)
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

// TestScratchFromCheckpoint: a state that begins with a kept checkpoint has what
// was restored, says where it began when it is opened again, and is not there when
// the checkpoint could not be restored whole.
func TestScratchFromCheckpoint(t *testing.T) {
	dir := t.TempDir()
	kept, err := OpenState(t.Context(), StateOptions{Path: filepath.Join(dir, "kept.db")})
	if err != nil {
		t.Fatal(err)
	}
	r, err := kept.Recover(t.Context())
	if err == nil {
		err = kept.Checkpoint(t.Context(), &pipeline.Checkpoint{Epoch: r.Epoch, Position: cx.At(1200, 3), Time: 77})
	}
	if err != nil {
		t.Fatal(err)
	}
	broken := errors.New("half of it")
	s := Scratch{Dir: filepath.Join(dir, "backfill")}
	_, err = s.Open(t.Context(), 7, func() (pipeline.Origin, error) {
		return pipeline.Origin{From: 1200, Since: 77, Restore: func(path string) error {
			return errors.Join(os.WriteFile(path, []byte("SQLite"), 0o600), broken)
		}}, nil
	})
	if n, _ := s.Numbers(); !errors.Is(err, broken) || len(n) != 0 {
		t.Fatalf("got %v and the states %v, want the fault of the checkpoint and none", err, n)
	}
	if err := os.WriteFile(filepath.Join(s.Dir, beingRestored), []byte("of a crash"), 0o600); err != nil {
		t.Fatal(err)
	}
	begin := func() (pipeline.Origin, error) {
		return pipeline.Origin{From: 1200, Since: 77, Restore: func(path string) error {
			_, _, err := kept.Copy(t.Context(), path)
			return err
		}}, nil
	}
	for range 2 {
		store, err := s.Open(t.Context(), 7, begin)
		if err != nil {
			t.Fatal(err)
		}
		if o := store.Origin(); o.From != 1200 || o.Since != 77 {
			t.Errorf("it began at %+v", o)
		}
		if r, err := store.Recover(t.Context()); err != nil || r.Position != cx.At(1200, 3) || r.Time != 77 {
			t.Errorf("it is at %v, %v, %v", r.Position, r.Time, err)
		}
		if err := store.Close(); err != nil {
			t.Fatal(err)
		}
		begin = nil // it is not asked again
	}
	if n, err := s.Numbers(); err != nil || !slices.Equal(n, []uint64{7}) {
		t.Errorf("there are %v, %v", n, err)
	}
	if err := errors.Join(s.Remove(7), kept.Close()); err != nil {
		t.Fatal(err)
	}
	if left, _ := filepath.Glob(filepath.Join(s.Dir, "*")); len(left) != 0 {
		t.Errorf("%v are left", left)
	}
}
