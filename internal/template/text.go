package template

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// Text is a template of one line of text: literal parts and placeholders,
// `{{ name }}`. The zero Text is empty.
type Text struct {
	parts []part
}

// part is a literal, or a placeholder when variable is not negative.
type part struct {
	literal  string
	variable int
}

// Error is a fault in the source of a template.
type Error struct {
	Offset  int // byte offset into the source
	Message string
	Hint    string // what to do about it
}

// Error gives message and hint.
func (e *Error) Error() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "; " + e.Hint
}

// Parse reads a template in which the named variables may stand. A placeholder
// becomes the index of its variable. Its error is an *Error.
func Parse(source string, variables []string) (*Text, error) {
	t := new(Text)
	for at := 0; at < len(source); {
		open := strings.Index(source[at:], "{{")
		literal := source[at:]
		if open >= 0 {
			literal = source[at : at+open]
		}
		if stray := strings.Index(literal, "}}"); stray >= 0 {
			return nil, &Error{at + stray, `"}}" without "{{" before it`, `write {{ name }}`}
		}
		if literal != "" {
			t.parts = append(t.parts, part{literal, -1})
		}
		if open < 0 {
			break
		}
		variable, end, err := placeholder(source, at+open, variables)
		if err != nil {
			return nil, err
		}
		t.parts = append(t.parts, part{"", variable})
		at = end
	}
	return t, nil
}

// placeholder reads the placeholder that opens at offset open, and returns the
// offset just past it.
func placeholder(source string, open int, variables []string) (variable, end int, err error) {
	body := source[open+2:]
	length := strings.Index(body, "}}")
	if length < 0 || strings.Contains(body[:length], "{{") {
		return 0, 0, &Error{open, `"{{" is never closed`, `write {{ name }}`}
	}
	name := strings.TrimSpace(body[:length])
	offset := open + 2 + strings.Index(body, name)
	if !validName(name) {
		return 0, 0, &Error{open, fmt.Sprintf("%q is not a variable's name", name), "a placeholder holds one name of lower-case letters, digits and _; compute in the variable's value"}
	}
	for i, v := range variables {
		if v == name {
			return i, open + 2 + length + 2, nil
		}
	}
	return 0, 0, &Error{offset, fmt.Sprintf("unknown variable %q", name), known(variables)}
}

func known(variables []string) string {
	if len(variables) == 0 {
		return "declare it under variables"
	}
	return "declare it under variables, or use one of: " + strings.Join(variables, ", ")
}

// validName reports whether s is a lower-case identifier.
func validName(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter, digit := c >= 'a' && c <= 'z' || c == '_', c >= '0' && c <= '9'
		if !letter && (i == 0 || !digit) {
			return false
		}
	}
	return s != ""
}

// Uses reports whether the variable with index i stands in the text.
func (t *Text) Uses(i int) bool {
	for _, p := range t.parts {
		if p.variable == i {
			return true
		}
	}
	return false
}

// Empty reports whether the text has no parts.
func (t *Text) Empty() bool { return t == nil || len(t.parts) == 0 }

// appendTo writes the text with its placeholders filled from values, which are
// formatted already, each passed through escape.
func (t *Text) appendTo(dst []byte, values []string, escape func([]byte, string) []byte) []byte {
	for _, p := range t.parts {
		if p.variable < 0 {
			dst = append(dst, p.literal...)
			continue
		}
		dst = escape(dst, values[p.variable])
	}
	return dst
}

func plain(dst []byte, s string) []byte { return append(dst, s...) }

// appendJSON writes b as a JSON string that is also safe inside an HTML script
// element. Invalid UTF-8 becomes U+FFFD.
func appendJSON(dst, b []byte) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	for i := 0; i < len(b); {
		c := b[i]
		switch {
		case c == '"' || c == '\\':
			dst = append(dst, '\\', c)
		case c < 0x20 || c == 0x7f || c == '<' || c == '>' || c == '&':
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		case c < utf8.RuneSelf:
			dst = append(dst, c)
		default:
			r, n := utf8.DecodeRune(b[i:])
			if r == '\u2028' || r == '\u2029' {
				dst = append(dst, `\u202`...)
				dst = append(dst, hex[r&15])
			} else {
				dst = utf8.AppendRune(dst, r)
			}
			i += n
			continue
		}
		i++
	}
	return append(dst, '"')
}

// AppendString writes s as a JSON string that is also safe inside an HTML
// script element.
func AppendString(dst []byte, s string) []byte { return appendJSON(dst, []byte(s)) }
