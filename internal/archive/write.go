package archive

import (
	"hash/crc32"
	"os"
	"runtime"

	"github.com/klauspost/compress/zstd"

	"github.com/kikubari/kikubari/internal/fault"
	"github.com/kikubari/kikubari/internal/journal"
)

// writer writes one file of records.
type writer struct {
	file    *os.File
	enough  int // bytes after which a frame is closed
	encoder *zstd.Encoder
	index   index
	offset  int64  // where the next frame goes
	open    frame  // the frame being filled
	records []byte // in it
	stored  []byte // a frame on its way to the file
}

func newWriter(file *os.File, encoder *zstd.Encoder, enough int) (*writer, error) {
	head := appendHead(nil)
	if _, err := file.Write(head); err != nil {
		return nil, err
	}
	return &writer{file: file, enough: enough, encoder: encoder, offset: int64(len(head))}, nil
}

// add appends a record. Records come in order.
func (w *writer) add(r *journal.Record) error {
	if w.index.Records == 0 {
		w.index.First, w.index.Previous, w.index.From = r.Sequence, r.Previous, r.Time
	}
	if len(w.records) == 0 {
		w.open = frame{first: r.Sequence, at: r.Time, offset: w.offset}
	}
	w.records = journal.AppendRecord(w.records, r)
	w.index.Last, w.index.To = r.Sequence, r.Time
	w.index.Records++
	w.index.Entries += uint64(len(r.Entries))
	if len(w.records) >= w.enough {
		return w.flush()
	}
	return nil
}

// flush compresses and writes the open frame. Afterwards those who wait for a
// processor go first.
func (w *writer) flush() error {
	if len(w.records) == 0 {
		return nil
	}
	w.stored = w.encoder.EncodeAll(w.records, w.stored[:0])
	if _, err := w.file.Write(w.stored); err != nil {
		return err
	}
	f := w.open
	f.stored, f.inflated, f.sum = uint32(len(w.stored)), uint32(len(w.records)), crc32.Checksum(w.stored, castagnoli)
	w.index.frames = append(w.index.frames, f)
	w.index.Inflated += uint64(f.inflated)
	w.offset += int64(f.stored)
	w.records = w.records[:0]
	fault.Point("archive.inside")
	runtime.Gosched()
	return nil
}

// end writes what is left, and the index.
func (w *writer) end() error {
	if err := w.flush(); err != nil {
		return err
	}
	_, err := w.file.Write(appendEnd(w.stored[:0], &w.index))
	return err
}
