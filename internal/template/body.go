package template

import (
	"strconv"

	"github.com/kikubari/kikubari/internal/cx"
)

// Field is one field of a body: what a machine is sent. A field whose text is one
// placeholder and nothing else is the variable's value itself, unless the variable
// has a format: a number stays a number.
type Field struct {
	Name string
	Text *Text
}

// MaxFieldText is how much of a text value goes into a field, in characters.
const MaxFieldText = 2000

// AppendBody writes the body as a JSON object with its fields in order. values
// holds the variables' values and filled what Fill put out for them.
func (m *Message) AppendBody(dst []byte, values []cx.Value, filled []string) []byte {
	var buf [256]byte
	dst = append(dst, '{')
	for i := range m.Body {
		f := &m.Body[i]
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(AppendString(dst, f.Name), ':')
		if v := f.Text.only(); v >= 0 && m.Variables[v].Format == AsText {
			dst = appendValue(dst, m.Variables[v].of(values[v]))
			continue
		}
		dst = appendJSON(dst, f.Text.appendTo(buf[:0], filled, plain))
	}
	return append(dst, '}')
}

// only returns the variable that is all of the text, −1 when there is more to it.
func (t *Text) only() int {
	if len(t.parts) != 1 {
		return -1
	}
	return t.parts[0].variable
}

// of returns the value that is written: the default where there is none to show.
func (v *Variable) of(value cx.Value) cx.Value {
	if showable(value, v.Format) {
		return value
	}
	return v.Default
}

// appendValue writes a number or a text as JSON; anything else is null.
func appendValue(dst []byte, v cx.Value) []byte {
	switch v.Kind {
	case cx.Number:
		return strconv.AppendFloat(dst, v.Float(), 'f', -1, 64)
	case cx.Text:
		return AppendString(dst, cut(v.Str(), MaxFieldText))
	default:
		return append(dst, "null"...)
	}
}

// cut returns at most n characters of s.
func cut(s string, n int) string {
	for i := range s {
		if n--; n < 0 {
			return s[:i]
		}
	}
	return s
}

// bodyUses reports whether the variable with index i stands in the body.
func (m *Message) bodyUses(i int) bool {
	for _, f := range m.Body {
		if f.Text.Uses(i) {
			return true
		}
	}
	return false
}
