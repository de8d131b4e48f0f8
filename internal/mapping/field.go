package mapping

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
)

// field is one property or trait.
type field struct {
	what    string // "properties.total"
	name    []byte // as JSON, with the colon
	as      kind
	value   text
	product []text
	fixed   []byte // JSON, of a value without columns
}

// kind is what a field's value is in the event.
type kind string

const (
	asText    kind = "text"
	asNumber  kind = "number"
	asBoolean kind = "boolean"
	asRaw     kind = "" // text in CSV; in NDJSON whatever it is
)

// parseFields reads a table of fields, in order.
func parseFields(section string, table yaml.MapSlice) ([]field, error) {
	out := make([]field, 0, len(table))
	for _, item := range table {
		name := fmt.Sprint(item.Key)
		f := field{what: section + "." + name, name: append(appendJSON(nil, name), ':')}
		if err := f.parse(item.Value); err != nil {
			return nil, err
		}
		out = append(out, f)
	}
	return out, nil
}

func (f *field) parse(v any) (err error) {
	switch v := v.(type) {
	case nil:
		return fmt.Errorf("%s: is empty; write a column or a value, or leave it out", f.what)
	case string:
		f.value, err = parseText(f.what, v)
		if err == nil && !slices.ContainsFunc(f.value, func(p piece) bool { return p.column != "" }) {
			f.fixed = appendJSON(nil, string(f.value.appendTo(nil, nil)))
		}
		return err
	case map[string]any:
		return f.table(v)
	case yaml.MapSlice:
		members := make(map[string]any, len(v))
		for _, m := range v {
			members[fmt.Sprint(m.Key)] = m.Value
		}
		return f.table(members)
	case bool, int, int64, uint64, float64:
		f.fixed = fmt.Append(nil, v)
		return nil
	}
	return fmt.Errorf("%s: cannot be %v; write a column, a value, {value: …, as: number} or {product: [$A, $B]}", f.what, v)
}

func (f *field) table(v map[string]any) error {
	o, err := readOptions(f.what, v, "value", "as", "product")
	if err != nil {
		return err
	}
	if err := oneOf(f.what+".as", o.as, string(asRaw), string(asText), string(asNumber), string(asBoolean)); err != nil {
		return err
	}
	f.as = kind(o.as)
	if (o.value != "") == (len(o.product) > 0) {
		return fmt.Errorf("%s: write either value or product", f.what)
	}
	if len(o.product) > 0 && f.as != asRaw && f.as != asNumber {
		return fmt.Errorf("%s: a product is a number", f.what)
	}
	for _, factor := range o.product {
		t, err := parseText(f.what, factor)
		if err != nil {
			return err
		}
		f.product = append(f.product, t)
	}
	f.value, err = parseText(f.what, o.value)
	return err
}

// appendTo writes the field's value for a record as JSON; nothing when there is
// none.
func (f *field) appendTo(dst []byte, m *Mapping, r *Record) ([]byte, error) {
	switch {
	case f.fixed != nil:
		return append(dst, f.fixed...), nil
	case len(f.product) > 0:
		return f.appendProduct(dst, m, r)
	}
	if p := f.value.sole(); p != nil && f.as == asRaw && r.members != nil {
		raw := r.raw(p)
		if string(raw) == "null" {
			raw = nil
		}
		return append(dst, raw...), nil
	}
	r.scratch = f.value.appendTo(r.scratch[:0], r)
	if len(r.scratch) == 0 {
		return dst, nil
	}
	switch s := string(r.scratch); f.as {
	case asNumber:
		n, err := m.decimal(s)
		if err != nil {
			return dst, fmt.Errorf("%s: %w", f.what, err)
		}
		return n.appendTo(dst), nil
	case asBoolean:
		b, err := boolean(s)
		if err != nil {
			return dst, fmt.Errorf("%s: %w", f.what, err)
		}
		return strconv.AppendBool(dst, b), nil
	case asText, asRaw:
	}
	if !utf8.Valid(r.scratch) {
		return dst, fmt.Errorf("%s: %w", f.what, errNotUTF8)
	}
	return appendJSON(dst, string(r.scratch)), nil
}

var errNotUTF8 = errors.New("the text is not UTF-8; say what it is, such as encoding: shift_jis")

func (f *field) appendProduct(dst []byte, m *Mapping, r *Record) ([]byte, error) {
	var n decimal
	for i, factor := range f.product {
		r.scratch = factor.appendTo(r.scratch[:0], r)
		if len(r.scratch) == 0 {
			return dst, nil
		}
		x, err := m.decimal(string(r.scratch))
		if err != nil {
			return dst, fmt.Errorf("%s: %w", f.what, err)
		}
		if i == 0 {
			n = x
		} else {
			n = n.times(x)
		}
	}
	return n.appendTo(dst), nil
}

// boolean reads the words that files use.
func boolean(s string) (bool, error) {
	switch strings.ToLower(s) {
	case "true", "yes", "y", "1", "t":
		return true, nil
	case "false", "no", "n", "0", "f":
		return false, nil
	}
	return false, fmt.Errorf("%q is neither true nor false; it can be true, false, yes, no, 1 or 0", s)
}
