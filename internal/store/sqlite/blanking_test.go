package sqlite

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/access"
)

// A rewriting is known until it ends; then those erased before it are clean in
// the archive, others are not, and the names are gone from the file.
func TestBlankingIsForgottenWhenItEnds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "control.db")
	c := openControl(t, path)
	for _, e := range []Erasure{{ID: "e_1", Workspace: "shop", Position: 10, DoneAt: 5}, {ID: "e_2", Workspace: "shop", Position: 30, DoneAt: 6}, {ID: "e_3", Workspace: "shop", Position: 15}} {
		if err := c.AddErasure(ctx, &e, nil); err != nil {
			t.Fatal(err)
		}
	}
	if upto, names, err := c.Blanking(ctx); upto != 0 || len(names) != 0 || err != nil {
		t.Fatalf("a rewriting up to %v with %v is under way, %v", upto, names, err)
	}
	want := []BlankedName{{"other", "hana-was-here", "t2"}, {"shop", "hana-was-here", "t1"}}
	if err := c.BeginBlanking(ctx, 20, 3, want); err != nil {
		t.Fatal(err)
	}
	if err := c.BeginBlanking(ctx, 25, 0, nil); err == nil {
		t.Error("two rewritings are under way")
	}
	upto, names, err := c.Blanking(ctx)
	if diff := cmp.Diff(want, names); err != nil || upto != 20 || diff != "" {
		t.Errorf("up to %v, %v (-want +got):\n%s", upto, err, diff)
	}
	if err := c.EndBlanking(ctx, 77); err != nil {
		t.Fatal(err)
	}
	if upto, names, err := c.Blanking(ctx); upto != 0 || len(names) != 0 || err != nil {
		t.Errorf("a rewriting up to %v with %v is still under way, %v", upto, names, err)
	}
	all, err := c.Erasures(ctx, access.Everywhere, "", 10)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range all {
		if clean := e.ID == "e_1"; clean != (e.ArchiveAt == 77) || clean != (e.Kept == 3) {
			t.Errorf("%s: clean at %d, %d entries kept", e.ID, e.ArchiveAt, e.Kept)
		}
	}
	for _, name := range []string{path, path + "-wal"} {
		if b, err := os.ReadFile(name); err == nil && bytes.Contains(b, []byte("hana-was-here")) {
			t.Errorf("the name is left in %s", filepath.Base(name))
		}
	}
}
