package journal

import (
	"bytes"
	"fmt"
	"os"
)

// Remains returns the size of the oldest of the journal's files when a record
// below a sequence is left in it, released or not, and 0 when none is left in any
// file. A file goes when it is full and everything in it is released, is shortened when
// it has grown to 2 MB and more than half of it is, and else stays until Renew.
func (j *Journal) Remains(below uint64) (bytes int64, err error) {
	j.releasing.Lock()
	defer j.releasing.Unlock() // no file goes meanwhile
	files, err := blockFiles(j.storeDir())
	if err != nil || len(files) == 0 {
		return 0, err
	}
	data, err := os.ReadFile(files[0]) // records are in order over the files
	if err != nil {
		return 0, fmt.Errorf("look into the journal's files: %w", err)
	}
	if holds(data, below) {
		return int64(len(data)), nil
	}
	return 0, nil
}

// holds reports whether a record below a sequence stands in the bytes of a file.
func holds(data []byte, below uint64) bool {
	for {
		at := bytes.Index(data, []byte(mark))
		if at < 0 {
			return false
		}
		data = data[at+len(subject):]
		r, size, damage := decodePrefix(data)
		if damage != nil {
			data = data[len(magic):]
			continue
		}
		if r.Sequence < below {
			return true
		}
		data = data[size:]
	}
}
