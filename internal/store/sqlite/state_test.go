package sqlite

import (
	"context"
	"database/sql/driver"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/storetest"
)

func TestState(t *testing.T) {
	storetest.Run(t, func(t *testing.T) func() pipeline.Store {
		t.Helper()
		path := filepath.Join(t.TempDir(), "state.db")
		return func() pipeline.Store { return openState(t, path) }
	})
}

func openState(tb testing.TB, path string) *State {
	tb.Helper()
	s, err := OpenState(context.Background(), StateOptions{Path: path})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		if err := s.Close(); err != nil {
			tb.Errorf("Close: %v", err)
		}
	})
	return s
}

func TestNewerSchemaIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "state.db")
	openState(t, path).Close()
	c, err := dial(path, "rw", 100)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.exec("PRAGMA user_version = 99"); err != nil {
		t.Fatal(err)
	}
	c.close()
	_, err = OpenState(context.Background(), StateOptions{Path: path})
	if cx.KindOf(err) != cx.Invalid || !strings.Contains(err.Error(), "newer Kikubari") {
		t.Errorf("opening a newer file: %v", err)
	}
}

func TestFailedMigrationLeavesNoTrace(t *testing.T) {
	c, err := dial(filepath.Join(t.TempDir(), "x.db"), "rwc", 100)
	if err != nil {
		t.Fatal(err)
	}
	defer c.close()
	if err := step(c, "CREATE TABLE a (x); INSERT INTO missing VALUES (1)", 1); err == nil {
		t.Fatal("a script with an error was accepted")
	}
	if err := step(c, "CREATE TABLE a (x)", 1); err != nil {
		t.Errorf("the same table after the failure: %v", err)
	}
	if n, err := c.number("PRAGMA user_version"); n != 1 || err != nil {
		t.Errorf("version %d, %v", n, err)
	}
}

func TestPathWithOddCharacters(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a b?c%20#d.db")
	openState(t, path).Close()
	if found, err := filepath.Glob(filepath.Join(filepath.Dir(path), "a b*")); err != nil || len(found) == 0 || found[0] != path {
		t.Errorf("files %q, want %q", found, path)
	}
}

func TestSignedKeepsTheOrder(t *testing.T) {
	numbers := []uint64{0, 1, 1<<63 - 1, 1 << 63, 1<<64 - 1}
	for i, n := range numbers {
		if back := unsigned(driver.Value(signed(n))); back != n {
			t.Errorf("%d came back as %d", n, back)
		}
		if i > 0 && signed(numbers[i-1]) >= signed(n) {
			t.Errorf("%d is not after %d", n, numbers[i-1])
		}
	}
}

func TestCloseEndsEverything(t *testing.T) {
	before := goleak.IgnoreCurrent()
	s := openState(t, filepath.Join(t.TempDir(), "state.db"))
	c := newControl(t)
	if err := s.Close(); err != nil {
		t.Error(err)
	}
	if err := s.Close(); err != nil {
		t.Errorf("the second time: %v", err)
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	goleak.VerifyNone(t, before)
}

func TestOpenFailsCleanly(t *testing.T) {
	before := goleak.IgnoreCurrent()
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.db")
	if err := os.WriteFile(broken, []byte(strings.Repeat("this is not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Join(dir, "missing", "state.db"), broken, dir} {
		if s, err := OpenState(ctx, StateOptions{Path: path}); err == nil {
			t.Errorf("opened %s", path)
			s.Close()
		}
		if c, err := OpenControl(ctx, path); err == nil {
			t.Errorf("opened %s", path)
			c.Close()
		}
	}
	goleak.VerifyNone(t, before)
}
