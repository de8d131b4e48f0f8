package definition

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"io"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// MaxCanonical is how large a published set may be in its canonical form: it
// must fit into one journal record.
const MaxCanonical = 480 << 10

// maxInflated bounds what a canonical form may unpack to.
const maxInflated = 16 << 20

// Canonical writes documents in the form in which a set is journaled: gzipped
// JSON, sorted by kind and name, fields sorted by name, without comments and
// places. Equal definitions give equal bytes, however they are spread over
// files. It fails with kind Invalid when that is more than MaxCanonical.
func Canonical(docs []Document) ([]byte, error) {
	var out bytes.Buffer
	z, _ := gzip.NewWriterLevel(&out, gzip.BestCompression) // the level is a valid one
	if _, err := z.Write(canonicalJSON(docs)); err != nil {
		return nil, fmt.Errorf("compress definitions: %w", err)
	}
	if err := z.Close(); err != nil {
		return nil, fmt.Errorf("compress definitions: %w", err)
	}
	if out.Len() > MaxCanonical {
		return nil, cx.E(cx.Invalid, "publish definitions", fmt.Sprintf("the set takes %d KB compressed; at most %d KB can be published at once: take out what is not used", out.Len()>>10, MaxCanonical>>10))
	}
	return out.Bytes(), nil
}

// canonicalJSON is Canonical before compression.
func canonicalJSON(docs []Document) []byte {
	b := []byte{'['}
	for i, d := range ordered(append([]Document(nil), docs...)) {
		if i > 0 {
			b = append(b, ',')
		}
		b = d.body.appendJSON(b)
	}
	return append(b, ']')
}

// JSON returns the document as one JSON object with sorted fields.
func (d *Document) JSON() []byte { return d.body.appendJSON(nil) }

func (v *value) appendJSON(b []byte) []byte {
	switch v.kind {
	case boolean:
		return append(b, v.text...)
	case words:
		return appendQuoted(b, v.text)
	case number:
		return v.appendNumber(b)
	case list:
		return v.appendList(b)
	case table:
		return v.appendTable(b)
	default:
		return append(b, "null"...)
	}
}

func (v *value) appendList(b []byte) []byte {
	b = append(b, '[')
	for i, item := range v.items {
		if i > 0 {
			b = append(b, ',')
		}
		b = item.appendJSON(b)
	}
	return append(b, ']')
}

func (v *value) appendTable(b []byte) []byte {
	b = append(b, '{')
	for i, m := range byName(v.members) {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(appendQuoted(b, m.name), ':')
		b = m.value.appendJSON(b)
	}
	return append(b, '}')
}

// appendNumber keeps a number as it is written where JSON can say it so; other
// spellings of YAML, such as 0x1f, travel as an object that valueOfJSON knows.
func (v *value) appendNumber(b []byte) []byte {
	if json.Valid([]byte(v.text)) {
		return append(b, v.text...)
	}
	b = append(b, `{"#":`...)
	b = appendQuoted(b, v.text)
	return append(b, '}')
}

func appendQuoted(b []byte, s string) []byte {
	q, _ := json.Marshal(s) // a string always marshals
	return append(b, q...)
}

// ParseCanonical reads what Canonical wrote. The documents have no file and no
// lines.
func ParseCanonical(b []byte) ([]Document, error) {
	z, err := gzip.NewReader(bytes.NewReader(b))
	if err != nil {
		return nil, fmt.Errorf("unpack definitions: %w", err)
	}
	text, err := io.ReadAll(io.LimitReader(z, maxInflated+1))
	if err != nil {
		return nil, fmt.Errorf("unpack definitions: %w", err)
	}
	if len(text) > maxInflated || !json.Valid(text) {
		return nil, fmt.Errorf("unpack definitions: %w", cx.ErrCodec)
	}
	var docs []Document
	var problems []Problem
	for _, item := range valueOfJSON(json.NewDecoder(bytes.NewReader(text))).items {
		if d, ok := parseDocument("", item, &problems); ok {
			docs = append(docs, d)
		}
	}
	if err := AsError(sorted(problems)); err != nil {
		return nil, err
	}
	return ordered(docs), nil
}

// valueOfJSON reads the next value of valid JSON.
func valueOfJSON(d *json.Decoder) *value {
	d.UseNumber()
	token, _ := d.Token()
	switch t := token.(type) {
	case bool:
		return &value{kind: boolean, text: fmt.Sprint(t)}
	case json.Number:
		return &value{kind: number, text: t.String()}
	case string:
		return &value{kind: words, text: t}
	case json.Delim:
		if t == '[' {
			return listOfJSON(d)
		}
		return tableOfJSON(d)
	}
	return &value{}
}

func listOfJSON(d *json.Decoder) *value {
	v := &value{kind: list}
	for d.More() {
		v.items = append(v.items, valueOfJSON(d))
	}
	_, _ = d.Token() // the closing bracket
	return v
}

func tableOfJSON(d *json.Decoder) *value {
	v := &value{kind: table}
	for d.More() {
		name, _ := d.Token()
		v.members = append(v.members, member{name: fmt.Sprint(name), value: valueOfJSON(d)})
	}
	_, _ = d.Token() // the closing brace
	if len(v.members) == 1 && v.members[0].name == "#" && v.members[0].value.isSpelling() {
		return &value{kind: number, text: v.members[0].value.text}
	}
	return v
}

// isSpelling reports whether v is a number as appendNumber spells it, and not a
// field that somebody called #.
func (v *value) isSpelling() bool {
	return v.kind == words && v.text != "" && strings.ContainsRune("0123456789+-.", rune(v.text[0]))
}
