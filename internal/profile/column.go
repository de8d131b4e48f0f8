package profile

import "github.com/kikubari/kikubari/internal/cx"

// sample is one value that an event has in a column.
type sample struct {
	raw    []byte    // raw JSON scalar; nil for a product
	amount cx.Micros // the number, exact
	number bool      // amount is set
}

// readColumn appends the values that the event has in the column: none, one,
// or one for each element when a path crosses an array. Of a product, both
// paths must cross the same array, or only one of them any; an element that
// lacks a factor has no value.
func (f *Folder) readColumn(dst []sample, c *column) []sample {
	field, depth := gather(f.left[:0], f.fields.Raw(c.field[0]), c.field, 1)
	f.left = field
	if len(c.times) == 0 {
		for _, raw := range field {
			if s, ok := sampleOf(raw); ok {
				dst = append(dst, s)
			}
		}
		return dst
	}
	times, tdepth := gather(f.right[:0], f.fields.Raw(c.times[0]), c.times, 1)
	f.right = times
	if depth > 0 && tdepth > 0 && !sameArray(c, depth, tdepth) {
		return dst
	}
	for i := range max(len(field), len(times)) {
		a, aok := factor(field, i, depth)
		b, bok := factor(times, i, tdepth)
		if !aok || !bok {
			continue
		}
		if m, ok := cx.MulMicros(a, b); ok {
			dst = append(dst, sample{amount: m, number: true})
		}
	}
	return dst
}

func sameArray(c *column, depth, tdepth int) bool {
	if depth != tdepth || len(c.field) < depth || len(c.times) < depth {
		return false
	}
	for i := range depth {
		if c.field[i] != c.times[i] {
			return false
		}
	}
	return true
}

// factor returns the i-th number of values; a value outside any array stands
// for every i.
func factor(values [][]byte, i, depth int) (cx.Micros, bool) {
	if depth == 0 {
		i = 0
	}
	if i >= len(values) || len(values[i]) == 0 || !startsNumber(values[i][0]) {
		return 0, false
	}
	return cx.ParseMicros(values[i])
}

// gather follows path[at:] from raw, the value of path[:at], and appends what
// is there; nil stands for an element that lacks it. crossed is how many names
// led to the first array, 0 when there was none. Arrays inside arrays count as
// missing.
func gather(dst [][]byte, raw []byte, path []string, at int) (out [][]byte, crossed int) {
	for i := at; i < len(path); i++ {
		if len(raw) > 0 && raw[0] == '[' {
			return eachElement(dst, raw, path, i), i
		}
		raw = cx.Member(raw, path[i])
	}
	if len(raw) > 0 && raw[0] == '[' {
		return eachElement(dst, raw, path, len(path)), len(path)
	}
	return append(dst, raw), 0
}

func eachElement(dst [][]byte, list []byte, path []string, at int) [][]byte {
	for i := skipSpace(list, 1); i < len(list) && list[i] != ']'; {
		end := cx.SkipValue(list, i)
		if list[i] == '[' {
			dst = append(dst, nil)
		} else {
			dst, _ = gather(dst, list[i:end:end], path, at)
		}
		if i = skipSpace(list, end); i >= len(list) || list[i] != ',' {
			break
		}
		i = skipSpace(list, i+1)
	}
	return dst
}

func skipSpace(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// sampleOf takes a number, a text or a truth; null and objects are no values.
// Numbers of more than 9 billion units are values but have no amount.
func sampleOf(raw []byte) (sample, bool) {
	if len(raw) == 0 {
		return sample{}, false
	}
	switch c := raw[0]; {
	case startsNumber(c):
		if m, ok := cx.ParseMicros(raw); ok {
			return sample{raw: raw, amount: m, number: true}, true
		}
		return sample{raw: raw}, cx.ParseValue(raw).Kind == cx.Number
	case c == '"' || c == 't' || c == 'f':
		return sample{raw: raw}, true
	}
	return sample{}, false
}

func startsNumber(c byte) bool { return c == '-' || c >= '0' && c <= '9' }

// appendScalar packs the sample.
func (s *sample) appendScalar(dst []byte) []byte {
	if s.raw == nil {
		return appendNumber(dst, s.amount.Float())
	}
	switch v := cx.ParseValue(s.raw); v.Kind {
	case cx.Text:
		return appendText(dst, v.Str())
	case cx.Bool:
		return appendBool(dst, v.IsTrue())
	case cx.Number:
		return appendNumber(dst, v.Float())
	default:
		return dst
	}
}
