package duckdb

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
)

// TestSums stores the same rows in one batch and in several, and then one more.
func TestSums(t *testing.T) {
	sums := func(after, upto cx.Position, batches ...uint64) []Sum {
		t.Helper()
		w, err := Open(context.Background(), Options{Path: filepath.Join(t.TempDir(), "w.duckdb")})
		if err != nil {
			t.Fatal(err)
		}
		defer w.Close()
		for _, n := range batches {
			if err := w.Append(t.Context(), batch(n)); err != nil {
				t.Fatal(err)
			}
		}
		s, err := w.Sums(t.Context(), after, upto)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	end := cx.At(1<<40, 0)
	want := sums(0, end, 1, 2, 3)
	i := slices.IndexFunc(want, func(s Sum) bool { return s.Table == "events" })
	if i < 0 || want[i].Rows == 0 || want[i].Hash == "0" {
		t.Fatalf("there are no events to add up: %v", want)
	}
	if again := sums(0, end, 1, 2, 3); !slices.Equal(want, again) {
		t.Errorf("the same rows add up to %v and to %v", want, again)
	}
	if more := sums(0, end, 1, 2, 3, 4); more[i].Rows <= want[i].Rows || more[i].Hash == want[i].Hash {
		t.Errorf("one more batch adds up to %v after %v", more[i], want[i])
	}
	if other := sums(0, end, 1, 2, 4); other[i].Hash == want[i].Hash {
		t.Error("other rows add up to the same")
	}
	upto := batch(3).Upto
	if early := sums(0, upto, 1, 2, 3, 4); !slices.Equal(want, early) {
		t.Errorf("up to %v they add up to %v, want %v", upto, early, want)
	}
	if late := sums(upto, end, 1, 2, 3); late[i].Rows != 0 {
		t.Errorf("behind the end there are %d rows", late[i].Rows)
	}
}
