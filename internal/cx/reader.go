package cx

import (
	"encoding/binary"
	"unsafe"
)

// Reader takes an encoding apart. After the first fault OK stays false and
// everything read is zero.
type Reader struct {
	rest []byte
	bad  bool
}

// NewReader returns a Reader of b, which must not change while what is read by
// Bytes or Alias is in use.
func NewReader(b []byte) Reader { return Reader{rest: b} }

// OK reports whether everything asked for so far was there.
func (r *Reader) OK() bool { return !r.bad }

// Fail is for a caller who finds that what was read cannot be.
func (r *Reader) Fail() { r.bad, r.rest = true, nil }

// Rest returns what has not been read.
func (r *Reader) Rest() []byte { return r.rest }

// End returns ErrCodec unless everything was read and nothing is left.
func (r *Reader) End() error {
	if r.bad || len(r.rest) > 0 {
		return ErrCodec
	}
	return nil
}

// Take reads n bytes, without copying them.
func (r *Reader) Take(n int) []byte {
	if n < 0 || n > len(r.rest) {
		r.Fail()
		return nil
	}
	out := r.rest[:n:n]
	r.rest = r.rest[n:]
	return out
}

// Byte reads one byte.
func (r *Reader) Byte() byte {
	if b := r.Take(1); b != nil {
		return b[0]
	}
	return 0
}

// Uint16 reads a number in two bytes, little-endian.
func (r *Reader) Uint16() uint16 {
	if b := r.Take(2); b != nil {
		return binary.LittleEndian.Uint16(b)
	}
	return 0
}

// Uint32 reads a number in four bytes, little-endian.
func (r *Reader) Uint32() uint32 {
	if b := r.Take(4); b != nil {
		return binary.LittleEndian.Uint32(b)
	}
	return 0
}

// Uint64 reads a number in eight bytes, little-endian.
func (r *Reader) Uint64() uint64 {
	if b := r.Take(8); b != nil {
		return binary.LittleEndian.Uint64(b)
	}
	return 0
}

// Uvarint reads what binary.AppendUvarint wrote.
func (r *Reader) Uvarint() uint64 {
	v, n := binary.Uvarint(r.rest)
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Varint reads what binary.AppendVarint wrote.
func (r *Reader) Varint() int64 {
	v, n := binary.Varint(r.rest)
	if n <= 0 {
		r.Fail()
		return 0
	}
	r.rest = r.rest[n:]
	return v
}

// Bytes reads a length and that many bytes, without copying them; none gives nil.
func (r *Reader) Bytes() []byte {
	n := r.Uvarint()
	if n > uint64(len(r.rest)) {
		r.Fail()
		return nil
	}
	if n == 0 {
		return nil
	}
	return r.Take(int(n))
}

// Text reads a length and that many bytes, as a string of its own.
func (r *Reader) Text() string { return string(r.Bytes()) }

// Alias is Text without copying.
func (r *Reader) Alias() string {
	b := r.Bytes()
	return unsafe.String(unsafe.SliceData(b), len(b))
}

// AppendBytes writes b as Bytes and Text read it.
func AppendBytes[T ~string | ~[]byte](dst []byte, b T) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(b))), b...)
}
