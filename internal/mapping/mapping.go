package mapping

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"

	"github.com/kikubari/kikubari/internal/zone"
)

// Mapping says how a record becomes an event. It is used by one goroutine at a
// time.
type Mapping struct {
	Format    string // csv, ndjson, or "" to go by the file's name
	Separator rune
	Encoding  string

	comma      bool // numbers are written 1.234,56
	kind       string
	name       text
	user       text
	anonymous  text
	time       *clock
	properties []field
	traits     []field
}

// document is a mapping as it is written.
type document struct {
	Format      string        `yaml:"format"`
	Separator   string        `yaml:"separator"`
	Encoding    string        `yaml:"encoding"`
	Decimal     string        `yaml:"decimal"`
	Event       string        `yaml:"event"`
	Name        string        `yaml:"name"`
	UserID      string        `yaml:"user_id"`
	AnonymousID string        `yaml:"anonymous_id"`
	Time        any           `yaml:"time"`
	Properties  yaml.MapSlice `yaml:"properties"`
	Traits      yaml.MapSlice `yaml:"traits"`
}

// Parse reads a mapping. Its error names the line or the field and says what to
// write.
func Parse(source []byte) (*Mapping, error) {
	var d document
	if err := yaml.UnmarshalWithOptions(source, &d, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("the mapping cannot be read: %s", strings.TrimSpace(yaml.FormatError(err, false, true)))
	}
	m := &Mapping{Separator: ','}
	for _, step := range []func(*Mapping) error{d.shape, d.who, d.when, d.what} {
		if err := step(m); err != nil {
			return nil, err
		}
	}
	return m, nil
}

func (d *document) shape(m *Mapping) error {
	if err := oneOf("format", d.Format, "", "csv", "ndjson"); err != nil {
		return err
	}
	if err := oneOf("decimal", d.Decimal, "", "point", "comma"); err != nil {
		return err
	}
	if err := oneOf("encoding", d.Encoding, append([]string{""}, Encodings()...)...); err != nil {
		return err
	}
	m.Format, m.Encoding, m.comma = d.Format, d.Encoding, d.Decimal == "comma"
	switch r := []rune(d.Separator); {
	case d.Separator == "tab":
		m.Separator = '\t'
	case len(r) == 1:
		m.Separator = r[0]
	case len(r) > 1:
		return fmt.Errorf("separator: %q is more than one character; write one, or tab", d.Separator)
	}
	return nil
}

func (d *document) who(m *Mapping) (err error) {
	if m.user, err = parseText("user_id", d.UserID); err != nil {
		return err
	}
	if m.anonymous, err = parseText("anonymous_id", d.AnonymousID); err != nil {
		return err
	}
	if len(m.user) == 0 && len(m.anonymous) == 0 {
		return fmt.Errorf("user_id: whose events are they? write user_id, anonymous_id or both, such as user_id: $CustomerID")
	}
	return nil
}

func (d *document) when(m *Mapping) (err error) {
	switch v := d.Time.(type) {
	case nil:
		return fmt.Errorf("time: when did it happen? write the column, such as time: {value: $OrderedAt, zone: Asia/Tokyo}")
	case string:
		m.time, err = newClock("time", v, "", "")
	case map[string]any:
		var o options
		if o, err = readOptions("time", v, "value", "layout", "zone"); err == nil {
			m.time, err = newClock("time", o.value, o.layout, o.zone)
		}
	default:
		err = fmt.Errorf("time: %v is no time; write a column or {value: …, layout: …, zone: …}", v)
	}
	return err
}

func (d *document) what(m *Mapping) (err error) {
	if err := oneOf("event", d.Event, "track", "identify"); err != nil {
		return err
	}
	m.kind = d.Event
	switch {
	case m.kind == "track" && d.Name == "":
		return fmt.Errorf("name: what happened? write the event's name, such as name: Order Completed")
	case m.kind == "identify" && d.Name != "":
		return fmt.Errorf("name: an identify event has none; leave it out")
	case m.kind == "identify" && len(d.Properties) > 0:
		return fmt.Errorf("properties: an identify event has traits")
	case m.kind == "track" && len(d.Traits) > 0:
		return fmt.Errorf("traits: a track event has properties; traits come by a mapping with event: identify")
	}
	if m.name, err = parseText("name", d.Name); err != nil {
		return err
	}
	if m.properties, err = parseFields("properties", d.Properties); err != nil {
		return err
	}
	m.traits, err = parseFields("traits", d.Traits)
	return err
}

func oneOf(what, given string, words ...string) error {
	if slices.Contains(words, given) {
		return nil
	}
	words = slices.DeleteFunc(words, func(w string) bool { return w == "" })
	return fmt.Errorf("%s: %q is not known; write one of %s", what, given, strings.Join(words, ", "))
}

// options are the members of a value that is written as a table.
type options struct {
	value, as, layout, zone string
	product                 []string
}

// readOptions reads those members of a table that are known.
func readOptions(what string, v map[string]any, known ...string) (o options, err error) {
	for name, x := range v {
		if !slices.Contains(known, name) {
			return o, fmt.Errorf("%s.%s: there is no such field; the fields are %s", what, name, strings.Join(known, ", "))
		}
		if name == "product" {
			list, ok := x.([]any)
			if !ok || len(list) < 2 {
				return o, fmt.Errorf("%s.product: write two columns or more, such as [$Quantity, $UnitPrice]", what)
			}
			for _, factor := range list {
				o.product = append(o.product, fmt.Sprint(factor))
			}
			continue
		}
		s := fmt.Sprint(x)
		switch name {
		case "value":
			o.value = s
		case "as":
			o.as = s
		case "layout":
			o.layout = s
		case "zone":
			o.zone = s
		}
	}
	return o, nil
}

func newClock(what, value, layout, place string) (*clock, error) {
	c := &clock{zone: time.UTC, zoned: place != ""}
	var err error
	if c.value, err = parseText(what, value); err != nil {
		return nil, err
	}
	if len(c.value) == 0 {
		return nil, fmt.Errorf("%s.value: write the column, such as $OrderedAt", what)
	}
	if place != "" {
		if c.zone, err = zone.Load(place); err != nil {
			return nil, fmt.Errorf("%s.zone: %w", what, err)
		}
	}
	switch layout {
	case "", "unix", "unix_ms":
		c.unix = layout
	default:
		if c.layout, err = layoutOf(layout); err != nil {
			return nil, fmt.Errorf("%s.layout: %w", what, err)
		}
	}
	return c, nil
}
