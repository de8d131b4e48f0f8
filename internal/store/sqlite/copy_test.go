package sqlite

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// TestCopyIsOneCheckpoint copies the state again and again while checkpoints go
// on, and checks that each copy is whole: every customer says the number of the
// checkpoint that the copy claims to be.
func TestCopyIsOneCheckpoint(t *testing.T) {
	dir := t.TempDir()
	s := openState(t, filepath.Join(dir, "state.db"))
	if at, _, err := s.Copy(t.Context(), filepath.Join(dir, "none.db")); at != 0 || err != nil {
		t.Fatalf("without a checkpoint: %v, %v", at, err)
	}
	r, err := s.Recover(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	const people = 3000
	number := 0
	checkpoint := func() {
		number++
		c := &pipeline.Checkpoint{Epoch: r.Epoch, Previous: cx.At(uint64(number-1), 0), Position: cx.At(uint64(number), 0), Time: cx.Instant(number)}
		for id := range people {
			c.Customers = append(c.Customers, pipeline.CustomerRow{ID: cx.CustomerID(id + 1), Blob: fmt.Appendf(nil, "%0*d", 900, number)})
		}
		if err := s.Checkpoint(t.Context(), c); err != nil {
			t.Fatal(err)
		}
	}
	checkpoint()
	copied := make(chan error)
	go func() {
		defer close(copied)
		for i := range 4 {
			copied <- checkCopy(t, s, filepath.Join(dir, fmt.Sprintf("copy-%d.db", i)), people)
		}
	}()
	copies := 0
	for copies < 4 {
		select {
		case err := <-copied:
			if err != nil {
				t.Error(err)
			}
			copies++
		default:
			checkpoint()
		}
	}
	if number < 4 {
		t.Errorf("%d checkpoints: too few to prove anything", number)
	}
}

func checkCopy(t *testing.T, s *State, path string, people int) error {
	t.Helper()
	at, when, err := s.Copy(t.Context(), path)
	if err != nil {
		return err
	}
	c, err := OpenState(t.Context(), StateOptions{Path: path})
	if err != nil {
		return err
	}
	defer c.Close()
	r, err := c.Recover(t.Context())
	if err != nil {
		return err
	}
	if r.Position != at || r.Time != when {
		return fmt.Errorf("the copy of %v is at %v", at, r.Position)
	}
	n, want := 0, fmt.Sprintf("%0*d", 900, at.Sequence())
	err = c.EachCustomer(t.Context(), func(id cx.CustomerID, blob []byte) error {
		if n++; string(blob) != want {
			return fmt.Errorf("in the copy of %v customer %v is of another checkpoint", at, id)
		}
		return nil
	})
	if err == nil && n != people {
		err = fmt.Errorf("the copy of %v has %d customers", at, n)
	}
	return err
}
