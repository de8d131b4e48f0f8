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
// when it is first needed. It implements pipeline.Scratch.
type Scratch struct{ Dir string }

var _ pipeline.Scratch = Scratch{}

func (s Scratch) path(number uint64) string {
	return filepath.Join(s.Dir, strconv.FormatUint(number, 10)+".db")
}

// Open opens the state of a back-fill, an empty one when there is none.
func (s Scratch) Open(ctx context.Context, number uint64) (pipeline.ScratchStore, error) {
	if err := os.MkdirAll(s.Dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of back-fills: %w", err)
	}
	state, err := OpenState(ctx, StateOptions{Path: s.path(number)})
	if err != nil {
		return nil, fmt.Errorf("open the state of back-fill %d: %w", number, err)
	}
	return state, nil
}

// Remove removes the state of a back-fill; to remove what is not there is no
// error.
func (s Scratch) Remove(number uint64) error {
	var errs []error
	for _, suffix := range [...]string{"-wal", "-shm", ""} { // the file itself last, so that a crash leaves it to be found
		if err := os.Remove(s.path(number) + suffix); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// Numbers lists the back-fills that have a state, ascending.
func (s Scratch) Numbers() (numbers []uint64, err error) {
	entries, err := os.ReadDir(s.Dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, e := range entries {
		name, is := strings.CutSuffix(e.Name(), ".db")
		if n, err := strconv.ParseUint(name, 10, 64); is && err == nil {
			numbers = append(numbers, n)
		}
	}
	slices.Sort(numbers)
	return numbers, err
}
