package archive

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"strconv"
	"strings"

	"github.com/klauspost/compress/zstd"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

// The format of a file of records. It is a valid zstd stream: what is ours and
// not records stands in skippable frames, so that `zstd -d` gives the records,
// one after the other, in version 1 of the journal's own format. All numbers are
// little-endian, all checksums CRC-32C (Castagnoli).
//
//	offset  bytes  what
//	     0      4  0x184D2A5E, a skippable frame
//	     4      4  4, the bytes that follow in it
//	     8      3  "KKA"
//	    11      1  version, 1
//	    12         frames, each a zstd frame of its own that inflates to whole records
//	            4  0x184D2A5F, a skippable frame
//	            4  bytes of the index and the tail
//
// the index:
//
//	8  sequence of the first record
//	8  sequence of the last record
//	8  sequence of the record before the first, 0 when there was none
//	8  log time of the first record, microseconds since 1970
//	8  log time of the last record
//	8  number of records
//	8  number of entries
//	8  bytes of all frames when they are inflated
//	4  number of frames, and then for each
//
//	   8  sequence of its first record
//	   8  log time of that record
//	   8  offset in the file
//	   4  bytes
//	   4  bytes when it is inflated
//	   4  checksum of its bytes
//
// and the tail:
//
//	4  bytes of the index
//	4  checksum of the index
//	3  "KKA"
//	1  version, 1
//
// A file without its tail was never finished. Nothing is inflated before its
// checksum matches, and never to more than the index says; records carry
// checksums of their own, of what was once appended.
const (
	magic   = "KKA"
	version = 1

	skippableHead  = 0x184D2A5E
	skippableIndex = 0x184D2A5F

	headSize      = 12
	indexHeadSize = 8*8 + 4
	frameSize     = 3*8 + 3*4
	tailSize      = 12

	// frameBytes is how much a frame holds, inflated, before it is closed: the
	// most that is inflated in vain to begin at a given record, and a record more.
	frameBytes = 1 << 20
	maxFrame   = frameBytes + journal.MaxRecord

	// maxIndex bounds what is read for an index: a thousand times what a file of
	// the usual size has.
	maxIndex = 64 << 20
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// A file is named after its records: first and last sequence.
const (
	digits     = 15 // of the largest sequence
	fileSuffix = ".kka"
)

func nameOf(first, last uint64) string {
	return fmt.Sprintf("%0*d-%0*d%s", digits, first, digits, last, fileSuffix)
}

// parseName reads what nameOf wrote.
func parseName(name string) (File, bool) {
	a, b, ok := strings.Cut(strings.TrimSuffix(name, fileSuffix), "-")
	first, err1 := strconv.ParseUint(a, 10, 64)
	last, err2 := strconv.ParseUint(b, 10, 64)
	if !ok || err1 != nil || err2 != nil || first == 0 || last < first || nameOf(first, last) != name {
		return File{}, false
	}
	return File{First: first, Last: last}, true
}

// index says what is in a file of records, and where.
type index struct {
	Summary
	frames []frame
}

// Summary is what a file of records says of itself.
type Summary struct {
	First    uint64 // sequence of the first record
	Last     uint64
	Previous uint64     // sequence of the record before the first, 0 when there was none
	From     cx.Instant // log time of the first record
	To       cx.Instant // and of the last
	Records  uint64
	Entries  uint64
	Inflated uint64 // bytes of the records, not compressed
}

// frame is some records, compressed together.
type frame struct {
	first    uint64
	at       cx.Instant
	offset   int64
	stored   uint32
	inflated uint32
	sum      uint32
}

func (x *index) append(dst []byte) []byte {
	u64, u32 := binary.LittleEndian.AppendUint64, binary.LittleEndian.AppendUint32
	for _, v := range [...]uint64{x.First, x.Last, x.Previous, uint64(x.From), uint64(x.To), x.Records, x.Entries, x.Inflated} {
		dst = u64(dst, v)
	}
	dst = u32(dst, uint32(len(x.frames)))
	for _, f := range x.frames {
		dst = u64(u64(u64(dst, f.first), uint64(f.at)), uint64(f.offset))
		dst = u32(u32(u32(dst, f.stored), f.inflated), f.sum)
	}
	return dst
}

// appendHead appends what a file begins with.
func appendHead(dst []byte) []byte {
	dst = binary.LittleEndian.AppendUint32(dst, skippableHead)
	dst = binary.LittleEndian.AppendUint32(dst, 4)
	return append(append(dst, magic...), version)
}

// appendEnd appends what a file ends with.
func appendEnd(dst []byte, x *index) []byte {
	at := len(dst)
	dst = binary.LittleEndian.AppendUint32(dst, skippableIndex)
	dst = binary.LittleEndian.AppendUint32(dst, 0)
	start := len(dst)
	dst = x.append(dst)
	size, sum := len(dst)-start, crc32.Checksum(dst[start:], castagnoli)
	binary.LittleEndian.PutUint32(dst[at+4:], uint32(size+tailSize))
	dst = binary.LittleEndian.AppendUint32(dst, uint32(size))
	dst = binary.LittleEndian.AppendUint32(dst, sum)
	return append(append(dst, magic...), version)
}

// decodeIndex reads an index whose checksum matches, of a file whose frames end
// at an offset; it returns what is wrong with one that nobody damaged.
func decodeIndex(b []byte, end int64) (x *index, reason string) {
	if len(b) < indexHeadSize || (len(b)-indexHeadSize)%frameSize != 0 {
		return nil, fmt.Sprintf("its index has %d bytes", len(b))
	}
	u64 := func() uint64 { v := binary.LittleEndian.Uint64(b); b = b[8:]; return v }
	u32 := func() uint32 { v := binary.LittleEndian.Uint32(b); b = b[4:]; return v }
	x = &index{Summary: Summary{
		First: u64(), Last: u64(), Previous: u64(), From: cx.Instant(u64()), To: cx.Instant(u64()),
		Records: u64(), Entries: u64(), Inflated: u64(),
	}}
	count := int(u32())
	if count != len(b)/frameSize || count == 0 {
		return nil, fmt.Sprintf("its index says %d frames and lists %d", count, len(b)/frameSize)
	}
	next := int64(headSize)
	x.frames = make([]frame, count)
	for i := range x.frames {
		f := &x.frames[i]
		*f = frame{first: u64(), at: cx.Instant(u64()), offset: int64(u64()), stored: u32(), inflated: u32(), sum: u32()}
		switch {
		case f.offset != next || f.stored == 0 || f.inflated == 0 || f.inflated > maxFrame:
			return nil, fmt.Sprintf("its index gives frame %d %d bytes at %d, %d inflated", i, f.stored, f.offset, f.inflated)
		case i == 0 && f.first != x.First || i > 0 && f.first <= x.frames[i-1].first || f.first > x.Last:
			return nil, fmt.Sprintf("its index lets frame %d begin at record %d", i, f.first)
		}
		next += int64(f.stored)
	}
	if next != end {
		return nil, fmt.Sprintf("its frames end at %d and not at %d", next, end)
	}
	return x, ""
}

// newEncoder makes what compresses frames. It is used by one goroutine.
func newEncoder() (*zstd.Encoder, error) {
	return zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1), zstd.WithEncoderLevel(zstd.SpeedFastest), zstd.WithWindowSize(frameBytes), zstd.WithLowerEncoderMem(true))
}

// newDecoder makes what inflates frames, to as much as an index may allow.
func newDecoder() (*zstd.Decoder, error) {
	return zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxMemory(maxFrame), zstd.WithDecoderMaxWindow(2*frameBytes))
}

// DamageError says that a file of the archive does not hold what was once
// written into it.
type DamageError struct {
	File     string // its name
	Sequence uint64 // of the first record that cannot be read, 0 when that is not known
	Reason   string
}

// Error names the file, the record and what is wrong.
func (d *DamageError) Error() string {
	if d.Sequence == 0 {
		return fmt.Sprintf("archive file %s is damaged: %s", d.File, d.Reason)
	}
	return fmt.Sprintf("archive file %s is damaged at record %d: %s", d.File, d.Sequence, d.Reason)
}
