package journal_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

// TestKilledProcessesLoseNothing kills a process that appends at random
// moments, again and again on the same journal. Whatever it was told is durable
// is stored, once, where it was told.
func TestKilledProcessesLoseNothing(t *testing.T) {
	const rounds = 12
	dir, acked := t.TempDir(), acks{}
	random := rand.New(rand.NewPCG(20261122, 0))
	for round := range rounds {
		killAfter(t, "append", dir, fmt.Sprint("round", round), 1+random.IntN(2000), acked)
		if first, _ := checkStored(t, dir, acked); first != 1 {
			t.Fatalf("the first record is %d", first)
		}
	}
	t.Logf("%d entries acknowledged over %d kills", len(acked), rounds)
}

// TestKilledWhileReleasing does the same to a process that also releases old
// records: what it had not released is all there.
func TestKilledWhileReleasing(t *testing.T) {
	const rounds = 5
	dir, acked := t.TempDir(), acks{}
	random := rand.New(rand.NewPCG(20261122, 1))
	for round := range rounds {
		killAfter(t, "release", dir, fmt.Sprint("round", round), 800+random.IntN(800), acked)
		if first, last := checkStored(t, dir, acked); first == 1 || first+releaseBehind > last {
			t.Errorf("records from %d to %d are left", first, last)
		}
	}
}

// killAfter runs a child's task and kills it after so many entries were
// acknowledged.
func killAfter(t *testing.T, task, dir, name string, entries int, acked acks) {
	t.Helper()
	c := child(t, task, dir, name)
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	mine := acks{}
	if err := mine.read(bufio.NewScanner(out), entries, func() { _ = c.Process.Kill() }); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); c.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("%s ended with %v, want it killed", name, err)
	}
	if len(mine) < entries {
		t.Fatalf("%s acknowledged %d entries, want %d or more", name, len(mine), entries)
	}
	maps.Copy(acked, mine)
}

// checkStored opens a journal and checks that each acknowledged entry is where
// it was said to be, that no entry is there twice, and that log time and
// sequence never go back. It returns the sequences of the oldest and the newest
// record, and takes what was acknowledged before the oldest out of acked.
func checkStored(t *testing.T, dir string, acked acks) (first, last uint64) {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	defer mustClose(t, j)
	found, seen := 0, map[string]cx.Position{}
	var before journal.Record
	err = j.Read(t.Context(), 0, 0, func(r *journal.Record) error {
		if first == 0 {
			first, before.Sequence = r.Sequence, r.Sequence-1
			maps.DeleteFunc(acked, func(at cx.Position, _ string) bool { return at.Sequence() < first })
		}
		if r.Sequence != before.Sequence+1 || r.Time < before.Time {
			return fmt.Errorf("record %d of %v comes after %d of %v", r.Sequence, r.Time, before.Sequence, before.Time)
		}
		before = *r
		for i, e := range r.Entries {
			at, payload := cx.At(r.Sequence, i), string(e.Payload)
			if first, twice := seen[payload]; twice {
				return fmt.Errorf("%.40q is at %v and at %v", payload, first, at)
			}
			seen[payload] = at
			if want, ok := acked[at]; ok {
				if found++; want != payload {
					return fmt.Errorf("at %v is %.40q, want %.40q", at, payload, want)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found != len(acked) {
		t.Fatalf("%d of %d acknowledged entries are stored", found, len(acked))
	}
	return first, before.Sequence
}

// TestWriteErrorIsSurvived makes the file system refuse a write in the middle
// of a record. The engine never writes again after that, so it must be opened
// anew, and what it acknowledged before must be there.
func TestWriteErrorIsSurvived(t *testing.T) {
	dir, acked := t.TempDir(), acks{}
	c := child(t, "limit", dir, "limit")
	out, err := c.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	if err := acked.read(lines, 0, nil); err != nil {
		t.Fatal(err)
	}
	if err := c.Wait(); err != nil {
		t.Fatal(err)
	}
	if len(acked) < 30 {
		t.Errorf("%d entries were acknowledged, want some before the fault and 20 after it", len(acked))
	}
	checkStored(t, dir, acked)
}

// TestEngineFailureUnderLoad stops the storage engine while producers append
// and a follower listens. Producers that are refused append again, as clients
// do; the follower sees every acknowledged entry where it was said to be, in
// order and without a gap.
func TestEngineFailureUnderLoad(t *testing.T) {
	j := open(t, journal.Options{Dir: t.TempDir()})
	records := followLive(t, j)
	const producers, each, crashes = 8, 300, 3
	acked := make(chan acks, producers)
	for p := range producers {
		go func() {
			mine := acks{}
			for i := range each {
				entries := events(fmt.Sprintf("%d/%d", p, i))
				at, err := j.Append(context.Background(), entries, nil)
				for cx.KindOf(err) == cx.Unavailable {
					at, err = j.Append(context.Background(), entries, nil)
				}
				if err != nil {
					t.Error(err)
				}
				mine[at] = string(entries[0].Payload)
			}
			acked <- mine
		}()
	}
	followed, want := acks{}, acks{}
	var last uint64
	for running, crashed := producers, 0; running > 0 || !holds(followed, want); {
		select {
		case r := <-records:
			if last > 0 && r.Previous != last {
				t.Fatalf("record %d follows %d, want %d", r.Sequence, r.Previous, last)
			}
			last = r.Sequence
			for i, e := range r.Entries {
				followed[cx.At(r.Sequence, i)] = string(e.Payload)
			}
			if crashed < crashes && len(followed) > (crashed+1)*producers*each/(crashes+2) {
				crashed++
				go journal.CrashEngine(j)
			}
		case mine := <-acked:
			running--
			maps.Copy(want, mine)
		}
	}
	if s, err := j.Stat(t.Context()); err != nil || s.Opens < 2 {
		t.Errorf("the engine was opened %d times: %v", s.Opens, err)
	}
}

// holds reports whether followed has all of want.
func holds(followed, want acks) bool {
	for at, payload := range want {
		if followed[at] != payload {
			return false
		}
	}
	return true
}

// TestAcknowledgedRecordThatVanished takes a durable record away while the
// engine is down. The journal then refuses everything, for good, rather than
// give its sequence to another record.
func TestAcknowledgedRecordThatVanished(t *testing.T) {
	dir := t.TempDir()
	j := open(t, journal.Options{Dir: dir})
	for range 3 {
		mustAppend(t, j, strings.Repeat("x", 1000))
	}
	journal.CrashEngine(j)
	truncate(t, newestBlock(t, dir), 500)
	for range 2 {
		if _, err := j.Append(t.Context(), events("y"), nil); cx.KindOf(err) != cx.Unavailable {
			t.Errorf("append: %v, want kind unavailable", err)
		}
	}
	_, err := j.Stat(t.Context())
	if d, ok := errors.AsType[*journal.DamageError](err); !ok || d.Sequence != 3 {
		t.Errorf("stat: %v, want damage at 3", err)
	}
	if err := j.Read(t.Context(), 0, 0, nil); !errors.As(err, new(*journal.DamageError)) {
		t.Errorf("read: %v, want damage", err)
	}
}

// TestTornLastWrite cuts bytes off the newest file, as a loss of power in the
// middle of a write does, once as a crash leaves the journal and once as Close
// does. What lies before the cut is readable, and the journal goes on.
func TestTornLastWrite(t *testing.T) {
	const records = 12
	for name, payload := range map[string]string{"plain": noise(5000), "compressed": strings.Repeat(noise(2500), 3)} {
		crashed, closed := filepath.Join(t.TempDir(), "crashed"), filepath.Join(t.TempDir(), "closed")
		j := open(t, journal.Options{Dir: closed})
		for i := range records {
			mustAppend(t, j, fmt.Sprintf("%09d", i+1)+payload)
		}
		copyDir(t, crashed, closed)
		mustClose(t, j)
		size := fileSize(t, newestBlock(t, crashed)) / records
		if isPlain := size > int64(len(payload)); isPlain != (name == "plain") {
			t.Errorf("a %s record of %d bytes takes %d", name, len(payload), size)
		}
		for _, image := range []string{crashed, closed} {
			for _, cut := range []int64{1, 9, size / 2, size - 20, size, 3*size - 70} {
				t.Run(fmt.Sprintf("%s %s by %d", name, filepath.Base(image), cut), func(t *testing.T) {
					dir := t.TempDir()
					copyDir(t, dir, image)
					truncate(t, newestBlock(t, dir), cut)
					checkTorn(t, dir, records, records-1-int((cut-1)/size))
				})
			}
		}
	}
}

// checkTorn checks a journal that lost its last bytes: all whole records are
// there, and appends go on behind them, also after another opening.
func checkTorn(t *testing.T, dir string, records, whole int) {
	t.Helper()
	j := open(t, journal.Options{Dir: dir})
	payloads, _ := stored(t, j)
	if len(payloads) != whole {
		t.Fatalf("%d records are readable, want %d", len(payloads), whole)
	}
	before, _ := j.Last()
	if at := mustAppend(t, j, "after"); at.Sequence() != before+1 || at.Sequence() > uint64(records)+1 {
		t.Errorf("the next record is %v, behind %d", at, before)
	}
	mustClose(t, j)
	j = open(t, journal.Options{Dir: dir})
	mustAppend(t, j, "again")
	payloads, positions := stored(t, j)
	if got := payloads[whole:]; !slices.Equal(got, []string{"after", "again"}) || !slices.IsSorted(positions) {
		t.Errorf("behind the whole records are %q at %v", got, positions[whole:])
	}
	records64 := uint64(0)
	if err := j.Read(t.Context(), uint64(whole)+1, 0, func(*journal.Record) error { records64++; return nil }); err != nil || records64 != 2 {
		t.Errorf("from the first torn record: %d records, %v", records64, err)
	}
}

// TestDamageAtTheEndIsNotCutAway flips one bit of a record that others follow,
// in the file where the engine would throw these others away. The journal does
// not open, names the record, and opens when the file has been restored.
func TestDamageAtTheEndIsNotCutAway(t *testing.T) {
	crashed, closed := filepath.Join(t.TempDir(), "crashed"), filepath.Join(t.TempDir(), "closed")
	j := open(t, journal.Options{Dir: closed})
	for i := range 30 {
		mustAppend(t, j, fmt.Sprintf("record-%04d", i+1), strings.Repeat("x", 1000+i%2*5000)) // every other is compressed
	}
	copyDir(t, crashed, closed)
	mustClose(t, j)
	for _, dir := range []string{crashed, closed} {
		for _, n := range []uint64{1, 17, 29} {
			name := fmt.Sprintf("record-%04d", n)
			restore := flip(t, newestBlock(t, dir), name)
			_, err := journal.Open(t.Context(), journal.Options{Dir: dir})
			if d, ok := errors.AsType[*journal.DamageError](err); !ok || d.Sequence != n {
				t.Fatalf("%s of %s: %v, want damage at %d", name, filepath.Base(dir), err, n)
			}
			restore()
		}
		j := open(t, journal.Options{Dir: dir})
		if payloads, _ := stored(t, j); len(payloads) != 60 {
			t.Errorf("%d entries are stored, want 60", len(payloads))
		}
	}
}

// TestDamageInTheMiddleIsReported flips one bit of a record in an older file.
// Followers and readers stop there and name it, whether the engine notices the
// damage when it opens (after a crash) or when it reads.
func TestDamageInTheMiddleIsReported(t *testing.T) {
	crashed, closed := filepath.Join(t.TempDir(), "crashed"), filepath.Join(t.TempDir(), "closed")
	j := open(t, journal.Options{Dir: closed})
	const records = 70
	for i := range records {
		mustAppend(t, j, fmt.Sprintf("record-%04d", i+1), strings.Repeat(noise(200_000), 1+i%2)) // every other is compressed
	}
	copyDir(t, crashed, closed)
	mustClose(t, j)
	for _, image := range []string{crashed, closed} {
		for _, n := range []uint64{7, 8} {
			t.Run(fmt.Sprintf("%s at %d", filepath.Base(image), n), func(t *testing.T) {
				dir := t.TempDir()
				copyDir(t, dir, image)
				name := fmt.Sprintf("record-%04d", n)
				flip(t, blockWith(t, dir, name), name)
				checkDamaged(t, dir, n, records)
			})
		}
	}
}

// checkDamaged checks that nobody reads past the damaged record, one of so many,
// and that appends go on behind them all.
func checkDamaged(t *testing.T, dir string, damaged, records uint64) {
	t.Helper()
	j := open(t, journal.Options{Dir: dir})
	for name, read := range map[string]func(func(*journal.Record) error) error{
		"read":   func(fn func(*journal.Record) error) error { return j.Read(t.Context(), 0, 0, fn) },
		"follow": func(fn func(*journal.Record) error) error { return j.Follow(t.Context(), 1, fn) },
		"middle": func(fn func(*journal.Record) error) error { return j.Read(t.Context(), 5, 0, fn) },
		"itself": func(fn func(*journal.Record) error) error { return j.Read(t.Context(), damaged, 0, fn) },
	} {
		last := damaged - 1
		err := read(func(r *journal.Record) error { last = r.Sequence; return nil })
		if d, ok := errors.AsType[*journal.DamageError](err); !ok || d.Sequence != damaged || last != damaged-1 {
			t.Errorf("%s ends after record %d with %v, want damage at %d", name, last, err, damaged)
		}
	}
	if at := mustAppend(t, j, "after"); at.Sequence() != records+1 {
		t.Errorf("appended at %v, want record %d", at, records+1)
	}
}

func copyDir(t *testing.T, to, from string) {
	t.Helper()
	if err := os.CopyFS(to, os.DirFS(from)); err != nil {
		t.Fatal(err)
	}
}

// newestBlock is the file that the engine wrote to last.
func newestBlock(t *testing.T, dir string) string {
	t.Helper()
	blocks := blocks(t, dir)
	return blocks[len(blocks)-1]
}

// blockWith is the file that holds a text.
func blockWith(t *testing.T, dir, text string) string {
	t.Helper()
	for _, file := range blocks(t, dir) {
		if b, err := os.ReadFile(file); err == nil && strings.Contains(string(b), text) {
			return file
		}
	}
	t.Fatalf("%q is in no file", text)
	return ""
}

// blocks are the engine's files of messages, oldest first.
func blocks(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "stream", "jetstream", "*", "streams", "*", "msgs", "*.blk"))
	if err != nil || len(files) == 0 || len(files) > 9 {
		t.Fatalf("blocks %q: %v, want 1 to 9 of them", files, err)
	}
	slices.Sort(files)
	return files
}

func truncate(t *testing.T, file string, cut int64) {
	t.Helper()
	if err := os.Truncate(file, fileSize(t, file)-cut); err != nil {
		t.Fatal(err)
	}
}

func fileSize(t *testing.T, file string) int64 {
	t.Helper()
	info, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	return info.Size()
}

// flip changes one bit of the only occurrence of a text in a file, until it is
// restored.
func flip(t *testing.T, file, text string) (restore func()) {
	t.Helper()
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.Index(string(b), text)
	if at < 0 || strings.Count(string(b), text) != 1 {
		t.Fatalf("%q is not once in %s", text, file)
	}
	toggle := func() {
		b[at+len(text)-1] ^= 1
		if err := os.WriteFile(file, b, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	toggle()
	return toggle
}
