package archive

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"slices"

	"github.com/klauspost/compress/zstd"

	"github.com/kikubari/kikubari/internal/journal"
)

// Read calls fn for the archived records from one sequence to another, both
// included, in order, and returns the sequence from which on others must look:
// behind the newest record, or where a file is missing. From 0 begins at the
// oldest record, to 0 ends at the newest.
//
// Every checksum is verified, and that each record follows the one before: the
// error is a *DamageError then. It returns fn's error as it is, and ctx's cause
// when ctx ends. Files that are added meanwhile are read too.
func (a *Archive) Read(ctx context.Context, from, to uint64, fn func(*journal.Record) error) (next uint64, err error) {
	if from == 0 {
		from = a.First()
	}
	next, previous := from, uint64(0)
	for to == 0 || next <= to {
		f, ok := a.from(next)
		if !ok || to != 0 && f.First > to {
			return next, nil
		}
		if f.First > next {
			s, err := a.Summary(f)
			if err == nil && s.Previous >= next {
				return next, nil // there were records between; the journal may have them
			}
		}
		begun := next > from
		err := a.readFile(ctx, f, next, to, func(r *journal.Record) error {
			if begun && r.Previous != previous {
				return &DamageError{f.Name(), r.Sequence, fmt.Sprintf("it follows record %d, and %d stands before it", r.Previous, previous)}
			}
			if err := fn(r); err != nil {
				return err
			}
			begun, previous, next = true, r.Sequence, r.Sequence+1
			return nil
		})
		if errors.Is(err, fs.ErrNotExist) {
			if again, ok := a.from(next); !ok || again != f {
				continue // it was dropped or replaced just now
			}
		}
		if err != nil {
			return next, err
		}
		next = max(next, f.Last+1)
	}
	return next, nil
}

// readFile calls fn for the records of f from one sequence to another; to 0 is
// the end of the file. While fn works on the records of a frame the next one is
// read and inflated.
func (a *Archive) readFile(ctx context.Context, f File, from, to uint64, fn func(*journal.Record) error) error {
	r, err := openFile(f)
	if err != nil {
		return err
	}
	defer r.Close()
	reading, stop := context.WithCancel(ctx)
	batches := make(chan batch, 1)
	go r.readAhead(reading, from, to, batches)
	defer func() {
		stop()
		for range batches { // until the reader has ended
		}
	}()
	for b := range batches {
		if b.err != nil {
			return b.err
		}
		for _, record := range b.records {
			if record.Sequence < from {
				continue
			}
			if to != 0 && record.Sequence > to {
				return nil
			}
			if err := fn(record); err != nil {
				return err
			}
			if err := looked(ctx); err != nil {
				return err
			}
		}
	}
	return looked(ctx)
}

// batch is the records of a frame, or why there are no more.
type batch struct {
	records []*journal.Record
	err     error
}

// reader reads one file of records.
type reader struct {
	file    *os.File
	name    string
	index   *index
	decoder *zstd.Decoder
	stored  []byte
}

// openFile opens f and reads its index. The caller closes the reader.
func openFile(f File) (_ *reader, err error) {
	file, err := os.Open(f.Path)
	if err != nil {
		return nil, err
	}
	r := &reader{file: file, name: f.Name()}
	defer func() {
		if err != nil {
			err = errors.Join(err, file.Close())
		}
	}()
	if r.index, err = r.readIndex(); err != nil {
		return nil, err
	}
	if r.index.First != f.First || r.index.Last != f.Last {
		return nil, r.damage(0, fmt.Sprintf("it holds the records %d to %d", r.index.First, r.index.Last))
	}
	r.decoder, err = newDecoder()
	return r, err
}

func (r *reader) Close() error {
	r.decoder.Close()
	return r.file.Close()
}

func (r *reader) damage(sequence uint64, reason string) *DamageError {
	return &DamageError{r.name, sequence, reason}
}

// readIndex reads head, tail and index.
func (r *reader) readIndex() (*index, error) {
	info, err := r.file.Stat()
	if err != nil {
		return nil, err
	}
	size := info.Size()
	if size < headSize+8+indexHeadSize+frameSize+tailSize {
		return nil, r.damage(0, fmt.Sprintf("%d bytes are too short for one", size))
	}
	var head [headSize]byte
	var tail [tailSize]byte
	if err := r.readAt(head[:], 0); err != nil {
		return nil, err
	}
	if err := r.readAt(tail[:], size-tailSize); err != nil {
		return nil, err
	}
	switch {
	case !slices.Equal(head[:headSize-1], appendHead(nil)[:headSize-1]):
		return nil, r.damage(0, "it does not begin as one")
	case head[headSize-1] != version:
		return nil, r.damage(0, fmt.Sprintf("version %d is not known to this program", head[headSize-1]))
	case string(tail[8:11]) != magic || tail[11] != version:
		return nil, r.damage(0, "its end is missing")
	}
	length := int64(binary.LittleEndian.Uint32(tail[:]))
	if length > maxIndex || length > size-headSize-8-tailSize {
		return nil, r.damage(0, fmt.Sprintf("its index cannot have %d bytes", length))
	}
	b := make([]byte, 8+length)
	if err := r.readAt(b, size-tailSize-length-8); err != nil {
		return nil, err
	}
	if binary.LittleEndian.Uint32(b) != skippableIndex || int64(binary.LittleEndian.Uint32(b[4:])) != length+tailSize {
		return nil, r.damage(0, "its index does not begin as one")
	}
	b = b[8:]
	if crc32.Checksum(b, castagnoli) != binary.LittleEndian.Uint32(tail[4:]) {
		return nil, r.damage(0, "the checksum of its index does not match")
	}
	x, reason := decodeIndex(b, size-tailSize-length-8)
	if reason != "" {
		return nil, r.damage(0, reason)
	}
	return x, nil
}

func (r *reader) readAt(b []byte, offset int64) error {
	_, err := r.file.ReadAt(b, offset)
	if errors.Is(err, io.EOF) {
		return r.damage(0, "it ends early")
	}
	return err
}

// readAhead sends the frames that hold records from one sequence to another and
// closes the channel, behind the first error or when ctx ends.
func (r *reader) readAhead(ctx context.Context, from, to uint64, batches chan<- batch) {
	defer close(batches)
	frames := r.index.frames
	start, exact := slices.BinarySearchFunc(frames, from, func(f frame, s uint64) int { return compare(f.first, s) })
	if !exact {
		start = max(start-1, 0)
	}
	for i := start; i < len(frames) && (to == 0 || frames[i].first <= to); i++ {
		records, err := r.frame(i)
		select {
		case batches <- batch{records, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
	}
}

// frame reads and checks the i-th frame. Its records have memory of their own.
func (r *reader) frame(i int) ([]*journal.Record, error) {
	f := r.index.frames[i]
	r.stored = slices.Grow(r.stored[:0], int(f.stored))[:f.stored]
	if err := r.readAt(r.stored, f.offset); err != nil {
		return nil, err
	}
	if crc32.Checksum(r.stored, castagnoli) != f.sum {
		return nil, r.damage(f.first, fmt.Sprintf("the checksum of frame %d does not match", i))
	}
	data, err := r.decoder.DecodeAll(r.stored, make([]byte, 0, f.inflated))
	if err != nil || len(data) != int(f.inflated) {
		return nil, r.damage(f.first, fmt.Sprintf("frame %d inflates to %d bytes and not to %d (%v)", i, len(data), f.inflated, err))
	}
	return r.records(i, data)
}

// records cuts the inflated bytes of the i-th frame into records that follow
// each other and end where the next frame begins.
func (r *reader) records(i int, data []byte) ([]*journal.Record, error) {
	f := r.index.frames[i]
	var records []*journal.Record
	previous, sequence := r.index.Previous, f.first
	for len(data) > 0 {
		record, rest, err := journal.CutRecord(data)
		if err != nil {
			return nil, r.damage(sequence, err.Error())
		}
		switch {
		case len(records) == 0 && record.Sequence != f.first:
			return nil, r.damage(f.first, fmt.Sprintf("record %d is in its place", record.Sequence))
		case (len(records) > 0 || i == 0) && record.Previous != previous:
			return nil, r.damage(record.Sequence, fmt.Sprintf("it follows record %d, and %d stands before it", record.Previous, previous))
		}
		records = append(records, record)
		previous, sequence, data = record.Sequence, record.Sequence+1, rest
	}
	if i == len(r.index.frames)-1 && previous != r.index.Last {
		return nil, r.damage(sequence, fmt.Sprintf("it ends at record %d", previous))
	}
	return records, nil
}

// Summary returns what f says of itself.
func (a *Archive) Summary(f File) (Summary, error) {
	r, err := openFile(f)
	if err != nil {
		return Summary{}, err
	}
	return r.index.Summary, r.Close()
}
