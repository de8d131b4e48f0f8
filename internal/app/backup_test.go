package app

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

func TestSendsArePaused(t *testing.T) {
	path := filepath.Join(t.TempDir(), sendsFile)
	for range 2 { // with none before, and paused already
		if err := pauseSends(t.Context(), path); err != nil {
			t.Fatal(err)
		}
	}
	copied := path + ".copy"
	if err := sqlite.CopyFile(t.Context(), path, copied); err != nil {
		t.Fatal(err)
	}
	sends, err := sqlite.OpenSends(t.Context(), copied)
	if err != nil {
		t.Fatal(err)
	}
	defer sends.Close()
	if paused, err := sends.Paused(t.Context()); err != nil || !slices.Equal(paused, []cx.Workspace{access.Everywhere}) {
		t.Errorf("paused are %v, %v", paused, err)
	}
}
