package mapping

import (
	"fmt"
	"strings"
)

// text is a text with columns in it: pieces one after the other.
type text []piece

// piece is either literal text or a column.
type piece struct {
	literal string
	column  string
	index   int // of the column in a CSV file, once bound
}

// parseText reads what stands in a mapping: $Name, ${Name with blanks}, $$.
func parseText(what, s string) (text, error) {
	var out text
	literal := func(s string) {
		if n := len(out); n > 0 && out[n-1].column == "" {
			out[n-1].literal += s
		} else if s != "" {
			out = append(out, piece{literal: s})
		}
	}
	for {
		before, after, found := strings.Cut(s, "$")
		literal(before)
		if !found {
			return out, nil
		}
		var name string
		switch {
		case strings.HasPrefix(after, "$"):
			literal("$")
			s = after[1:]
			continue
		case strings.HasPrefix(after, "{"):
			var closed bool
			if name, s, closed = strings.Cut(after[1:], "}"); !closed {
				return nil, fmt.Errorf("%s: ${ has no } in %q", what, after)
			}
		default:
			n := strings.IndexFunc(after, func(r rune) bool { return !isNameRune(r) })
			if n < 0 {
				n = len(after)
			}
			name, s = after[:n], after[n:]
		}
		if name == "" {
			return nil, fmt.Errorf("%s: a $ without a column; write $Name, ${Name with blanks}, or $$ for a dollar sign", what)
		}
		out = append(out, piece{column: name})
	}
}

// isNameRune reports whether r may stand in a column's name without braces.
func isNameRune(r rune) bool {
	return r == '_' || r == '.' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r > 127
}

// columns calls f for every column in t.
func (t text) columns(f func(*piece)) {
	for i := range t {
		if t[i].column != "" {
			f(&t[i])
		}
	}
}

// sole returns the column when t is one column and nothing else.
func (t text) sole() *piece {
	if len(t) == 1 && t[0].column != "" {
		return &t[0]
	}
	return nil
}

// appendTo writes t for a record. It writes nothing when t has columns and all
// of them are empty.
func (t text) appendTo(dst []byte, r *Record) []byte {
	start, filled, columns := len(dst), false, false
	for i := range t {
		p := &t[i]
		if p.column == "" {
			dst = append(dst, p.literal...)
			continue
		}
		columns = true
		cell := strings.TrimSpace(r.cell(p))
		filled = filled || cell != ""
		dst = append(dst, cell...)
	}
	if columns && !filled {
		return dst[:start]
	}
	return dst
}
