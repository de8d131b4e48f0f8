// Package backup copies a data directory while its program runs, and makes a
// data directory out of such a copy.
//
// The parts are copied in the order in which one may be behind the next: the
// state, what people did, the rows for analysis, and last the log. So the log
// covers everything else, and a program that starts on a restored copy replays
// the difference, as it does after a crash.
package backup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/fault"
	"github.com/kikubari/kikubari/internal/journal"
)

// The parts of a backup, by the names they have in a data directory. Records
// that were in the journal are files of the archive's format here.
const (
	stateFile     = "state.db"
	warehouseFile = "warehouse.duckdb"
	archiveDir    = "archive"
	journalDir    = "journal"
)

// Source is a data directory with its program running.
type Source struct {
	Dir     string // the data directory
	Version string // of the program
	Format  int    // of the data directory

	// State writes the state as of the last checkpoint into a file and returns
	// where that is; position 0 and no file when there is none yet.
	State func(ctx context.Context, path string) (cx.Position, cx.Instant, error)
	// Databases are the other SQLite files, in order.
	Databases []Database
	// Warehouse writes the rows for analysis and returns up to which position.
	Warehouse func(ctx context.Context, path string) (cx.Position, error)
	Journal   *journal.Journal
	Archive   *archive.Archive // nil when there is none

	free func(dir string) (uint64, error) // nil is journal.FreeBytes
}

// Database is one SQLite file.
type Database struct {
	Name string
	Copy func(ctx context.Context, path string) error
}

// holder is under which name a backup holds the journal's records.
const holder = "backup"

// Write copies s into dir, which must be empty or not exist, and returns what it
// wrote. step, which may be nil, is told what is being done. What was written is
// durable when Write returns; after an error it is removed.
//
// It fails with kind Conflict when dir is not empty, with Invalid when it lies in
// the data directory, and with Unavailable when the disk has too little room.
func Write(ctx context.Context, dir string, s Source, step func(string)) (m *Manifest, err error) {
	if step == nil {
		step = func(string) {}
	}
	if err := s.fits(dir); err != nil {
		return nil, err
	}
	made, err := makeEmpty(dir)
	if err != nil {
		return nil, err
	}
	w := &writing{s: s, dir: dir, m: &Manifest{Format: manifestFormat, Version: s.Version, DataFormat: s.Format, Began: time.Now().UTC()}}
	defer func() {
		if err != nil {
			err = errors.Join(err, clean(dir, made))
		}
	}()
	for _, part := range []struct {
		name string
		copy func(context.Context) error
	}{
		{"copying the state", w.state},
		{"copying what people did", w.databases},
		{"copying the warehouse", w.warehouse},
		{"copying the log", w.log},
		{"measuring the copies", w.measure},
	} {
		step(part.name)
		if err := part.copy(ctx); err != nil {
			return nil, err
		}
		fault.Point("backup.between")
	}
	w.m.Ended = time.Now().UTC()
	return w.m, w.m.write(dir)
}

// fits fails when a backup into dir would be in its own way.
func (s *Source) fits(dir string) error {
	if !filepath.IsAbs(dir) {
		return cx.E(cx.Invalid, "backup", fmt.Sprintf("%s is no absolute path: the server needs one, because it has a working directory of its own", dir))
	}
	data, err := filepath.Abs(s.Dir)
	if err != nil {
		return err
	}
	if into, err := filepath.Rel(data, dir); err == nil && into != ".." && !strings.HasPrefix(into, ".."+string(filepath.Separator)) {
		return cx.E(cx.Invalid, "backup", fmt.Sprintf("%s lies in the data directory: a backup must be outside", dir))
	}
	return nil
}

// makeEmpty makes dir, or makes sure that it is empty; made says that it was not
// there.
func makeEmpty(dir string) (made bool, err error) {
	switch entries, err := os.ReadDir(dir); {
	case errors.Is(err, fs.ErrNotExist):
		return true, os.MkdirAll(dir, 0o700)
	case err != nil:
		return false, err
	case len(entries) > 0:
		return false, cx.E(cx.Conflict, "", fmt.Sprintf("%s is not empty: give another directory, or empty it", dir))
	}
	return false, nil
}

// clean removes what was written into dir, and dir itself if it was made.
func clean(dir string, made bool) error {
	if made {
		return os.RemoveAll(dir)
	}
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	return err
}

// writing is a backup that is being written.
type writing struct {
	s   Source
	dir string
	m   *Manifest
}

func (w *writing) path(name string) string { return filepath.Join(w.dir, name) }

// room fails when a part does not fit on the disk beside a little reserve.
func (w *writing) room(what string, bytes int64) error {
	const reserve = 64 << 20
	look := w.s.free
	if look == nil {
		look = journal.FreeBytes
	}
	free, err := look(w.dir)
	if err != nil {
		return fmt.Errorf("free space of the backup's disk: %w", err)
	}
	if need := bytes + reserve; free < uint64(need) {
		return cx.E(cx.Unavailable, "backup", fmt.Sprintf("the disk of %s has %d MB free, and %s needs %d MB: make room, or give a directory on another disk", w.dir, free>>20, what, need>>20))
	}
	return nil
}

// sizeOf is how much the files take, those that are there.
func (w *writing) sizeOf(names ...string) (n int64) {
	for _, name := range names {
		if info, err := os.Stat(filepath.Join(w.s.Dir, name)); err == nil {
			n += info.Size()
		}
	}
	return n
}

func (w *writing) state(ctx context.Context) (err error) {
	if err := w.room(stateFile, w.sizeOf(stateFile, stateFile+"-wal")); err != nil {
		return err
	}
	w.m.State.Position, w.m.State.Time, err = w.s.State(ctx, w.path(stateFile))
	return err
}

func (w *writing) databases(ctx context.Context) error {
	for _, d := range w.s.Databases {
		if err := w.room(d.Name, w.sizeOf(d.Name, d.Name+"-wal")); err != nil {
			return err
		}
		if err := d.Copy(ctx, w.path(d.Name)); err != nil {
			return err
		}
	}
	return nil
}

func (w *writing) warehouse(ctx context.Context) (err error) {
	if err := w.room(warehouseFile, w.sizeOf(warehouseFile, warehouseFile+".wal")); err != nil {
		return err
	}
	if w.m.Warehouse.Position, err = w.s.Warehouse(ctx, w.path(warehouseFile)); err != nil {
		return err
	}
	if w.m.Warehouse.Position < w.m.State.Position {
		return fmt.Errorf("the copy of the warehouse ends at %v, before the state at %v", w.m.Warehouse.Position, w.m.State.Position)
	}
	return nil
}

// log copies the archive's files and then the records behind them. The journal
// keeps those until they are copied.
func (w *writing) log(ctx context.Context) error {
	archived := uint64(0)
	if w.s.Archive != nil {
		archived = w.s.Archive.Last()
	}
	w.s.Journal.Hold(holder, archived+1)
	defer w.s.Journal.Unhold(holder)
	last, at := w.s.Journal.Last()
	w.m.Journal = Range{Last: last, Time: at}
	if w.s.Archive != nil {
		if err := w.archive(ctx); err != nil {
			return err
		}
	}
	st, err := w.s.Journal.Stat(ctx)
	if err != nil {
		return err
	}
	if err := w.room("the journal", int64(st.Bytes)); err != nil {
		return err
	}
	records, err := archive.Open(archive.Options{Dir: w.path(journalDir)})
	if err != nil || last == 0 {
		return err
	}
	_, err = records.Add(ctx, behind{w.s.Journal, archived + 1}, last, archive.Steady)
	w.m.Journal.First = records.First()
	return err
}

// behind is a journal of which only the records from a sequence on, and the
// newest, are asked for.
type behind struct {
	*journal.Journal
	from uint64
}

// Stat makes the records begin where they are wanted.
func (b behind) Stat(ctx context.Context) (journal.Stat, error) {
	st, err := b.Journal.Stat(ctx)
	st.First = min(max(st.First, b.from), st.Last)
	return st, err
}

// archive copies the files of the archive: they never change, so where that is
// possible they get a second name instead.
func (w *writing) archive(ctx context.Context) error {
	from := filepath.Join(w.s.Dir, archiveDir)
	if err := os.Mkdir(w.path(archiveDir), 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.Type().IsRegular() || strings.HasSuffix(e.Name(), ".tmp") {
			continue
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		err := w.linkOrCopy(filepath.Join(from, e.Name()), filepath.Join(w.path(archiveDir), e.Name()))
		if err != nil && !errors.Is(err, fs.ErrNotExist) { // it was dropped for its age just now
			return err
		}
	}
	return nil
}

func (w *writing) linkOrCopy(from, to string) error {
	if os.Link(from, to) == nil {
		return nil
	}
	info, err := os.Stat(from)
	if err != nil {
		return err
	}
	if err := w.room(filepath.Base(from), info.Size()); err != nil {
		return err
	}
	return copyFile(from, to)
}

// copyFile copies a file that nobody writes to, durably.
func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := io.Copy(out, in); err != nil {
		return err
	}
	return out.Sync()
}

// measure lists every file with its size and checksum, and makes it durable.
func (w *writing) measure(ctx context.Context) error {
	return filepath.WalkDir(w.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() {
			return syncDir(path)
		}
		name, err := filepath.Rel(w.dir, path)
		if err != nil {
			return err
		}
		f, err := measure(ctx, path)
		f.Name = filepath.ToSlash(name)
		w.m.Files = append(w.m.Files, f)
		return err
	})
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
