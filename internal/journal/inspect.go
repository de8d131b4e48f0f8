package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// inspect looks at the end of a stopped engine's files and fails with a *DamageError
// when an intact record lies behind a broken one.
//
// The engine cuts a file off at the first bytes that it cannot read. That is
// right for a torn last write, which nobody was told is durable. It would be
// wrong in the middle of what was: better not to open than to throw away
// records that can still be saved.
func inspect(storeDir string) error {
	blocks, err := blockFiles(storeDir)
	if err != nil {
		return fmt.Errorf("inspect the journal's files: %w", err)
	}
	var s scan
	// One file more than the newest, so that its first record has a predecessor.
	for _, file := range blocks[max(0, len(blocks)-2):] {
		data, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("inspect the journal's files: %w", err)
		}
		if err := s.block(data); err != nil {
			return fmt.Errorf("%s: %w; records behind it are intact, so restore this file from a copy", file, err)
		}
	}
	return nil
}

// blockFiles lists the engine's files of messages, "N.blk", oldest first.
func blockFiles(storeDir string) ([]string, error) {
	numbers := map[string]int{}
	var files []string
	err := filepath.WalkDir(storeDir, func(path string, _ fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, isBlock := strings.CutSuffix(filepath.Base(path), ".blk")
		if n, err := strconv.Atoi(name); isBlock && err == nil {
			numbers[path] = n
			files = append(files, path)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	slices.SortFunc(files, func(a, b string) int { return numbers[a] - numbers[b] })
	return files, err
}

// mark is what stands at the beginning of every record in the engine's files: the
// subject comes right before it. The record's own three letters alone are found
// by chance, in one of three million of the engine's checksums.
const mark = subject + magic

// scan follows the chain of records through files, whatever else the engine puts
// around them.
type scan struct {
	last   uint64 // sequence of the newest intact record, 0 before the first
	broken bool   // a record began behind it and is not intact
}

func (s *scan) block(data []byte) error {
	for {
		at := bytes.Index(data, []byte(mark))
		if at < 0 {
			return nil
		}
		data = data[at+len(subject):]
		r, size, damage := decodePrefix(data)
		if damage != nil {
			s.broken, data = true, data[len(magic):]
			continue
		}
		if s.broken || s.last != 0 && r.Previous != s.last {
			return &DamageError{max(s.last+1, r.Previous), -1, fmt.Sprintf("it should be before record %d, which follows %d", r.Sequence, r.Previous)}
		}
		s.last, data = r.Sequence, data[size:]
	}
}
