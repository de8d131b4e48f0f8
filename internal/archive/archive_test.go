package archive_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/klauspost/compress/zstd"
	"go.uber.org/goleak"

	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// shelf is a source of records in memory.
type shelf []*journal.Record

func (s shelf) Stat(context.Context) (journal.Stat, error) {
	if len(s) == 0 {
		return journal.Stat{}, nil
	}
	return journal.Stat{First: s[0].Sequence, Last: s[len(s)-1].Sequence}, nil
}

func (s shelf) Read(_ context.Context, from, to uint64, fn func(*journal.Record) error) error {
	for _, r := range s {
		if r.Sequence >= from && (to == 0 || r.Sequence <= to) {
			if err := fn(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// records makes n records from a sequence on, of a few entries each.
func records(first uint64, n int) shelf {
	var s shelf
	for i := range n {
		r := &journal.Record{Sequence: first + uint64(i), Previous: first + uint64(i) - 1, Time: cx.Instant(1_000_000 * (int64(first) + int64(i)))}
		for e := range 1 + i%3 {
			r.Entries = append(r.Entries, cx.Entry{Kind: cx.EntryEvent, Payload: fmt.Appendf(nil, "payload of %d, entry %d", r.Sequence, e)})
		}
		s = append(s, r)
	}
	return s
}

// open opens an archive of small files of small frames.
func open(t *testing.T, dir string) *archive.Archive {
	t.Helper()
	o := archive.Options{Dir: dir, FileBytes: 600}
	archive.SmallFrames(&o, 200)
	a, err := archive.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func mustAdd(t *testing.T, a *archive.Archive, s archive.Source, upto uint64) {
	t.Helper()
	if _, err := a.Add(t.Context(), s, upto, archive.Hurried); err != nil {
		t.Fatal(err)
	}
}

// all reads an archive into memory.
func all(t *testing.T, a *archive.Archive, from, to uint64) (out shelf, next uint64) {
	t.Helper()
	next, err := a.Read(t.Context(), from, to, func(r *journal.Record) error {
		out = append(out, r)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return out, next
}

func encoded(s shelf) []byte {
	var b []byte
	for _, r := range s {
		b = journal.AppendRecord(b, r)
	}
	return b
}

func TestReadGivesWhatWasAdded(t *testing.T) {
	dir, source := t.TempDir(), records(7, 100)
	a := open(t, dir)
	for _, upto := range []uint64{3, 7, 7, 40, 90, 1000} { // before the first, one, nothing new, some, some, all
		mustAdd(t, a, source, upto)
	}
	if n := len(a.Files()); n < 4 {
		t.Fatalf("%d files: too few to prove anything", n)
	}
	for _, a := range []*archive.Archive{a, open(t, dir)} {
		if a.First() != 7 || a.Last() != 106 {
			t.Fatalf("it holds %d to %d", a.First(), a.Last())
		}
		for from := uint64(6); from <= 107; from++ {
			for _, to := range []uint64{0, from, from + 1, 60, 106, 200} {
				got, next := all(t, a, from, to)
				var want shelf
				_ = source.Read(t.Context(), from, to, func(r *journal.Record) error { want = append(want, r); return nil })
				if from == 6 {
					want, next = nil, max(next, 6)
				}
				if !bytes.Equal(encoded(got), encoded(want)) {
					t.Fatalf("from %d to %d it gives %d records, want %d", from, to, len(got), len(want))
				}
				if to == 0 && from > 6 && next != 107 {
					t.Fatalf("from %d it says that others hold what follows from %d on", from, next)
				}
			}
		}
		if got, _ := all(t, a, 0, 0); !bytes.Equal(encoded(got), encoded(source)) {
			t.Error("from 0 it does not give everything")
		}
	}
}

// TestFileIsAZstdStream reads a file as anybody can who knows zstd and nothing of us.
func TestFileIsAZstdStream(t *testing.T) {
	a, source := open(t, t.TempDir()), records(1, 12)
	mustAdd(t, a, source, 12)
	var b []byte
	for _, f := range a.Files() {
		file, err := os.ReadFile(f.Path)
		if err != nil {
			t.Fatal(err)
		}
		z, err := zstd.NewReader(bytes.NewReader(file))
		if err != nil {
			t.Fatal(err)
		}
		part, err := io.ReadAll(z)
		z.Close()
		if err != nil {
			t.Fatal(err)
		}
		b = append(b, part...)
	}
	if !bytes.Equal(b, encoded(source)) {
		t.Error("zstd does not give the records")
	}
}

// TestGolden reads a file that an earlier program wrote.
func TestGolden(t *testing.T) {
	const name = "000000000000005-000000000000034.kka"
	golden, err := os.ReadFile(filepath.Join("testdata", "v1", name))
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), golden, 0o600); err != nil {
		t.Fatal(err)
	}
	if got, _ := all(t, open(t, dir), 0, 0); !bytes.Equal(encoded(got), encoded(records(5, 30))) {
		t.Errorf("%d records of version 1 are read differently", len(got))
	}
}

// oneFile is an archive of one file, and its bytes.
func oneFile(t *testing.T) (dir, name string, file []byte) {
	t.Helper()
	dir = t.TempDir()
	o := archive.Options{Dir: dir}
	archive.SmallFrames(&o, 200)
	a, err := archive.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	mustAdd(t, a, records(5, 30), 100)
	files := a.Files()
	if len(files) != 1 {
		t.Fatalf("%d files", len(files))
	}
	file, err = os.ReadFile(files[0].Path)
	if err != nil {
		t.Fatal(err)
	}
	return dir, files[0].Name(), file
}

// TestDamageIsFound turns over every byte of a file, and cuts it off at every
// length: whatever is given before the damage is what was archived.
func TestDamageIsFound(t *testing.T) {
	dir, name, file := oneFile(t)
	a, want := open(t, dir), records(5, 30)
	check := func(what string, damaged []byte) {
		if err := os.WriteFile(filepath.Join(dir, name), damaged, 0o600); err != nil {
			t.Fatal(err)
		}
		given := 0
		_, err := a.Read(t.Context(), 0, 0, func(r *journal.Record) error {
			if !bytes.Equal(encoded(shelf{r}), encoded(want[given:given+1])) {
				t.Fatalf("%s: record %d is not what was archived", what, r.Sequence)
			}
			given++
			return nil
		})
		damage, ok := errors.AsType[*archive.DamageError](err)
		if !ok || damage.File != name {
			t.Fatalf("%s: %v after %d records", what, err, given)
		}
	}
	for i := range file {
		damaged := bytes.Clone(file)
		damaged[i] ^= 0x10
		check(fmt.Sprintf("byte %d turned over", i), damaged)
		check(fmt.Sprintf("cut off at %d", i), file[:i])
	}
	check("a byte behind the end", append(bytes.Clone(file), 0))
}

// TestCrashLeavesNothing opens an archive in which a crash left a file half
// written, at every length, and archives again.
func TestCrashLeavesNothing(t *testing.T) {
	_, name, file := oneFile(t)
	for cut := 0; cut <= len(file); cut += 97 {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, "records.tmp"), file[:cut], 0o600); err != nil {
			t.Fatal(err)
		}
		o := archive.Options{Dir: dir}
		archive.SmallFrames(&o, 200)
		a, err := archive.Open(o)
		if err != nil {
			t.Fatal(err)
		}
		if a.Last() != 0 {
			t.Fatalf("a half-written file counts: %d", a.Last())
		}
		mustAdd(t, a, records(5, 30), 100)
		again, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil || !bytes.Equal(again, file) {
			t.Fatalf("archived again the file differs (%v)", err)
		}
		if left, _ := os.ReadDir(dir); len(left) != 1 {
			t.Fatalf("left behind: %v", left)
		}
	}
}

func TestMissingFile(t *testing.T) {
	dir, source := t.TempDir(), records(1, 100)
	a := open(t, dir)
	mustAdd(t, a, source, 100)
	gone := a.Files()[1]
	if err := os.Remove(gone.Path); err != nil {
		t.Fatal(err)
	}
	got, next := all(t, open(t, dir), 0, 0)
	if next != gone.First || uint64(len(got)) != gone.First-1 {
		t.Errorf("it gives %d records and sends us on to %d; the file from %d on is gone", len(got), next, gone.First)
	}
	if got, next := all(t, open(t, dir), gone.Last+1, 0); next != 101 || uint64(len(got)) != 100-gone.Last {
		t.Errorf("behind the hole it gives %d records and sends us on to %d", len(got), next)
	}
}

// TestLostEnd archives a journal that once lost its end: sequences are left out
// and nothing is missing.
func TestLostEnd(t *testing.T) {
	source := records(1, 30)
	for _, r := range source[20:] {
		r.Sequence, r.Previous = r.Sequence+5, r.Previous+5
	}
	source[20].Previous = 20
	a := open(t, t.TempDir())
	mustAdd(t, a, source, 20)
	mustAdd(t, a, source, 100)
	for _, from := range []uint64{0, 20, 21, 23, 26} {
		got, next := all(t, a, from, 0)
		var want shelf
		_ = source.Read(t.Context(), from, 0, func(r *journal.Record) error { want = append(want, r); return nil })
		if !bytes.Equal(encoded(got), encoded(want)) || next != 36 {
			t.Errorf("from %d it gives %d records and sends us on to %d", from, len(got), next)
		}
	}
}

func TestFullDisk(t *testing.T) {
	free, source := uint64(0), records(1, 200)
	o := archive.Options{Dir: t.TempDir(), FileBytes: 600, ReserveBytes: 1 << 30}
	archive.SmallFrames(&o, 200)
	archive.FreeSpace(&o, func() uint64 { return free })
	a, err := archive.Open(o)
	if err != nil {
		t.Fatal(err)
	}
	if n, err := a.Add(t.Context(), source, 200, archive.Hurried); n != 0 || cx.KindOf(err) != cx.Unavailable {
		t.Fatalf("on a full disk %d records are archived, and the answer is %v", n, err)
	}
	if left, _ := os.ReadDir(o.Dir); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	free = 2 << 30
	asked := 0
	archive.FreeSpace(&o, func() uint64 {
		if asked++; asked > 6 {
			return 0
		}
		return free
	})
	if a, err = archive.Open(o); err != nil {
		t.Fatal(err)
	}
	n, err := a.Add(t.Context(), source, 200, archive.Hurried)
	if n == 0 || n == 200 || cx.KindOf(err) != cx.Unavailable || a.Last() != n {
		t.Errorf("while the disk fills %d records are archived, it says up to %d, and the answer is %v", n, a.Last(), err)
	}
	free, asked = 2<<30, -1000
	mustAdd(t, a, source, 200)
	if got, _ := all(t, open(t, o.Dir), 0, 0); !bytes.Equal(encoded(got), encoded(source)) {
		t.Error("once there is room again, not everything is archived")
	}
}

func TestRewrite(t *testing.T) {
	dir, source := t.TempDir(), records(1, 100)
	a := open(t, dir)
	mustAdd(t, a, source, 100)
	files := a.Files()
	before, err := os.ReadFile(files[1].Path)
	if err != nil {
		t.Fatal(err)
	}
	same := func(when string) {
		t.Helper()
		if now, err := os.ReadFile(files[1].Path); err != nil || !bytes.Equal(now, before) {
			t.Errorf("%s the file is not as it was (%v)", when, err)
		}
		if left, _ := filepath.Glob(filepath.Join(dir, "*.tmp")); len(left) > 0 {
			t.Errorf("%s there is left: %v", when, left)
		}
	}
	if changed, err := a.Rewrite(t.Context(), files[1], func(*journal.Record) (bool, error) { return false, nil }); changed || err != nil {
		t.Errorf("nothing changed: %v, %v", changed, err)
	}
	same("when nothing changed")
	wrong := errors.New("wrong")
	if changed, err := a.Rewrite(t.Context(), files[1], func(r *journal.Record) (bool, error) { return true, wrong }); changed || !errors.Is(err, wrong) {
		t.Errorf("after an error: %v, %v", changed, err)
	}
	same("after an error")

	blanked := files[1].First + 1
	changed, err := a.Rewrite(t.Context(), files[1], func(r *journal.Record) (bool, error) {
		if r.Sequence != blanked {
			return false, nil
		}
		r.Entries[0].Payload = []byte("blank")
		return true, nil
	})
	if !changed || err != nil {
		t.Fatal(changed, err)
	}
	source[blanked-1].Entries[0].Payload = []byte("blank")
	for _, a := range []*archive.Archive{a, open(t, dir)} {
		if got, _ := all(t, a, 0, 0); !bytes.Equal(encoded(got), encoded(source)) {
			t.Error("after rewriting it does not give the changed records")
		}
	}
}

func TestOverlap(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"000000000000001-000000000000010.kka", "000000000000010-000000000000012.kka"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := archive.Open(archive.Options{Dir: dir}); cx.KindOf(err) != cx.Conflict {
		t.Errorf("two files with the same records: %v", err)
	}
}
