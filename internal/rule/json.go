package rule

import (
	"bytes"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unsafe"

	"github.com/kikubari/kikubari/internal/cx"
)

// bytesOf views the raw JSON of a List or Map without copying; it must not be
// written to.
func bytesOf(v cx.Value) []byte {
	s := v.Str()
	return unsafe.Slice(unsafe.StringData(s), len(s))
}

// member returns the value of one member of a Map, Missing when there is none.
func member(v cx.Value, name string) cx.Value {
	if v.Kind != cx.Map {
		return cx.Value{}
	}
	return cx.ParseValue(find(bytesOf(v), name))
}

// find returns the raw value of one member of a raw JSON object, the last one of
// that name, without opening the object; nil when there is none. raw must be
// valid JSON.
func find(raw []byte, name string) []byte {
	i := space(raw, 0)
	if i >= len(raw) || raw[i] != '{' {
		return nil
	}
	var found []byte
	for i = space(raw, i+1); i < len(raw) && raw[i] == '"'; {
		end := cx.SkipValue(raw, i)
		key := raw[i+1 : max(end-1, i+1)]
		if bytes.IndexByte(key, '\\') >= 0 {
			return cx.Member(raw, name)
		}
		start := space(raw, space(raw, end)+1)
		i = cx.SkipValue(raw, start)
		if string(key) == name {
			found = raw[start:i]
		}
		if i = space(raw, i); i < len(raw) && raw[i] == ',' {
			i = space(raw, i+1)
		}
	}
	return found
}

// elements calls visit for each element of a List in order, for as long as it
// returns true. A number too large for a double is null.
func elements(v cx.Value, visit func(cx.Value) bool) {
	raw := bytesOf(v)
	i := space(raw, 1)
	for i < len(raw) && raw[i] != ']' {
		end := cx.SkipValue(raw, i)
		if end == i {
			return
		}
		element := cx.ParseValue(raw[i:end])
		if element.Kind == cx.Missing {
			element = cx.Value{Kind: cx.Null}
		}
		if !visit(element) {
			return
		}
		if i = space(raw, end); i < len(raw) && raw[i] == ',' {
			i = space(raw, i+1)
		}
	}
}

func space(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// into takes one step into a value, Missing when there is nothing there.
func (p step) into(v cx.Value) cx.Value {
	switch {
	case v.Kind == cx.Unknown:
		return v
	case !p.array:
		return member(v, p.name)
	case v.Kind != cx.List || p.index < 0:
		return cx.Value{}
	}
	found, left := cx.Value{}, p.index
	elements(v, func(e cx.Value) bool {
		if left == 0 {
			found = e
		}
		left--
		return left >= 0
	})
	return found
}

// entry is one member of a JSON object.
type entry struct {
	name string
	lazy
}

// members returns the members of a Map sorted by name; of two with one name the
// last counts.
func members(v cx.Value) []entry {
	return entriesOf(cx.ParseFields(nil, bytesOf(v)))
}

func entriesOf(fields cx.Fields) []entry {
	out := make([]entry, 0, len(fields))
	for _, f := range slices.Backward(fields) {
		out = append(out, entry{f.Name, lazy{value: cx.ParseValue(f.Raw)}})
	}
	slices.SortStableFunc(out, func(a, b entry) int { return strings.Compare(a.name, b.name) })
	out = slices.CompactFunc(out, func(a, b entry) bool { return a.name == b.name })
	return slices.DeleteFunc(out, func(e entry) bool { return e.value.Kind == cx.Missing })
}

// pathText writes steps as a rule does.
func pathText(path []step) string {
	var b strings.Builder
	for _, p := range path {
		switch {
		case p.array:
			b.WriteString("[" + strconv.Itoa(p.index) + "]")
		case plainName.MatchString(p.name):
			b.WriteString("." + p.name)
		default:
			b.WriteString("[" + strconv.Quote(p.name) + "]")
		}
	}
	return b.String()
}

var plainName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
