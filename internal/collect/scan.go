package collect

import (
	"encoding/binary"
	"math/bits"
	"unicode/utf8"

	"github.com/kikubari/kikubari/internal/cx"
)

// maxNesting is how many levels a body may have to be taken for JSON at all.
const maxNesting = 10_000

// failed is the end of what is not JSON.
const failed = -1

// scanner reads JSON, RFC 8259, strictly and once, from left to right. Each part
// of the grammar is a method that takes where the part begins and returns where
// it ends, or failed. That text is UTF-8 is left to sound.
type scanner struct {
	text    []byte
	depth   int    // objects and lists that are open
	deepest int    // the most of them; whoever wants to know sets it back
	escapes int    // backslashes so far
	high    uint64 // the bytes of all strings, eight at a time, or-ed
	halves  bool   // there was half of a surrogate pair
}

// at returns the byte at i, 0 at the end.
func (s *scanner) at(i int) byte {
	if i >= len(s.text) {
		return 0
	}
	return s.text[i]
}

// space skips what may stand between tokens.
func (s *scanner) space(i int) int {
	for i < len(s.text) && s.text[i] <= ' ' {
		if c := s.text[i]; c != ' ' && c != '\n' && c != '\r' && c != '\t' {
			return i
		}
		i++
	}
	return i
}

// value reads a value of any kind.
func (s *scanner) value(i int) int {
	switch c := s.at(i); c {
	case '"':
		return s.string(i)
	case '{':
		return s.object(i, nil)
	case '[':
		return s.list(i, nil)
	case 't':
		return s.word(i, "true")
	case 'f':
		return s.word(i, "false")
	case 'n':
		return s.word(i, "null")
	}
	return s.number(i)
}

func (s *scanner) word(i int, word string) int {
	if end := i + len(word); end <= len(s.text) && string(s.text[i:end]) == word {
		return end
	}
	return failed
}

// object reads an object. member reads each value, if it is not nil; name
// aliases the text.
func (s *scanner) object(i int, member func(name string, i int) (end int)) int {
	if i = s.enter(i); s.at(i) == '}' {
		return s.leave(i)
	}
	for i != failed && s.at(i) == '"' {
		start, escapes := i, s.escapes
		if i = s.string(i); i == failed {
			break
		}
		end := i
		if i = s.space(i); s.at(i) != ':' {
			break
		}
		i = s.space(i + 1)
		if member == nil {
			i = s.value(i)
		} else {
			i = member(unquote(s.text[start:end], s.escapes > escapes), i)
		}
		if i == failed {
			break
		}
		switch i = s.space(i); s.at(i) {
		case '}':
			return s.leave(i)
		case ',':
			i = s.space(i + 1)
		default:
			return failed
		}
	}
	return failed
}

// list reads a list. element reads each value, if it is not nil.
func (s *scanner) list(i int, element func(i int) (end int)) int {
	if i = s.enter(i); s.at(i) == ']' {
		return s.leave(i)
	}
	for i != failed {
		if element == nil {
			i = s.value(i)
		} else {
			i = element(i)
		}
		if i == failed {
			break
		}
		switch i = s.space(i); s.at(i) {
		case ']':
			return s.leave(i)
		case ',':
			i = s.space(i + 1)
		default:
			return failed
		}
	}
	return failed
}

// enter steps over an opening bracket and what follows it.
func (s *scanner) enter(i int) int {
	if s.depth == maxNesting {
		return len(s.text) // where there is nothing to read
	}
	s.depth++
	s.deepest = max(s.deepest, s.depth)
	return s.space(i + 1)
}

func (s *scanner) leave(i int) int {
	s.depth--
	return i + 1
}

// string reads a string, eight bytes at a time where there are as many.
func (s *scanner) string(i int) int {
	text, high := s.text, uint64(0)
	for i++; i < len(text); {
		if i+8 <= len(text) {
			w := binary.LittleEndian.Uint64(text[i:])
			high |= w
			stop := special(w)
			if stop == 0 {
				i += 8
				continue
			}
			i += bits.TrailingZeros64(stop) >> 3
		}
		switch c := text[i]; {
		case c == '"':
			s.high |= high
			return i + 1
		case c == '\\':
			if i = s.escape(i); i == failed {
				return failed
			}
		case c < ' ':
			return failed
		default:
			high |= uint64(c)
			i++
		}
	}
	return failed
}

const (
	everyByte = 0x0101010101010101
	highBits  = 0x80 * everyByte
)

// special sets the high bit of the first byte of w, the lowest, that is a quote,
// a backslash or a control character. Bits above that one mean nothing.
func special(w uint64) uint64 {
	quote, backslash := w^'"'*everyByte, w^'\\'*everyByte
	return ((quote-everyByte)&^quote | (backslash-everyByte)&^backslash | (w-' '*everyByte)&^w) & highBits
}

// escape reads what a backslash begins.
func (s *scanner) escape(i int) int {
	s.escapes++
	switch s.at(i + 1) {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
	default:
		return failed
	}
	unit, ok := s.unit(i)
	if !ok {
		return failed
	}
	i += 6
	if unit&^0x7ff != 0xd800 { // no half of a pair
		return i
	}
	if low, ok := s.unit(i); ok && unit&^0x3ff == 0xd800 && low&^0x3ff == 0xdc00 {
		return i + 6
	}
	s.halves = true
	return i
}

// unit reads \u and four hexadecimal digits.
func (s *scanner) unit(i int) (u uint32, ok bool) {
	if s.at(i) != '\\' || s.at(i+1) != 'u' {
		return 0, false
	}
	for k := i + 2; k < i+6; k++ {
		c := s.at(k)
		switch {
		case '0' <= c && c <= '9':
			c -= '0'
		case 'a' <= c|0x20 && c|0x20 <= 'f':
			c = c | 0x20 - 'a' + 10
		default:
			return 0, false
		}
		u = u<<4 | uint32(c)
	}
	return u, true
}

// number reads a number.
func (s *scanner) number(i int) int {
	if s.at(i) == '-' {
		i++
	}
	if s.at(i) == '0' {
		i++
	} else if i = s.digits(i); i == failed {
		return failed
	}
	if s.at(i) == '.' {
		if i = s.digits(i + 1); i == failed {
			return failed
		}
	}
	if s.at(i)|0x20 != 'e' {
		return i
	}
	i++
	if c := s.at(i); c == '+' || c == '-' {
		i++
	}
	return s.digits(i)
}

// digits reads one digit at least.
func (s *scanner) digits(i int) int {
	start := i
	for i < len(s.text) && s.text[i]-'0' <= 9 {
		i++
	}
	if i == start {
		return failed
	}
	return i
}

// sound reports whether the strings up to end, which have been read, are UTF-8.
func (s *scanner) sound(end int) bool {
	return !s.halves && (s.high&highBits == 0 || utf8.Valid(s.text[:end]))
}

// unquote returns the text of a string. It aliases raw unless escaped says that
// there may be escapes in it.
func unquote(raw []byte, escaped bool) string {
	if escaped {
		return cx.ParseValue(raw).Str()
	}
	return alias(raw[1 : len(raw)-1])
}
