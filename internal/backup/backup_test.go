package backup

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

// shop is a source whose engines are files with a word in them.
func shop(t *testing.T) Source {
	t.Helper()
	data := t.TempDir()
	j, err := journal.Open(t.Context(), journal.Options{Dir: filepath.Join(data, "journal"), ReserveBytes: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	for range 3 {
		if _, err := j.Append(t.Context(), []cx.Entry{{Kind: cx.EntryTick}}, nil); err != nil {
			t.Fatal(err)
		}
	}
	write := func(word string) func(context.Context, string) error {
		return func(_ context.Context, path string) error { return os.WriteFile(path, []byte(word), 0o600) }
	}
	return Source{
		Dir: data, Version: "v0", Format: 1, Journal: j,
		State: func(ctx context.Context, path string) (cx.Position, cx.Instant, error) {
			return cx.At(2, 0), 5, write("state")(ctx, path)
		},
		Databases: []Database{{"control.db", write("control")}},
		Warehouse: func(ctx context.Context, path string) (cx.Position, error) {
			return cx.At(3, 0), write("rows")(ctx, path)
		},
	}
}

func restore(t *testing.T, dir string, format int) error {
	t.Helper()
	_, err := Restore(t.Context(), dir, filepath.Join(t.TempDir(), "data"), format, slog.New(slog.DiscardHandler), nil)
	return err
}

func TestWhatGoesWrongLeavesNothing(t *testing.T) {
	broken := errors.New("the engine is broken")
	for name, c := range map[string]struct {
		spoil func(*Source)
		want  string
	}{
		"an engine fails": {func(s *Source) {
			s.Warehouse = func(context.Context, string) (cx.Position, error) { return 0, broken }
		}, broken.Error()},
		"the warehouse is behind": {func(s *Source) {
			s.Warehouse = func(context.Context, string) (cx.Position, error) { return cx.At(1, 0), nil }
		}, "before the state"},
		"no room": {func(s *Source) { s.free = func(string) (uint64, error) { return 1 << 20, nil } }, "make room, or give a directory on another disk"},
	} {
		s := shop(t)
		c.spoil(&s)
		dir := filepath.Join(t.TempDir(), "copy")
		if m, err := Write(t.Context(), dir, s, nil); err == nil || !strings.Contains(err.Error(), c.want) || m != nil {
			t.Errorf("%s: %v, %v", name, m, err)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s: the directory is still there: %v", name, err)
		}
		empty := t.TempDir()
		if _, err := Write(t.Context(), empty, s, nil); err == nil {
			t.Errorf("%s: a backup was made", name)
		}
		if left, err := os.ReadDir(empty); err != nil || len(left) > 0 {
			t.Errorf("%s: %v is left, %v", name, left, err)
		}
	}
}

func TestEveryDamageIsFound(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "copy")
	m, err := Write(t.Context(), dir, shop(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Files) != 4 || m.Journal.First != 1 || m.Journal.Last != 3 {
		t.Fatalf("the backup is %+v", m)
	}
	if err := restore(t, dir, 1); err != nil {
		t.Errorf("a good backup: %v", err)
	}
	if err := restore(t, dir, 0); cx.KindOf(err) != cx.Invalid || !strings.Contains(err.Error(), "restore it with version v0") {
		t.Errorf("of a newer data directory: %v", err)
	}
	for _, f := range m.Files {
		path := filepath.Join(dir, f.Name)
		was, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for what, spoilt := range map[string][]byte{
			"bytes and not":    was[:len(was)-1],
			"has other bytes":  append([]byte{was[0] ^ 1}, was[1:]...),
			f.Name + " has":    {},
			"is damaged, use ": append(slices.Clip(was), 0),
		} {
			if err := os.WriteFile(path, spoilt, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := restore(t, dir, 1); cx.KindOf(err) != cx.Invalid || !strings.Contains(err.Error(), what) {
				t.Errorf("%s: want %q: %v", f.Name, what, err)
			}
		}
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		if _, err := Verify(t.Context(), dir); err == nil || !strings.Contains(err.Error(), f.Name+" is missing") {
			t.Errorf("%s removed: %v", f.Name, err)
		}
		if err := os.WriteFile(path, was, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for want, spoil := range map[string]func(*Manifest){
		"knows up to 1":                    func(m *Manifest) { m.Format = 2 },
		"outside of it":                    func(m *Manifest) { m.Files[0].Name = "../../etc/passwd" },
		"control.db has 7 bytes and not 8": func(m *Manifest) { m.Files[0].Bytes++ },
	} {
		other := *m
		other.Files = append([]File(nil), m.Files...)
		spoil(&other)
		b, err := json.Marshal(other)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, manifestFile), b, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := restore(t, dir, 1); cx.KindOf(err) != cx.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
}
