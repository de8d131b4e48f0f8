package collect

import (
	"strings"
	"unicode/utf8"
)

// MaxExcerpt is how many bytes Mask returns at most.
const MaxExcerpt = 512

// Mask returns the shape of input that was refused, valid JSON or not, without
// its values: names of members stay, every text becomes its kind and length,
// every number its number of digits. Nothing in it tells who somebody is.
func Mask(input []byte) string {
	var m masker
	for i := 0; i < len(input) && m.out.Len() < MaxExcerpt; {
		i = m.step(input, i)
	}
	s := m.out.String()
	if len(s) <= MaxExcerpt {
		return s
	}
	s = s[:MaxExcerpt-len("…")]
	for !utf8.ValidString(s) {
		s = s[:len(s)-1]
	}
	return s + "…"
}

type masker struct{ out strings.Builder }

// step masks what begins at i and returns where it ends.
func (m *masker) step(b []byte, i int) int {
	switch c := b[i]; {
	case c == '{' || c == '}' || c == '[' || c == ']' || c == ':' || c == ',':
		m.out.WriteByte(c)
		return i + 1
	case c == ' ' || c == '\n' || c == '\r' || c == '\t':
		return i + 1
	case c == '"':
		return m.text(b, i)
	case c == '-' || '0' <= c && c <= '9':
		return m.run("number", b, i, func(c byte) bool {
			return strings.IndexByte("0123456789+-.eE", c) >= 0
		})
	}
	for _, word := range [...]string{"true", "false", "null"} {
		if strings.HasPrefix(string(b[i:min(len(b), i+5)]), word) {
			m.out.WriteString(word)
			return i + len(word)
		}
	}
	return m.run("bytes", b, i, func(c byte) bool { return strings.IndexByte("{}[]:,\" \n\r\t", c) < 0 })
}

func (m *masker) text(b []byte, start int) int {
	end := start + 1
	for end < len(b) && b[end] != '"' {
		if b[end] == '\\' {
			end++
		}
		end++
	}
	if end >= len(b) {
		m.shape("unfinished text", len(b)-start-1)
		return len(b)
	}
	inner := b[start+1 : end]
	next := end + 1
	for next < len(b) && (b[next] == ' ' || b[next] == '\n' || b[next] == '\r' || b[next] == '\t') {
		next++
	}
	switch {
	case next < len(b) && b[next] == ':' && plainName(inner):
		m.out.WriteString(`"` + string(inner) + `"`)
	case strings.IndexByte(string(inner), '@') > 0:
		m.shape("mail", len(inner))
	case looksLikeTime(inner):
		m.shape("time", len(inner))
	default:
		m.shape("text", len(inner))
	}
	return end + 1
}

func (m *masker) run(kind string, b []byte, start int, in func(byte) bool) int {
	end := start + 1
	for end < len(b) && in(b[end]) {
		end++
	}
	m.shape(kind, end-start)
	return end
}

func (m *masker) shape(kind string, n int) { m.out.WriteString("<" + kind + " " + itoa(n) + ">") }

// plainName reports whether a member's name is a name and not a value used as
// one: short, of letters and few digits.
func plainName(b []byte) bool {
	if len(b) == 0 || len(b) > 40 {
		return false
	}
	digits := 0
	for _, c := range b {
		switch {
		case '0' <= c && c <= '9':
			digits++
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', c == '_', c == '-', c == '.', c == '$':
		default:
			return false
		}
	}
	return digits <= 3
}

func looksLikeTime(b []byte) bool {
	t, ok := parseISO(string(b))
	return ok && t != 0
}
