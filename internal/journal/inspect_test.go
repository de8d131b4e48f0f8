package journal_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kikubari/kikubari/internal/journal"
)

// TestChecksumsThatLookLikeRecords lets a checksum of the engine, between two
// records, have the letters with which records begin: nothing is damaged. A
// record that is, in front of intact ones, is noticed.
func TestChecksumsThatLookLikeRecords(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Options{Dir: dir})
	for _, payload := range []string{"one", "two", "three"} {
		mustAppend(t, j, payload)
	}
	mustClose(t, j)
	files, err := filepath.Glob(filepath.Join(dir, "stream/jetstream/*/streams/*/msgs/*.blk"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	whole, err := os.ReadFile(files[0])
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.Index(whole, []byte(journal.Mark))
	second := first + 1 + bytes.Index(whole[first+1:], []byte(journal.Mark))
	const head, checksum = 22, 8 // of the engine's own, before the second record's subject
	if first != head || second-first < head+checksum {
		t.Fatalf("records begin at %d and %d", first, second)
	}
	for _, c := range []struct {
		what    string
		at      int
		text    string
		damaged bool
	}{
		{"as it is", 0, "", false},
		{"letters in the checksum", second - head - checksum + 2, "KKJ", false},
		{"letters in the engine's header", second - head + 5, "KKJ", false},
		{"a payload", bytes.Index(whole, []byte("two")), "TWO", true},
		{"a beginning", second + len(journal.Mark) - 1, "X", true},
	} {
		changed := slices.Clone(whole)
		copy(changed[c.at:], c.text)
		if err := os.WriteFile(files[0], changed, 0o600); err != nil {
			t.Fatal(err)
		}
		if err := journal.Inspect(dir); (err != nil) != c.damaged {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}
