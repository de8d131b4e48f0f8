package sqlite

import (
	"context"
	"path/filepath"
	"testing"

	"github.com/kikubari/kikubari/internal/deliver"
	"github.com/kikubari/kikubari/internal/store/storetest"
)

func TestSends(t *testing.T) {
	storetest.RunSends(t, func(t *testing.T) func() deliver.Store {
		t.Helper()
		path := filepath.Join(t.TempDir(), "deliver.db")
		return func() deliver.Store {
			s, err := OpenSends(context.Background(), path)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() {
				if err := s.Close(); err != nil {
					t.Errorf("Close: %v", err)
				}
			})
			return s
		}
	})
}
