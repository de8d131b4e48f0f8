package profile

import (
	"encoding/binary"
	"math"

	"github.com/kikubari/kikubari/internal/cx"
)

// uvarint reads the unsigned varint at b[i:] and returns the offset behind it.
// b must hold a whole one: packed statistics are only ever written here.
func uvarint(b []byte, i int) (uint64, int) {
	c := b[i]
	if c < 0x80 {
		return uint64(c), i + 1
	}
	return longUvarint(b, i+1, uint64(c&0x7f))
}

// longUvarint goes on behind a first byte whose seven bits are v.
func longUvarint(b []byte, i int, v uint64) (uint64, int) {
	for shift := 7; ; shift += 7 {
		c := b[i]
		i++
		v |= uint64(c&0x7f) << shift
		if c < 0x80 {
			return v, i
		}
	}
}

func appendUvarint(dst []byte, v uint64) []byte {
	for v >= 0x80 {
		dst = append(dst, byte(v)|0x80)
		v >>= 7
	}
	return append(dst, byte(v))
}

func zigzag(v int64) uint64   { return uint64(v)<<1 ^ uint64(v>>63) }
func unzigzag(v uint64) int64 { return int64(v>>1) ^ -int64(v&1) }

// varint and appendVarint are uvarint for signed numbers.
func varint(b []byte, i int) (int64, int) {
	v, i := uvarint(b, i)
	return unzigzag(v), i
}

func appendVarint(dst []byte, v int64) []byte { return appendUvarint(dst, zigzag(v)) }

// An amount is packed as one varint: the sign-folded number in the coarsest of
// three units that holds it exactly, and the unit in the low two bits. Totals
// beyond that follow a byte 3 as 16 bytes, high end first. Every total has one
// encoding.
const (
	inMicros  = 0
	inCents   = 1 // hundredths of a unit
	inUnits   = 2
	inFull    = 3
	perCent   = cx.MicrosPerUnit / 100
	microsMax = 1 << 60
)

func appendAmount(dst []byte, s cx.Sum) []byte {
	v := int64(s.Lo)
	if s.Hi != v>>63 {
		return appendFull(dst, s)
	}
	switch {
	case v%cx.MicrosPerUnit == 0:
		return appendUvarint(dst, zigzag(v/cx.MicrosPerUnit)<<2|inUnits)
	case v%perCent == 0:
		return appendUvarint(dst, zigzag(v/perCent)<<2|inCents)
	case v < microsMax && v > -microsMax:
		return appendUvarint(dst, zigzag(v)<<2|inMicros)
	}
	return appendFull(dst, s)
}

func appendFull(dst []byte, s cx.Sum) []byte {
	dst = append(dst, inFull)
	dst = binary.BigEndian.AppendUint64(dst, uint64(s.Hi))
	return binary.BigEndian.AppendUint64(dst, s.Lo)
}

func amount(b []byte, i int) (cx.Sum, int) {
	u, i := uvarint(b, i)
	v := unzigzag(u >> 2)
	switch u & 3 {
	case inMicros:
	case inCents:
		v *= perCent
	case inUnits:
		v *= cx.MicrosPerUnit
	default:
		return cx.Sum{Hi: int64(binary.BigEndian.Uint64(b[i:])), Lo: binary.BigEndian.Uint64(b[i+8:])}, i + 16
	}
	return cx.Sum{Hi: v >> 63, Lo: uint64(v)}, i
}

// micros reads the amount at the start of b, which is known to fit.
func micros(b []byte) cx.Micros {
	s, _ := amount(b, 0)
	return cx.Micros(s.Lo)
}

func appendMicros(dst []byte, m cx.Micros) []byte {
	return appendAmount(dst, cx.Sum{Hi: int64(m) >> 63, Lo: uint64(m)})
}

// stamp orders events: by their time, then by their place in the log.
type stamp struct {
	at cx.Instant
	by cx.Position
}

func (s stamp) after(o stamp) bool { return s.at > o.at || s.at == o.at && s.by > o.by }

func readStamp(b []byte, i int) (s stamp, next int) {
	at, i := varint(b, i)
	by, i := uvarint(b, i)
	return stamp{cx.Instant(at), cx.Position(by)}, i
}

func appendStamp(dst []byte, s stamp) []byte {
	return appendUvarint(appendVarint(dst, int64(s.at)), uint64(s.by))
}

// floorDiv is a/b rounded down, for b > 0.
func floorDiv(a, b cx.Instant) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return int64(q)
}

// seconds is whole seconds since 1970, within what fits.
func seconds(t cx.Instant) uint32 {
	return uint32(min(max(floorDiv(t, cx.Second), 0), math.MaxUint32))
}
