// Package archive keeps the journal's past: sealed ranges of records in
// compressed files, written before the journal may drop them, and one checkpoint
// of the state a day.
//
// Log joins archive and journal into one log from the first record that is kept
// to the live end.
package archive

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

// Options say where an archive lives and how it is cut into files. Only Dir must
// be set.
type Options struct {
	Dir string // made when missing

	// FileBytes is the size beyond which a file of records is finished and the
	// next one begun. 0 means 64 MB.
	FileBytes int64
	// ReserveBytes is how much free space the archive leaves on its file system:
	// it refuses to write when that would not be left.
	ReserveBytes int64

	Log *slog.Logger // nil discards

	free       func(dir string) (uint64, error)
	frameBytes int
}

// Archive is a directory of files that are never changed in place: each is
// written under another name, made durable and renamed. Its methods may be called
// concurrently.
type Archive struct {
	o Options

	writing sync.Mutex // held by whoever adds, replaces or removes files

	mu          sync.Mutex
	files       []File       // in order, not overlapping
	checkpoints []Checkpoint // in order of position
}

// File is one file of records.
type File struct {
	Path  string
	First uint64 // sequence of its first record
	Last  uint64 // and of its last
	Bytes int64  // on the disk
}

// Name is the file's name within the archive.
func (f File) Name() string { return filepath.Base(f.Path) }

// Open opens the archive in o.Dir, or makes one, and removes what a crash left
// half-written. It reads names only; damage shows when files are read.
func Open(o Options) (*Archive, error) {
	if o.FileBytes == 0 {
		o.FileBytes = 64 << 20
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.free == nil {
		o.free = journal.FreeBytes
	}
	if o.frameBytes == 0 {
		o.frameBytes = frameBytes
	}
	if err := os.MkdirAll(o.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the archive's directory: %w", err)
	}
	a := &Archive{o: o}
	if err := a.load(); err != nil {
		return nil, fmt.Errorf("open the archive: %w", err)
	}
	return a, nil
}

// unfinished is how the name of a file ends while it is being written.
const unfinished = ".tmp"

// load lists the directory.
func (a *Archive) load() error {
	entries, err := os.ReadDir(a.o.Dir)
	if err != nil {
		return err
	}
	for _, e := range entries {
		path := filepath.Join(a.o.Dir, e.Name())
		if strings.HasSuffix(e.Name(), unfinished) {
			if err := os.Remove(path); err != nil {
				return err
			}
			a.o.Log.Info("a half-written file of the archive was removed", slog.String("file", e.Name()))
			continue
		}
		info, err := e.Info()
		if err != nil {
			return err
		}
		if f, ok := parseName(e.Name()); ok {
			f.Path, f.Bytes = path, info.Size()
			a.files = append(a.files, f)
		} else if c, ok := parseCheckpoint(e.Name()); ok {
			c.Path, c.Bytes = path, info.Size()
			a.checkpoints = append(a.checkpoints, c)
		}
	}
	slices.SortFunc(a.files, func(a, b File) int { return compare(a.First, b.First) })
	slices.SortFunc(a.checkpoints, byPosition)
	for i := 1; i < len(a.files); i++ {
		if before := a.files[i-1]; before.Last >= a.files[i].First {
			return cx.E(cx.Conflict, "", fmt.Sprintf("%s and %s hold the same records: move one of them away", before.Name(), a.files[i].Name()))
		}
	}
	return nil
}

func compare(a, b uint64) int {
	switch {
	case a < b:
		return -1
	case a > b:
		return 1
	}
	return 0
}

// Files lists the files of records, oldest first.
func (a *Archive) Files() []File {
	a.mu.Lock()
	defer a.mu.Unlock()
	return slices.Clone(a.files)
}

// First returns the sequence of the oldest archived record, 0 when there is none.
func (a *Archive) First() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.files) == 0 {
		return 0
	}
	return a.files[0].First
}

// Last returns the sequence of the newest archived record, 0 when there is none.
func (a *Archive) Last() uint64 {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.files) == 0 {
		return 0
	}
	return a.files[len(a.files)-1].Last
}

// Bytes is how much the archive takes on the disk, kept checkpoints included.
func (a *Archive) Bytes() (n int64) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, f := range a.files {
		n += f.Bytes
	}
	for _, c := range a.checkpoints {
		n += c.Bytes
	}
	return n
}

// from returns the file that holds a sequence, or else the first one behind it.
func (a *Archive) from(sequence uint64) (File, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	i, _ := slices.BinarySearchFunc(a.files, sequence, func(f File, s uint64) int { return compare(f.Last, s) })
	if i == len(a.files) {
		return File{}, false
	}
	return a.files[i], true
}

// room fails with kind Unavailable when writing so many bytes would use up the
// reserve of free space.
func (a *Archive) room(bytes int64) error {
	free, err := a.o.free(a.o.Dir)
	if err != nil {
		return fmt.Errorf("free space of the archive's disk: %w", err)
	}
	if need := a.o.ReserveBytes + bytes; free < uint64(need) {
		return cx.E(cx.Unavailable, "archive", fmt.Sprintf("the disk is nearly full: %d MB are free, %d MB are needed; make room, or let archive.keep drop what is old", free>>20, need>>20))
	}
	return nil
}

// create makes a file under its unfinished name.
func (a *Archive) create(name string) (*os.File, error) {
	return os.OpenFile(filepath.Join(a.o.Dir, name+unfinished), os.O_CREATE|os.O_RDWR|os.O_TRUNC, 0o600)
}

// finish makes f durable and gives it its name. It closes f in any case.
func (a *Archive) finish(f *os.File, name string) (path string, size int64, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, discard(f))
		}
	}()
	if err := f.Sync(); err != nil {
		return "", 0, err
	}
	info, err := f.Stat()
	if err != nil {
		return "", 0, err
	}
	path = filepath.Join(a.o.Dir, name)
	if err := os.Rename(f.Name(), path); err != nil {
		return "", 0, err
	}
	if err := a.syncDir(); err != nil {
		return "", 0, err
	}
	return path, info.Size(), f.Close()
}

// discard closes and removes a file that is not wanted after all.
func discard(f *os.File) error {
	err := f.Close()
	if errors.Is(err, fs.ErrClosed) {
		err = nil
	}
	if e := os.Remove(f.Name()); e != nil && !errors.Is(e, fs.ErrNotExist) {
		err = errors.Join(err, e)
	}
	return err
}

// syncDir makes the directory's names durable.
func (a *Archive) syncDir() error {
	d, err := os.Open(a.o.Dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// looked returns ctx's cause once it has ended.
func looked(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}
