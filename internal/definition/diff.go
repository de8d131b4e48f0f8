package definition

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Fate is what became of a document from one set to another.
type Fate string

// The fates of a document.
const (
	Added   Fate = "added"
	Removed Fate = "removed"
	Changed Fate = "changed"
)

// Difference is one document that two sets do not have in common.
type Difference struct {
	Kind   Kind
	Name   string
	Fate   Fate
	Fields []FieldChange // of a changed document, by the order of the manual
}

// FieldChange is one field that differs.
type FieldChange struct {
	Path     string // copy.en.text, trigger[2].when; items are counted from 1
	Old, New []byte // JSON; nil when it is not set
}

// Diff compares two sets of documents, each without repetitions. It returns
// nothing exactly when their Canonical forms are the same.
func Diff(before, after []Document) []Difference {
	before, after = ordered(slices.Clone(before)), ordered(slices.Clone(after))
	var out []Difference
	for len(before) > 0 || len(after) > 0 {
		switch c := compareHeads(before, after); {
		case c < 0:
			out = append(out, Difference{Kind: before[0].Kind, Name: before[0].Name, Fate: Removed})
			before = before[1:]
		case c > 0:
			out = append(out, Difference{Kind: after[0].Kind, Name: after[0].Name, Fate: Added})
			after = after[1:]
		default:
			if fields := diffValue(nil, "", before[0].body, after[0].body); len(fields) > 0 {
				out = append(out, Difference{Kind: after[0].Kind, Name: after[0].Name, Fate: Changed, Fields: fields})
			}
			before, after = before[1:], after[1:]
		}
	}
	return out
}

// compareHeads says which of two ordered lists has the next document: below 0
// the first, above 0 the second, 0 both.
func compareHeads(a, b []Document) int {
	switch {
	case len(b) == 0:
		return -1
	case len(a) == 0:
		return 1
	case a[0].Kind != b[0].Kind:
		return slices.Index(kinds, string(a[0].Kind)) - slices.Index(kinds, string(b[0].Kind))
	}
	return strings.Compare(a[0].Name, b[0].Name)
}

// diffValue appends what differs between two values at path; either may be nil.
func diffValue(out []FieldChange, path string, a, b *value) []FieldChange {
	switch {
	case isTable(a) && isTable(b) || a == nil && isTable(b) || b == nil && isTable(a):
		return diffTables(out, path, a, b)
	case isList(a) && isList(b) || a == nil && isList(b) || b == nil && isList(a):
		return diffLists(out, path, a, b)
	case a != nil && b != nil && bytes.Equal(a.appendJSON(nil), b.appendJSON(nil)):
		return out
	}
	return append(out, FieldChange{Path: path, Old: a.shownJSON(), New: b.shownJSON()})
}

// isTable reports whether v has fields, which are then compared one by one. An
// empty table is a value as any other.
func isTable(v *value) bool { return v != nil && v.kind == table && len(v.members) > 0 }

func isList(v *value) bool { return v != nil && v.kind == list && len(v.items) > 0 }

// shownJSON is the JSON of v, nil for none. A number that JSON cannot spell is a
// text in it.
func (v *value) shownJSON() []byte {
	if v == nil {
		return nil
	}
	if v.kind == number && !json.Valid([]byte(v.text)) {
		return appendQuoted(nil, v.text)
	}
	return v.appendJSON(nil)
}

func diffTables(out []FieldChange, path string, a, b *value) []FieldChange {
	var names []member
	for _, v := range [...]*value{a, b} {
		if v != nil {
			names = append(names, v.members...)
		}
	}
	last := ""
	for i, m := range inOrder(names) {
		if i > 0 && m.name == last {
			continue
		}
		last = m.name
		at := m.name
		if path != "" {
			at = path + "." + m.name
		}
		out = diffValue(out, at, memberOf(a, m.name), memberOf(b, m.name))
	}
	return out
}

func memberOf(v *value, name string) *value {
	if v == nil {
		return nil
	}
	return v.member(name)
}

// diffLists compares item by item, around those that are the same in both.
func diffLists(out []FieldChange, path string, a, b *value) []FieldChange {
	var old, now []*value
	if a != nil {
		old = a.items
	}
	if b != nil {
		now = b.items
	}
	at := func(i int) string { return fmt.Sprintf("%s[%d]", path, i+1) }
	i, j := 0, 0
	for _, s := range append(common(old, now), [2]int{len(old), len(now)}) {
		for i < s[0] && j < s[1] {
			out = diffValue(out, at(j), old[i], now[j])
			i, j = i+1, j+1
		}
		for ; i < s[0]; i++ {
			out = diffValue(out, at(i), old[i], nil)
		}
		for ; j < s[1]; j++ {
			out = diffValue(out, at(j), nil, now[j])
		}
		i, j = i+1, j+1
	}
	return out
}

// maxCommon bounds how many pairs of items are looked at; in longer lists, items
// are compared by their place.
const maxCommon = 1 << 20

// common returns the pairs of equal items of a longest common subsequence, in
// order.
func common(a, b []*value) (pairs [][2]int) {
	if len(a)*len(b) > maxCommon {
		return nil
	}
	keys := func(items []*value) []string {
		out := make([]string, len(items))
		for i, v := range items {
			out[i] = string(v.appendJSON(nil))
		}
		return out
	}
	x, y := keys(a), keys(b)
	width := len(y) + 1
	best := make([]int, (len(x)+1)*width) // best[i*width+j]: of x[i:] and y[j:]
	for i, left := range slices.Backward(x) {
		for j, right := range slices.Backward(y) {
			if left == right {
				best[i*width+j] = best[(i+1)*width+j+1] + 1
			} else {
				best[i*width+j] = max(best[(i+1)*width+j], best[i*width+j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(x) && j < len(y); {
		switch {
		case x[i] == y[j]:
			pairs = append(pairs, [2]int{i, j})
			i, j = i+1, j+1
		case best[(i+1)*width+j] >= best[i*width+j+1]:
			i++
		default:
			j++
		}
	}
	return pairs
}

// Summary says in one line how much differs: "+1 action, ~2 segments, -1 policy".
func Summary(differences []Difference) string {
	var parts []string
	for _, k := range kinds {
		for _, f := range [...]struct {
			fate Fate
			sign string
		}{{Added, "+"}, {Changed, "~"}, {Removed, "-"}} {
			n := 0
			for _, d := range differences {
				if d.Kind == Kind(k) && d.Fate == f.fate {
					n++
				}
			}
			switch n {
			case 0:
			case 1:
				parts = append(parts, f.sign+"1 "+k)
			default:
				parts = append(parts, fmt.Sprint(f.sign, n, " ", plural(Kind(k))))
			}
		}
	}
	if len(parts) == 0 {
		return "no change"
	}
	return strings.Join(parts, ", ")
}
