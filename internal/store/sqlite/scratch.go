package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/kikubari/kikubari/internal/pipeline"
)

// Scratch keeps the states of back-fills as files of one directory, which is made
// when it is first needed. 7.db is of a back-fill that began with the log, and
// 7-1200-1764547200000000.db of one that began with a checkpoint kept at the tick
// in record 1200, at that log time. It implements pipeline.Scratch.
type Scratch struct{ Dir string }

var _ pipeline.Scratch = Scratch{}

const (
	scratchSuffix = ".db"
	beingRestored = "checkpoint.tmp"
)

// scratchFile is the name of a state, taken apart.
type scratchFile struct {
	number uint64
	origin pipeline.Origin
}

func (f scratchFile) name() string {
	if f.origin.From == 1 {
		return strconv.FormatUint(f.number, 10) + scratchSuffix
	}
	return fmt.Sprintf("%d-%d-%d%s", f.number, f.origin.From, f.origin.Since, scratchSuffix)
}

// parseScratch reads what name wrote.
func parseScratch(name string) (f scratchFile, ok bool) {
	text, is := strings.CutSuffix(name, scratchSuffix)
	f.origin.From = 1
	if _, err := fmt.Sscanf(text, "%d-%d-%d", &f.number, &f.origin.From, (*int64)(&f.origin.Since)); err != nil {
		f.origin = pipeline.Origin{From: 1}
	}
	return f, is && f.number != 0 && f.name() == name
}

// scratchState is an open state of a back-fill.
type scratchState struct {
	*State
	origin pipeline.Origin
}

// Origin returns where the back-fill began.
func (s scratchState) Origin() pipeline.Origin { return s.origin }

// Open opens the state of a back-fill; when there is none it makes one that begins
// where begin says.
func (s Scratch) Open(ctx context.Context, number uint64, begin func() (pipeline.Origin, error)) (pipeline.ScratchStore, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of back-fills: %w", err)
	}
	files, err := s.files(number)
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		origin, err := begin()
		if err != nil {
			return nil, err
		}
		files = append(files, scratchFile{number, pipeline.Origin{From: origin.From, Since: origin.Since}})
		if origin.Restore != nil {
			if err := s.restore(files[0], origin.Restore); err != nil {
				return nil, fmt.Errorf("restore the checkpoint that back-fill %d begins with: %w", number, err)
			}
		}
	}
	state, err := OpenState(ctx, StateOptions{Path: filepath.Join(s.Dir, files[0].name())})
	if err != nil {
		return nil, fmt.Errorf("open the state of back-fill %d: %w", number, err)
	}
	return scratchState{state, files[0].origin}, nil
}

// restore makes a file that holds a kept checkpoint, whole or not at all.
func (s Scratch) restore(f scratchFile, write func(path string) error) error {
	path := filepath.Join(s.Dir, beingRestored)
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err // what a crash left half-written
	}
	if err := write(path); err != nil {
		return errors.Join(err, os.Remove(path))
	}
	return os.Rename(path, filepath.Join(s.Dir, f.name()))
}

// Remove removes the state of a back-fill; to remove what is not there is no
// error.
func (s Scratch) Remove(number uint64) error {
	files, err := s.files(number)
	for _, f := range files {
		for _, suffix := range [...]string{"-wal", "-shm", ""} { // the file itself last, so that a crash leaves it to be found
			if e := os.Remove(filepath.Join(s.Dir, f.name()+suffix)); !errors.Is(e, fs.ErrNotExist) {
				err = errors.Join(err, e)
			}
		}
	}
	return err
}

// Numbers lists the back-fills that have a state, ascending.
func (s Scratch) Numbers() (numbers []uint64, err error) {
	files, err := s.files(0)
	for _, f := range files {
		numbers = append(numbers, f.number)
	}
	slices.Sort(numbers)
	return slices.Compact(numbers), err
}

// files lists the states of a back-fill, one at most, or with 0 those of all.
func (s Scratch) files(number uint64) (files []scratchFile, err error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		if f, ok := parseScratch(e.Name()); ok && (number == 0 || f.number == number) {
			files = append(files, f)
		}
	}
	return files, err
}
