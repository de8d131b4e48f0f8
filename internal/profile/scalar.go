package profile

import (
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"
	"unsafe"

	"github.com/kikubari/kikubari/internal/cx"
)

// A scalar is one packed value of a field: a varint whose low two bits say what
// it is. Text: its length above them, then the bytes. Whole number: a signed
// varint follows. Other number: eight bytes of float64 follow. Truth: the value
// is above the bits. Equal values have equal bytes, so scalars are compared as
// bytes.
const (
	scalarText  = 0
	scalarWhole = 1
	scalarFloat = 2
	scalarBool  = 3
)

// maxText is how many bytes of a text a statistic keeps; the rest is cut off at
// a character.
const maxText = 256

const maxWhole = 1 << 53

func appendText(dst []byte, s string) []byte {
	if len(s) > maxText {
		n := maxText
		for n > maxText-utf8.UTFMax && !utf8.RuneStart(s[n]) {
			n--
		}
		s = s[:n]
	}
	return append(appendUvarint(dst, uint64(len(s))<<2|scalarText), s...)
}

func appendNumber(dst []byte, f float64) []byte {
	if f > -maxWhole && f < maxWhole && f == math.Trunc(f) {
		return appendVarint(append(dst, scalarWhole), int64(f))
	}
	return binary.BigEndian.AppendUint64(append(dst, scalarFloat), math.Float64bits(f))
}

func appendBool(dst []byte, b bool) []byte {
	if b {
		return append(dst, 1<<2|scalarBool)
	}
	return append(dst, scalarBool)
}

// skipScalar returns the offset behind the scalar at b[i:].
func skipScalar(b []byte, i int) int {
	h, i := uvarint(b, i)
	switch h & 3 {
	case scalarText:
		return i + int(h>>2)
	case scalarWhole:
		_, i = uvarint(b, i)
		return i
	case scalarFloat:
		return i + 8
	}
	return i
}

// scalarValue reads the scalar at the start of b. A text aliases b.
func scalarValue(b []byte) cx.Value {
	h, i := uvarint(b, 0)
	switch h & 3 {
	case scalarText:
		return cx.TextValue(alias(b[i : i+int(h>>2)]))
	case scalarWhole:
		v, _ := varint(b, i)
		return cx.NumberValue(float64(v))
	case scalarFloat:
		return cx.NumberValue(math.Float64frombits(binary.BigEndian.Uint64(b[i:])))
	}
	return cx.BoolValue(h>>2 == 1)
}

// appendScalarJSON appends the scalar at the start of b as JSON.
func appendScalarJSON(dst, b []byte) []byte {
	v := scalarValue(b)
	switch v.Kind {
	case cx.Text:
		return appendQuoted(dst, v.Str())
	case cx.Number:
		return strconv.AppendFloat(dst, v.Float(), 'f', -1, 64)
	default:
		return strconv.AppendBool(dst, v.IsTrue())
	}
}

// appendQuoted appends s as a JSON string; bytes that are not UTF-8 become
// U+FFFD.
func appendQuoted(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for _, r := range s {
		switch {
		case r == '"' || r == '\\':
			dst = append(dst, '\\', byte(r))
		case r < 0x20:
			dst = append(dst, '\\', 'u', '0', '0', hex[r>>4], hex[r&15])
		default:
			dst = utf8.AppendRune(dst, r)
		}
	}
	return append(dst, '"')
}

// alias views b as a string without copying: b must not change while the
// string is in use.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
