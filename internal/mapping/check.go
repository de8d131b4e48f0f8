package mapping

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// Checked is how many lines are looked at before anything is written.
const Checked = 1000

// Report is what a mapping makes of the first lines of a file.
type Report struct {
	Events  int
	Columns []string // of a CSV file
	Unused  []string // columns that the mapping does not ask for
	Fields  []FieldReport
	Faults  []*LineError // the first few
	Faulty  int          // how many lines are wrong
	Notes   []string     // what was understood without being said
}

// FieldReport is what one member of the events looks like.
type FieldReport struct {
	Name    string // userId, timestamp, properties.price
	Filled  int    // events that have it
	Example string // the first value, as JSON
}

// maxFaults is how many faults a Report holds.
const maxFaults = 10

// Check reads up to Checked records of src.
func (m *Mapping) Check(src io.Reader) (*Report, error) {
	r, err := m.NewReader(src)
	if err != nil {
		return nil, err
	}
	p := &Report{Columns: r.Columns()}
	var event []byte
	for p.Events+p.Faulty < Checked {
		record, err := r.Next()
		if err == nil {
			event, err = m.AppendEvent(event[:0], record, "check")
		}
		var fault *LineError
		switch {
		case errors.Is(err, io.EOF):
			p.notes(m)
			return p, nil
		case errors.As(err, &fault):
			if p.Faulty++; len(p.Faults) < maxFaults {
				p.Faults = append(p.Faults, fault)
			}
			if fault.Fatal() {
				p.notes(m)
				return p, nil
			}
		case err != nil:
			return nil, err
		default:
			p.Events++
			p.see("", event)
		}
	}
	p.notes(m)
	return p, nil
}

// see counts the members of an event.
func (p *Report) see(prefix string, raw []byte) {
	for _, f := range cx.ParseFields(nil, raw) {
		name := prefix + f.Name
		if prefix == "" && (name == "type" || name == "messageId") {
			continue
		}
		if prefix == "" && (name == "properties" || name == "traits") {
			p.see(name+".", f.Raw)
			continue
		}
		i := 0
		for i < len(p.Fields) && p.Fields[i].Name != name {
			i++
		}
		if i == len(p.Fields) {
			p.Fields = append(p.Fields, FieldReport{Name: strings.Clone(name), Example: string(f.Raw)})
		}
		p.Fields[i].Filled++
	}
}

func (p *Report) notes(m *Mapping) {
	used := map[string]bool{}
	m.eachColumn(func(c *piece) { used[c.column] = true })
	for _, c := range p.Columns {
		if !used[c] {
			p.Unused = append(p.Unused, c)
		}
	}
	if !m.time.zoned && m.time.unix == "" && !strings.Contains(m.time.lucky+m.time.layout, "07") {
		p.Notes = append(p.Notes, "times say no zone and are taken as UTC; write time: {value: …, zone: Asia/Tokyo} if they are local")
	}
	if m.Encoding == "" {
		p.Notes = append(p.Notes, "the text is taken as UTF-8")
	}
}

// String is the report as a person reads it.
func (p *Report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "the first %d lines make %d events", p.Events+p.Faulty, p.Events)
	if p.Faulty > 0 {
		fmt.Fprintf(&b, ", lines that are wrong: %d", p.Faulty)
	}
	b.WriteString("\n")
	for _, f := range p.Fields {
		fmt.Fprintf(&b, "  %-28s %5.1f %%  such as %s\n", f.Name, 100*float64(f.Filled)/float64(max(p.Events, 1)), f.Example)
	}
	if len(p.Unused) > 0 {
		fmt.Fprintf(&b, "  columns that are not used: %s\n", strings.Join(p.Unused, ", "))
	}
	for _, n := range p.Notes {
		fmt.Fprintf(&b, "  note: %s\n", n)
	}
	for _, f := range p.Faults {
		fmt.Fprintf(&b, "  %v\n", f)
	}
	return b.String()
}
