package journal

import (
	"bytes"
	"fmt"
	"os"
)

// Remains reports whether a record below a sequence is left in the journal's
// files, released or not: a file goes when everything in it is released, and is
// shortened when that is more than half of it.
func (j *Journal) Remains(below uint64) (bool, error) {
	j.releasing.Lock()
	defer j.releasing.Unlock() // no file goes meanwhile
	files, err := blockFiles(j.storeDir())
	if err != nil || len(files) == 0 {
		return false, err
	}
	data, err := os.ReadFile(files[0]) // records are in order over the files
	if err != nil {
		return false, fmt.Errorf("look into the journal's files: %w", err)
	}
	for {
		at := bytes.Index(data, []byte(mark))
		if at < 0 {
			return false, nil
		}
		data = data[at+len(subject):]
		r, size, damage := decodePrefix(data)
		if damage != nil {
			data = data[len(magic):]
			continue
		}
		if r.Sequence < below {
			return true, nil
		}
		data = data[size:]
	}
}
