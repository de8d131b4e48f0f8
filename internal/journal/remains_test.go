package journal_test

import (
	"bytes"
	"crypto/rand"
	"encoding/hex"
	"os"
	"path/filepath"
	"testing"

	"github.com/kikubari/kikubari/internal/journal"
)

// What is released stays in a file until the file is shortened or goes; Remains
// says so until no byte of it is left.
func TestReleasedRecordsRemainForAWhile(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Options{Dir: dir, MaxBytes: 64 << 20})
	const secret = "hana-was-here"
	below := mustAppend(t, j, secret).Sequence() + 1
	holds := func() (found bool) {
		files, err := filepath.Glob(filepath.Join(dir, "stream", "jetstream", "*", "streams", "*", "msgs", "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range files {
			b, err := os.ReadFile(f)
			if err != nil {
				t.Fatal(err)
			}
			found = found || bytes.Contains(b, []byte(secret))
		}
		return found
	}
	release := func() (left int64) {
		t.Helper()
		last, _ := j.Last()
		if _, err := j.Release(t.Context(), last); err != nil {
			t.Fatal(err)
		}
		left, err := j.Remains(below)
		if err != nil {
			t.Fatal(err)
		}
		if (left > 0) != holds() {
			t.Errorf("%d bytes are said to be left; the files hold it: %v", left, holds())
		}
		return left
	}
	mustAppend(t, j, "behind")
	if release() == 0 {
		t.Error("a small file is shortened at once: nothing has to wait for it to grow")
	}
	noise := make([]byte, 100<<10)
	for left, n := int64(1), 0; left > 0; n++ {
		if n > 200 {
			t.Fatalf("after %d MB more %d bytes are left", n/10, left)
		}
		if _, err := rand.Read(noise); err != nil {
			t.Fatal(err)
		}
		mustAppend(t, j, hex.EncodeToString(noise))
		left = release()
	}
}
