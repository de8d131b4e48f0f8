package app

import (
	"errors"
	"strings"
	"testing"

	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// TestSetsOfAnotherVersion keeps sets that this version of the program cannot
// build or not even read: they are listed, never published again, and do not
// hide the others.
func TestSetsOfAnotherVersion(t *testing.T) {
	config, err := LoadConfig("", nil, map[string]string{"data": t.TempDir(), "listen": "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	a, err := Open(t.Context(), config, Hooks{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := a.Close(); err != nil {
			t.Error(err)
		}
	})
	const workspace = "kind: workspace\nname: shop\ntime_zone: UTC\ncurrency: JPY\n"
	p := publisher{a}
	canonical := func(text string) []byte {
		docs, wrong := definition.Parse([]definition.File{{Name: "a.yaml", Text: []byte(text)}})
		b, err := definition.Canonical(docs)
		if err := errors.Join(err, definition.AsError(wrong)); err != nil {
			t.Fatal(err)
		}
		return b
	}
	for n, blob := range map[uint64][]byte{
		1:  canonical(workspace),
		80: canonical(workspace + "---\nkind: segment\nname: odd\nwhen: no_such_thing > 1\n"),
		90: []byte("of the future"),
	} {
		if err := a.control.PutDefinitions(t.Context(), sqlite.DefinitionSet{Workspace: "shop", Sequence: n, Blob: blob}); err != nil {
			t.Fatal(err)
		}
	}
	for n, want := range map[uint64]string{
		80: "set 80 cannot be published, there is a problem",
		90: "set 90 cannot be read by this version of the program",
	} {
		for _, dry := range []bool{true, false} {
			_, err := p.Rollback(t.Context(), api.Rollback{Workspace: "shop", Set: n, DryRun: dry})
			if cx.KindOf(err) != cx.Invalid || !strings.Contains(err.Error(), want) {
				t.Errorf("set %d: %v", n, err)
			}
		}
	}
	if set := a.shard.Set("shop"); set != nil && set.Sequence != 0 {
		t.Errorf("set %d is in force", set.Sequence)
	}
	if out, err := p.Rollback(t.Context(), api.Rollback{Workspace: "shop", Set: 1, DryRun: true}); err != nil || out.SameAs != 1 {
		t.Errorf("set 1, which this version can build: %+v, %v", out, err)
	}
	list, err := p.Versions(t.Context(), "shop", 10)
	if err != nil || len(list) != 3 {
		t.Fatalf("%d sets, %v", len(list), err)
	}
	for i, want := range []string{"", "+1 segment", "+1 workspace"} {
		if list[i].Summary != want {
			t.Errorf("set %d: %q, want %q", list[i].Sequence, list[i].Summary, want)
		}
	}
	if _, err := p.Export(t.Context(), "shop", 80); err != nil {
		t.Errorf("a set that cannot be built can still be mended by hand: %v", err)
	}
}
