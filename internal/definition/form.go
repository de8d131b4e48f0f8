package definition

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// reporter collects the problems of one document.
type reporter struct {
	problems *[]Problem
	file     string
	document string
}

func (r *reporter) at(line, column int, format string, args ...any) {
	*r.problems = append(*r.problems, Problem{File: r.file, Line: line, Column: column, Document: r.document, Message: fmt.Sprintf(format, args...)})
}

// on reports a problem with v.
func (r *reporter) on(v *value, format string, args ...any) {
	r.at(v.line, v.column, format, args...)
}

// phrase is a text of a document and where it stands.
type phrase struct {
	text string
	at   *value // nil when it is absent
}

func (p phrase) given() bool { return p.at != nil }

// form reads the fields of one table, each once, and then reports those that
// nobody asked for.
type form struct {
	*reporter
	v     *value
	known []string
}

// fill opens v as a table; anything else is reported and read as empty.
func fill(r *reporter, v *value, what string) *form {
	if v.kind != table {
		r.on(v, "%s is %s; write it as fields, one a line, name: value", what, kindNames[v.kind])
		v = &value{kind: table, line: v.line, column: v.column}
	}
	return &form{reporter: r, v: v}
}

// done reports the fields that were not asked for.
func (f *form) done() {
	for _, m := range f.v.members {
		if !slices.Contains(f.known, m.name) {
			f.at(m.line, m.column, "unknown field %q; %s", m.name, suggest(m.name, f.known))
		}
	}
}

// take returns the value of a field, nil when it is absent or empty.
func (f *form) take(name string) *value {
	f.known = append(f.known, name)
	v := f.v.member(name)
	if v == nil || v.kind == null {
		return nil
	}
	return v
}

// need is take for a field that must be there; hint says what to write.
func (f *form) need(name, hint string) *value {
	v := f.take(name)
	if v == nil {
		f.on(f.v, "%s is missing; %s", name, hint)
	}
	return v
}

// phrase reads a field that is text, "" when it is absent.
func (f *form) phrase(name string) phrase { return f.asPhrase(name, f.take(name)) }

// needPhrase is phrase for a field that must be there.
func (f *form) needPhrase(name, hint string) phrase { return f.asPhrase(name, f.need(name, hint)) }

func (f *form) asPhrase(name string, v *value) phrase {
	switch {
	case v == nil:
		return phrase{}
	case v.kind == list || v.kind == table:
		f.on(v, "%s is %s, not text; a text with { or : or # in it goes between quotes", name, kindNames[v.kind])
		return phrase{}
	case strings.TrimSpace(v.text) == "":
		f.on(v, "%s is empty; write it or leave the field out", name)
		return phrase{}
	}
	return phrase{v.text, v}
}

// choice reads a field that is one of a few words; def when it is absent.
func (f *form) choice(name, def string, words ...string) string {
	p := f.phrase(name)
	if !p.given() {
		return def
	}
	if !slices.Contains(words, p.text) {
		f.on(p.at, "%s cannot be %q; %s", name, p.text, suggest(p.text, words))
		return def
	}
	return p.text
}

// number reads a field between low and high; def when it is absent.
func (f *form) number(name string, def, low, high float64) float64 {
	v := f.take(name)
	if v == nil {
		return def
	}
	n, err := strconv.ParseFloat(strings.ReplaceAll(v.text, "_", ""), 64)
	if v.kind != number || err != nil || math.IsNaN(n) || n < low || n > high {
		f.on(v, "%s is %s; write a number from %s to %s", name, v.shown(), decimal(low), decimal(high))
		return def
	}
	return n
}

// count reads a whole number above 0; 0 when it is absent.
func (f *form) count(name string) uint32 {
	v := f.take(name)
	if v == nil {
		return 0
	}
	n, err := strconv.ParseUint(v.text, 10, 32)
	if v.kind != number || err != nil || n == 0 || n > 1_000_000 {
		f.on(v, "%s is %s; write a whole number from 1 to 1000000, or leave it out for no limit", name, v.shown())
		return 0
	}
	return uint32(n)
}

// boolean reads a field that is true or false; def when it is absent.
func (f *form) boolean(name string, def bool) bool {
	v := f.take(name)
	if v == nil {
		return def
	}
	if v.kind != boolean {
		f.on(v, "%s is %s; write true or false", name, v.shown())
		return def
	}
	return v.text == "true"
}

// span reads a length of time such as 30m; def when it is absent. "none" is 0.
func (f *form) span(name string, def cx.Instant) cx.Instant {
	v := f.take(name)
	if v == nil {
		return def
	}
	if v.text == "none" {
		return 0
	}
	d, ok := cx.ParseSpan(v.text)
	if !ok {
		f.on(v, "%s is %s; write a length of time such as 45s, 30m, 36h, 7d or 4w, or none", name, v.shown())
		return def
	}
	return cx.Instant(d.Microseconds())
}

// list reads a field that is a list, empty when it is absent.
func (f *form) list(name string) []*value {
	v := f.take(name)
	if v == nil {
		return nil
	}
	if v.kind != list {
		f.on(v, "%s is %s; write a list, each item on its own line after a dash", name, kindNames[v.kind])
		return nil
	}
	return v.items
}

// phrases reads a list of texts.
func (f *form) phrases(name string) []phrase {
	var out []phrase
	for _, v := range f.list(name) {
		if p := f.asPhrase("an item of "+name, v); p.given() {
			out = append(out, p)
		}
	}
	return out
}

// sub opens a field that is a table; nil when it is absent.
func (f *form) sub(name string) *form {
	v := f.take(name)
	if v == nil {
		return nil
	}
	return fill(f.reporter, v, name)
}

// shown quotes a scalar and names everything else.
func (v *value) shown() string {
	if v.kind == list || v.kind == table || v.kind == null {
		return kindNames[v.kind]
	}
	return strconv.Quote(v.text)
}

var slug = regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)

// maxSlug is how long a name may be, in bytes.
const maxSlug = 60

// isSlug reports whether s is lower-case letters, digits and single dashes.
func isSlug(s string) bool { return len(s) <= maxSlug && slug.MatchString(s) }

const slugHint = "names are lower-case letters, digits and dashes, such as free-shipping-bar"

// suggest says which of words was probably meant, or lists them all.
func suggest(s string, words []string) string {
	best, distance := "", 3
	for _, w := range words {
		if d := edits(strings.ToLower(s), w); d < distance && d < len(w) {
			best, distance = w, d
		}
	}
	if best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	if len(words) == 0 {
		return "there are none to choose from"
	}
	return "use one of: " + strings.Join(slices.Compact(slices.Sorted(slices.Values(words))), ", ")
}

// edits returns the Levenshtein distance of two texts, in bytes.
func edits(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		corner := row[0]
		row[0] = i + 1
		for j := range len(b) {
			cost := corner
			if a[i] != b[j] {
				cost++
			}
			corner = row[j+1]
			row[j+1] = min(cost, row[j]+1, corner+1)
		}
	}
	return row[len(b)]
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }
