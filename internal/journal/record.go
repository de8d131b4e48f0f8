package journal

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"

	"github.com/kikubari/kikubari/internal/cx"
)

// The format of a record. All fixed numbers are little-endian, all checksums
// CRC-32C (Castagnoli). In version 1 the entries are as they are:
//
//	offset  bytes  what
//	     0      3  "KKJ"
//	     3      1  version, 1
//	     4      8  log time in microseconds since 1970, signed
//	    12      8  sequence of this record
//	    20      8  sequence of the record before it, 0 for the first
//	    28      4  number of entries, 1 to cx.MaxEntries
//	    32      4  checksum of bytes 0 to 31
//	    36         the entries, one after the other, to the end of the record:
//
//	               1  kind
//	          uvarint length of the payload, in the shortest form
//	               4  checksum of kind, length and payload
//	                  payload
//
// In version 2 they are compressed:
//
//	 0     32  as above, with version 2
//	32      4  bytes of the entries when they are inflated
//	36      4  bytes of the block behind the header, fewer than those
//	40      4  checksum of the block
//	44      4  checksum of bytes 0 to 43
//	48         the entries of version 1, one block of S2
//
// Nothing is inflated before the checksum of its block matches, and never to
// more than the header says. The checksums of the entries are of what was
// appended, not of what is stored, so they cover the way through the
// compressor and back as well.
//
// A record names itself and its predecessor because the storage engine drops
// what it cannot read: the chain makes such a hole visible to every reader.
const (
	magic      = "KKJ"
	plain      = 1 // version
	compressed = 2 // version

	headerSize           = 36
	compressedHeaderSize = 48

	// MaxRecord is the most bytes a record may have, before it is compressed. It
	// stays well below the 1 MB that the storage engine takes in one message.
	MaxRecord = 512 << 10

	// minEntry is the size of an entry without payload.
	minEntry = 1 + 1 + 4

	// MaxPayload is the longest payload of one entry: it fills a record alone.
	MaxPayload = MaxRecord - headerSize - minEntry - 2
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Record is what one commit made durable. Its entries are in the order in which
// they were appended.
type Record struct {
	Sequence uint64     // place in the stream, from 1
	Previous uint64     // sequence of the record before it, 0 for the first
	Time     cx.Instant // log time: never before that of an earlier record
	Entries  []cx.Entry // not to be changed: payloads are shared
	Tags     []Tag      // who appended what; nil for records read from storage
}

// Tag says which entries of a live record came from which call of Append.
type Tag struct {
	First int  // index of the first of them
	Count int  // how many, at least 1
	More  bool // the rest of them follow in the next record
	Value any  // as given to Append
}

// DamageError says that the journal does not hold what was once made durable, or
// that bytes are no record at all.
type DamageError struct {
	Sequence uint64 // of the record
	Entry    int    // index of the damaged entry, -1 when it is the record as a whole
	Reason   string
}

// Error names the record and, where it is known, the entry.
func (d *DamageError) Error() string {
	if d.Entry < 0 {
		return fmt.Sprintf("journal record %d is damaged: %s", d.Sequence, d.Reason)
	}
	return fmt.Sprintf("journal record %d is damaged at entry %d: %s", d.Sequence, d.Entry, d.Reason)
}

// AppendRecord appends the encoding of r to dst, in version 1. Tags are not part
// of it. It panics when r has no entries, more than cx.MaxEntries, or a negative
// time.
func AppendRecord(dst []byte, r *Record) []byte {
	if n := len(r.Entries); n == 0 || n > cx.MaxEntries || r.Time < 0 {
		panic(fmt.Sprintf("journal: a record of %d entries at %d", n, r.Time))
	}
	start := len(dst)
	dst = append(dst, magic...)
	dst = append(dst, plain)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(r.Time))
	dst = binary.LittleEndian.AppendUint64(dst, r.Sequence)
	dst = binary.LittleEndian.AppendUint64(dst, r.Previous)
	dst = binary.LittleEndian.AppendUint32(dst, uint32(len(r.Entries)))
	dst = binary.LittleEndian.AppendUint32(dst, crc32.Checksum(dst[start:], castagnoli))
	for i := range r.Entries {
		dst = appendEntry(dst, &r.Entries[i])
	}
	return dst
}

func appendEntry(dst []byte, e *cx.Entry) []byte {
	start := len(dst)
	dst = append(dst, byte(e.Kind))
	dst = binary.AppendUvarint(dst, uint64(len(e.Payload)))
	sum := crc32.Update(crc32.Checksum(dst[start:], castagnoli), castagnoli, e.Payload)
	dst = binary.LittleEndian.AppendUint32(dst, sum)
	return append(dst, e.Payload...)
}

// entrySize is the number of bytes that a payload of n bytes takes in a record.
func entrySize(n int) int {
	size := minEntry + n
	for n >= 0x80 {
		n >>= 7
		size++
	}
	return size
}

// DecodeRecord reads the record stored at a sequence. Its payloads alias data,
// unless they were compressed. Every checksum is verified; the error is a
// *DamageError.
func DecodeRecord(sequence uint64, data []byte) (*Record, error) {
	r, size, damage := decodePrefix(data)
	switch {
	case damage != nil:
		damage.Sequence = sequence
		return nil, damage
	case size < len(data):
		return nil, &DamageError{sequence, -1, fmt.Sprintf("%d bytes after the last entry", len(data)-size)}
	case r.Sequence != sequence:
		return nil, &DamageError{sequence, -1, fmt.Sprintf("record %d is in its place", r.Sequence)}
	}
	return r, nil
}

// CutRecord reads the record at the head of data, whatever its sequence, and
// returns what follows it. As with DecodeRecord payloads alias data and the error
// is a *DamageError.
func CutRecord(data []byte) (r *Record, rest []byte, err error) {
	r, size, damage := decodePrefix(data)
	if damage != nil {
		return nil, nil, damage
	}
	return r, data[size:], nil
}

// decodePrefix reads the record at the head of data and returns its size there.
func decodePrefix(data []byte) (r *Record, size int, damage *DamageError) {
	h, reason := decodeHeader(data)
	if reason != "" {
		return nil, 0, &DamageError{0, -1, reason}
	}
	if h.version == plain {
		size, damage = h.decodeEntries(data[headerSize:])
		return h.record, headerSize + size, damage
	}
	entries, reason := h.inflate(data[compressedHeaderSize:])
	if reason != "" {
		return nil, 0, &DamageError{h.record.Sequence, -1, reason}
	}
	n, damage := h.decodeEntries(entries)
	if damage == nil && n < len(entries) {
		damage = &DamageError{h.record.Sequence, -1, fmt.Sprintf("%d bytes after the last entry", len(entries)-n)}
	}
	return h.record, compressedHeaderSize + h.stored, damage
}

// header is what stands before the entries of a record.
type header struct {
	record  *Record // without entries
	version byte
	count   int // of entries

	// Of version 2:
	inflated int    // bytes of the entries
	stored   int    // bytes of the block that holds them
	sum      uint32 // its checksum
}

// decodeHeader reads the header at the head of data, or says why it cannot.
func decodeHeader(data []byte) (h header, reason string) {
	switch {
	case len(data) < headerSize:
		return h, fmt.Sprintf("%d bytes are shorter than a header", len(data))
	case string(data[:3]) != magic:
		return h, "it does not begin as a record"
	}
	size := headerSize
	switch h.version = data[3]; {
	case h.version == compressed && len(data) < compressedHeaderSize:
		return h, fmt.Sprintf("%d bytes are shorter than a header", len(data))
	case h.version == compressed:
		size = compressedHeaderSize
	case h.version != plain:
		return h, fmt.Sprintf("version %d is not known to this program", h.version)
	}
	if binary.LittleEndian.Uint32(data[size-4:]) != crc32.Checksum(data[:size-4], castagnoli) {
		return h, "the checksum of its header does not match"
	}
	h.record = &Record{
		Time:     cx.Instant(binary.LittleEndian.Uint64(data[4:])),
		Sequence: binary.LittleEndian.Uint64(data[12:]),
		Previous: binary.LittleEndian.Uint64(data[20:]),
	}
	h.count = int(binary.LittleEndian.Uint32(data[28:]))
	h.inflated = len(data) - headerSize
	if h.version == compressed {
		h.inflated = int(binary.LittleEndian.Uint32(data[32:]))
		h.stored = int(binary.LittleEndian.Uint32(data[36:]))
		h.sum = binary.LittleEndian.Uint32(data[40:])
	}
	return h, h.check()
}

// check says what is wrong with a header that nobody damaged.
func (h *header) check() (reason string) {
	switch r := h.record; {
	case r.Time < 0:
		return "its time is negative"
	case r.Previous >= r.Sequence:
		return fmt.Sprintf("record %d claims to follow %d", r.Sequence, r.Previous)
	case h.version == compressed && (h.inflated > MaxRecord-headerSize || h.stored >= h.inflated):
		return fmt.Sprintf("%d bytes are compressed to %d", h.inflated, h.stored)
	case h.count == 0 || h.count > cx.MaxEntries || h.count > h.inflated/minEntry:
		return fmt.Sprintf("%d entries in %d bytes", h.count, h.inflated)
	}
	return ""
}

// decodeEntries reads the record's entries at the head of data and returns their
// size there.
func (h *header) decodeEntries(data []byte) (size int, damage *DamageError) {
	h.record.Entries = make([]cx.Entry, h.count)
	for i := range h.record.Entries {
		n, reason := decodeEntry(&h.record.Entries[i], data[size:])
		if reason != "" {
			return 0, &DamageError{h.record.Sequence, i, fmt.Sprintf("%s (of %d entries)", reason, h.count)}
		}
		size += n
	}
	return size, nil
}

// decodeEntry reads the entry at the head of data into e and returns its size
// there, or the reason why it cannot.
func decodeEntry(e *cx.Entry, data []byte) (size int, reason string) {
	if len(data) < minEntry {
		return 0, "the record ends inside it"
	}
	length, n := binary.Uvarint(data[1:])
	if n <= 0 || n > 1 && data[n] == 0 {
		return 0, "its length is malformed"
	}
	head := 1 + n
	if len(data) < head+4 || length > uint64(len(data)-head-4) {
		return 0, "the record ends inside it"
	}
	size = head + 4 + int(length)
	payload := data[head+4 : size : size]
	sum := crc32.Update(crc32.Checksum(data[:head], castagnoli), castagnoli, payload)
	if binary.LittleEndian.Uint32(data[head:]) != sum {
		return 0, "its checksum does not match"
	}
	*e = cx.Entry{Kind: cx.EntryKind(data[0]), Payload: payload}
	return size, ""
}
