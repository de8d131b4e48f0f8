package cx

import (
	"bytes"
	"math"
	"slices"
	"strconv"
	"time"
	"unsafe"
)

// ValueKind says what a Value holds.
type ValueKind uint8

// The kinds of Value. Missing is the zero kind: nothing is known.
const (
	Missing ValueKind = iota
	Null
	Bool
	Number
	Text
	Time    // an Instant
	List    // raw JSON array
	Map     // raw JSON object
	Unknown // not knowable yet: its statistic is still being back-filled
)

// Value is one looked-up fact, without allocation: a field of an event, a
// trait, a statistic. The zero Value is Missing.
type Value struct {
	Kind ValueKind
	num  float64 // Number; 0 or 1 for Bool; bits of the Instant for Time
	str  string  // Text; raw JSON for List and Map
}

// NumberValue wraps f.
func NumberValue(f float64) Value { return Value{Kind: Number, num: f} }

// TextValue wraps s.
func TextValue(s string) Value { return Value{Kind: Text, str: s} }

// TimeValue wraps t; the zero Instant gives Missing.
func TimeValue(t Instant) Value {
	if t == 0 {
		return Value{}
	}
	return Value{Kind: Time, num: math.Float64frombits(uint64(t))}
}

// BoolValue wraps b.
func BoolValue(b bool) Value {
	if b {
		return Value{Kind: Bool, num: 1}
	}
	return Value{Kind: Bool}
}

// RawList wraps a valid JSON array, RawMap a valid JSON object.
func RawList(json string) Value { return Value{Kind: List, str: json} }

// RawMap wraps a valid JSON object.
func RawMap(json string) Value { return Value{Kind: Map, str: json} }

// UnknownValue is a value that cannot be known yet.
func UnknownValue() Value { return Value{Kind: Unknown} }

// Float returns the number, or 0 when v is not one.
func (v Value) Float() float64 {
	if v.Kind != Number {
		return 0
	}
	return v.num
}

// IsTrue reports whether v is the Bool true.
func (v Value) IsTrue() bool { return v.Kind == Bool && v.num == 1 }

// Str returns the text of a Text, or the raw JSON of a List or Map.
func (v Value) Str() string { return v.str }

// Instant returns the instant of a Time, or 0.
func (v Value) Instant() Instant {
	if v.Kind != Time {
		return 0
	}
	return Instant(math.Float64bits(v.num))
}

// Equal reports whether both hold the same kind and value. A Number NaN equals
// nothing.
func (v Value) Equal(o Value) bool {
	if v.Kind != o.Kind {
		return false
	}
	if v.Kind == Time {
		return v.Instant() == o.Instant()
	}
	return v.num == o.num && v.str == o.str
}

// String shows v to a person: 4000, "shirt", true, 2026-11-22T…, missing.
func (v Value) String() string {
	switch v.Kind {
	case Null:
		return "null"
	case Bool:
		return strconv.FormatBool(v.num == 1)
	case Number:
		return strconv.FormatFloat(v.num, 'f', -1, 64)
	case Text:
		return strconv.Quote(v.str)
	case Time:
		return v.Instant().Time().Format(time.RFC3339)
	case List, Map:
		return v.str
	case Unknown:
		return "unknown"
	default:
		return "missing"
	}
}

// Field is one member of a JSON object: its name, unescaped, and its raw value.
type Field struct {
	Name string
	Raw  []byte
}

// Fields is a JSON object opened one level deep. Names and values alias the
// text they were read from.
type Fields []Field

// ParseFields opens the JSON object raw, appending to dst. raw must be valid
// JSON; anything but an object gives no fields. Duplicate names are kept: Get
// returns the last.
func ParseFields(dst Fields, raw []byte) Fields {
	i := skipSpace(raw, 0)
	if i >= len(raw) || raw[i] != '{' {
		return dst
	}
	i = skipSpace(raw, i+1)
	for i < len(raw) && raw[i] == '"' {
		end := skipString(raw, i)
		name := unquote(raw[i:end])
		i = skipSpace(raw, end)
		if i >= len(raw) || raw[i] != ':' {
			return dst
		}
		start := skipSpace(raw, i+1)
		i = SkipValue(raw, start)
		dst = append(dst, Field{Name: name, Raw: raw[start:i]})
		i = skipSpace(raw, i)
		if i >= len(raw) || raw[i] != ',' {
			return dst
		}
		i = skipSpace(raw, i+1)
	}
	return dst
}

// Raw returns the raw JSON of the member called name, nil when there is none.
func (f Fields) Raw(name string) []byte {
	for _, v := range slices.Backward(f) {
		if v.Name == name {
			return v.Raw
		}
	}
	return nil
}

// Get returns the member called name, or Missing.
func (f Fields) Get(name string) Value { return ParseValue(f.Raw(name)) }

// At follows path, one name a level, and returns what is there, or Missing.
func (f Fields) At(path ...string) Value {
	if len(path) == 0 {
		return Value{}
	}
	raw := f.Raw(path[0])
	for _, name := range path[1:] {
		raw = Member(raw, name)
	}
	return ParseValue(raw)
}

// Member returns the raw value of one member of a raw JSON object, nil when
// raw is not an object or has no such member. raw must be valid JSON.
func Member(raw []byte, name string) []byte {
	var buf [24]Field
	return ParseFields(buf[:0], raw).Raw(name)
}

// ParseValue reads one raw JSON value. Strings without escapes alias raw.
// Empty input gives Missing.
func ParseValue(raw []byte) Value {
	if len(raw) == 0 {
		return Value{}
	}
	switch raw[0] {
	case '"':
		return TextValue(unquote(raw))
	case '{':
		return RawMap(alias(raw))
	case '[':
		return RawList(alias(raw))
	case 't':
		return BoolValue(true)
	case 'f':
		return BoolValue(false)
	case 'n':
		return Value{Kind: Null}
	}
	if f, ok := smallNumber(raw); ok {
		return NumberValue(f)
	}
	f, err := strconv.ParseFloat(alias(raw), 64)
	if err != nil && math.IsInf(f, 0) {
		return Value{}
	}
	return NumberValue(f)
}

// smallNumber reads integers of up to 15 digits, which a float64 holds exactly.
func smallNumber(raw []byte) (float64, bool) {
	i, neg := 0, false
	if raw[0] == '-' {
		i, neg = 1, true
	}
	if n := len(raw) - i; n == 0 || n > 15 {
		return 0, false
	}
	var n int64
	for ; i < len(raw); i++ {
		if raw[i] < '0' || raw[i] > '9' {
			return 0, false
		}
		n = n*10 + int64(raw[i]-'0')
	}
	if neg {
		if n == 0 {
			return math.Copysign(0, -1), true
		}
		n = -n
	}
	return float64(n), true
}

// SkipValue returns the offset just past the JSON value that starts at i.
func SkipValue(b []byte, i int) int {
	if i >= len(b) {
		return i
	}
	switch b[i] {
	case '"':
		return skipString(b, i)
	case '{', '[':
		depth := 0
		for i < len(b) {
			switch b[i] {
			case '"':
				i = skipString(b, i)
				continue
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1
				}
			}
			i++
		}
		return i
	}
	for i < len(b) {
		switch b[i] {
		case ',', '}', ']', ' ', '\n', '\r', '\t':
			return i
		}
		i++
	}
	return i
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// skipString returns the offset just past the string that starts at i. A quote
// ends it unless an odd number of backslashes stands before.
func skipString(b []byte, i int) int {
	for start := i + 1; start <= len(b); {
		n := bytes.IndexByte(b[start:], '"')
		if n < 0 {
			break
		}
		end := start + n
		k := end
		for k > i+1 && b[k-1] == '\\' {
			k--
		}
		if (end-k)&1 == 0 {
			return end + 1
		}
		start = end + 1
	}
	return len(b)
}

func unquote(raw []byte) string {
	if len(raw) < 2 {
		return ""
	}
	inner := raw[1 : len(raw)-1]
	if bytes.IndexByte(inner, '\\') >= 0 {
		return unescape(inner)
	}
	return alias(inner)
}

func unescape(b []byte) string {
	out := make([]byte, 0, len(b))
	for i := 0; i < len(b); i++ {
		if b[i] != '\\' || i+1 >= len(b) {
			out = append(out, b[i])
			continue
		}
		i++
		switch b[i] {
		case 'n':
			out = append(out, '\n')
		case 't':
			out = append(out, '\t')
		case 'r':
			out = append(out, '\r')
		case 'b':
			out = append(out, '\b')
		case 'f':
			out = append(out, '\f')
		case 'u':
			r, n := hexRune(b[i+1:])
			i += n
			if 0xD800 <= r && r < 0xDC00 && i+2 < len(b) && b[i+1] == '\\' && b[i+2] == 'u' {
				if lo, m := hexRune(b[i+3:]); 0xDC00 <= lo && lo < 0xE000 {
					r = (r-0xD800)<<10 | (lo - 0xDC00) + 0x10000
					i += 2 + m
				}
			}
			out = append(out, string(r)...)
		default:
			out = append(out, b[i])
		}
	}
	return string(out)
}

func hexRune(b []byte) (r rune, n int) {
	for n < 4 && n < len(b) {
		d, err := strconv.ParseUint(string(b[n:n+1]), 16, 8)
		if err != nil {
			return 0xFFFD, n
		}
		r = r<<4 | rune(d)
		n++
	}
	return r, n
}

// alias views b as a string without copying: b must not change while the
// string is in use.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
