package definition

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// yamlWriter writes values as YAML in block style.
type yamlWriter struct {
	text    []byte
	escaped bool // quotes every text and escapes all but letters, digits and spaces
}

// lineWidth is the length from which on a text is folded, in characters.
const lineWidth = 100

func (w *yamlWriter) add(parts ...string) {
	for _, s := range parts {
		w.text = append(w.text, s...)
	}
}

// table writes the fields of v, one a line. The first line starts with first,
// the others with indent. The names of a table with own names are sorted.
func (w *yamlWriter) table(v *value, first, indent string, own bool) {
	members := byName(v.members)
	if !own {
		members = inOrder(v.members)
	}
	for i, m := range members {
		w.add(first)
		if i == 0 {
			first = indent
		}
		w.add(w.name(m.name), ":")
		w.value(m.value, indent, !own && slices.Contains(ownNames, m.name))
	}
}

// list writes the items of v, one a line, after dashes.
func (w *yamlWriter) list(v *value, indent string) {
	for _, item := range v.items {
		if item.kind == table && len(item.members) > 0 {
			w.table(item, indent+"- ", indent+"  ", false)
			continue
		}
		w.add(indent, "-")
		w.value(item, indent, false)
	}
}

// value writes v after the name of its field or a dash, which are on a line with
// indent, and ends the line.
func (w *yamlWriter) value(v *value, indent string, own bool) {
	switch {
	case v.kind == words:
		w.words(v.text, indent+"  ")
	case v.kind == table && len(v.members) > 0:
		w.add("\n")
		w.table(v, indent+"  ", indent+"  ", own)
	case v.kind == list && len(v.items) > 0:
		w.add("\n")
		w.list(v, indent+"  ")
	case v.kind == table:
		w.add(" {}\n")
	case v.kind == list:
		w.add(" []\n")
	case v.kind == null:
		w.add(" null\n")
	default:
		w.add(" ", v.text, "\n")
	}
}

// name writes the name of a field.
func (w *yamlWriter) name(s string) string {
	if !w.escaped && isPlain(s) && !strings.ContainsAny(s, " :") {
		return s
	}
	return w.quoted(s)
}

// words writes a text: as it is, in a block when it is long or has several
// lines, or between quotes. Further lines start with indent.
func (w *yamlWriter) words(s, indent string) {
	body, chomp := strings.TrimSuffix(s, "\n"), ""
	if body == s {
		chomp = "-"
	}
	long := utf8.RuneCountInString(s) > lineWidth
	switch {
	case w.escaped || !isBlock(body):
		w.add(" ", w.quoted(s), "\n")
	case long && !strings.Contains(body, "\n") && isFoldable(body):
		w.add(" >", chomp, "\n")
		w.folded(body, indent)
	case body != s || strings.Contains(body, "\n"):
		w.add(" |", chomp, "\n")
		for line := range strings.SplitSeq(body, "\n") {
			if line != "" {
				w.add(indent, line)
			}
			w.add("\n")
		}
	case isPlain(s):
		w.add(" ", s, "\n")
	default:
		w.add(" ", w.quoted(s), "\n")
	}
}

// folded breaks a text at its spaces.
func (w *yamlWriter) folded(s, indent string) {
	width := 0
	for i, word := range strings.Split(s, " ") {
		n := utf8.RuneCountInString(word)
		switch {
		case i == 0:
			w.add(indent)
		case width+1+n > lineWidth:
			w.add("\n", indent)
			width = 0
		default:
			w.add(" ")
			width++
		}
		w.add(word)
		width += n
	}
	w.add("\n")
}

// isBlock reports whether s may stand in a block, where nothing is escaped.
func isBlock(s string) bool {
	for line := range strings.SplitSeq(s, "\n") {
		if line != strings.TrimSpace(line) || strings.ContainsFunc(line, unprintable) {
			return false
		}
	}
	return s != "" && s == strings.TrimSpace(s)
}

// isFoldable reports whether the spaces of s may become ends of lines.
func isFoldable(s string) bool { return strings.Contains(s, " ") && !strings.Contains(s, "  ") }

// unprintable finds what is to be escaped: controls, and spaces that look like
// others. The wide space of Japanese is not one of them.
func unprintable(r rune) bool { return !unicode.IsPrint(r) && r != '\u3000' || r == utf8.RuneError }

// isPlain reports whether s can be written without quotes and is read back as
// the same text.
func isPlain(s string) bool {
	first, _ := utf8.DecodeRuneInString(s)
	if !unicode.IsLetter(first) && !unicode.IsDigit(first) && !strings.ContainsRune("/_(", first) {
		return false
	}
	if strings.ContainsFunc(s, unprintable) || strings.Contains(s, ": ") || strings.Contains(s, " #") || strings.HasSuffix(s, ":") || s != strings.TrimSpace(s) {
		return false
	}
	tree, err := parser.ParseBytes([]byte("k: "+s+"\n"), 0)
	if err != nil || len(tree.Docs) != 1 {
		return false
	}
	m, ok := tree.Docs[0].Body.(*ast.MappingNode)
	if !ok || len(m.Values) != 1 {
		return false
	}
	text, ok := m.Values[0].Value.(*ast.StringNode)
	return ok && text.Value == s
}

// quoted writes s between quotes: single ones where that saves escapes.
func (w *yamlWriter) quoted(s string) string {
	if !w.escaped && strings.ContainsAny(s, `"\`) && !strings.ContainsRune(s, '\'') && !strings.ContainsFunc(s, unprintable) {
		return "'" + s + "'"
	}
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range s {
		b.WriteString(w.escape(r))
	}
	b.WriteByte('"')
	return b.String()
}

// escape writes one character between double quotes.
func (w *yamlWriter) escape(r rune) string {
	letter := r == ' ' || unicode.IsLetter(r) || unicode.IsDigit(r)
	switch {
	case r == '\n':
		return `\n`
	case (r == '"' || r == '\\') && !w.escaped:
		return `\` + string(r)
	case letter || !w.escaped && !unprintable(r):
		return string(r)
	case r < 0x100:
		return fmt.Sprintf(`\x%02X`, r)
	case r < 0x10000:
		return fmt.Sprintf(`\u%04X`, r)
	}
	return fmt.Sprintf(`\U%08X`, r)
}
