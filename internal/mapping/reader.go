package mapping

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/transform"

	"github.com/kikubari/kikubari/internal/cx"
)

// encodings are those a file may have besides UTF-8.
var encodings = map[string]encoding.Encoding{
	"shift_jis": japanese.ShiftJIS, "euc-jp": japanese.EUCJP, "windows-1252": charmap.Windows1252, "iso-8859-1": charmap.ISO8859_1,
}

// Encodings returns the names of the encodings that are understood.
func Encodings() []string {
	return []string{"utf-8", "shift_jis", "euc-jp", "windows-1252", "iso-8859-1"}
}

// maxLine is the longest line of an NDJSON file, in bytes.
const maxLine = 1 << 20

// Record is one line of a file.
type Record struct {
	Line uint64 // of the file, counted from 1; of a record with line ends in it, the first

	cells   []string  // CSV
	members cx.Fields // NDJSON
	scratch []byte
}

// cell returns what stands in a column, as text.
func (r *Record) cell(p *piece) string {
	if r.members == nil {
		return r.cells[p.index]
	}
	raw := r.raw(p)
	if len(raw) == 0 || string(raw) == "null" {
		return ""
	}
	if raw[0] == '"' {
		return cx.ParseValue(raw).Str()
	}
	return string(raw)
}

// raw returns the member at the path that the column names, nil for none.
func (r *Record) raw(p *piece) []byte {
	name, rest, deeper := strings.Cut(p.column, ".")
	var raw []byte
	for i := range r.members {
		if r.members[i].Name == name {
			raw = r.members[i].Raw
		}
	}
	for deeper && raw != nil {
		name, rest, deeper = strings.Cut(rest, ".")
		raw = cx.Member(raw, name)
	}
	return raw
}

// Reader reads the records of a file.
type Reader struct {
	m      *Mapping
	csv    *csv.Reader
	lines  *bufio.Scanner
	header []string
	record Record
	line   uint64 // of NDJSON
}

// NewReader begins to read src as m says. In a CSV file the first line names the
// columns; a mapping that asks for another one is refused.
func (m *Mapping) NewReader(src io.Reader) (*Reader, error) {
	if e := encodings[m.Encoding]; e != nil {
		src = transform.NewReader(src, e.NewDecoder())
	}
	in := bufio.NewReaderSize(src, 256<<10)
	if start, _ := in.Peek(3); bytes.Equal(start, []byte("\xef\xbb\xbf")) {
		_, _ = in.Discard(3)
	}
	r := &Reader{m: m}
	if m.Format == "ndjson" {
		r.lines = bufio.NewScanner(in)
		r.lines.Buffer(make([]byte, 64<<10), maxLine)
		return r, nil
	}
	r.csv = csv.NewReader(in)
	r.csv.Comma, r.csv.ReuseRecord = m.Separator, true
	header, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("the file is empty; the first line of a CSV file names the columns")
	}
	if err != nil {
		return nil, fmt.Errorf("the line with the columns' names: %w", err)
	}
	for _, h := range header {
		r.header = append(r.header, strings.TrimSpace(h))
	}
	return r, r.bind()
}

// Columns returns the columns of a CSV file.
func (r *Reader) Columns() []string { return r.header }

// bind finds the columns that the mapping asks for.
func (r *Reader) bind() (err error) {
	r.m.eachColumn(func(p *piece) {
		if p.index = slices.Index(r.header, p.column); p.index < 0 && err == nil {
			err = fmt.Errorf("the file has no column %q; it has %s", p.column, strings.Join(r.header, ", "))
		}
	})
	return err
}

func (m *Mapping) eachColumn(f func(*piece)) {
	for _, t := range []text{m.name, m.user, m.anonymous, m.time.value} {
		t.columns(f)
	}
	for _, fields := range [][]field{m.properties, m.traits} {
		for i := range fields {
			fields[i].value.columns(f)
			for _, t := range fields[i].product {
				t.columns(f)
			}
		}
	}
}

// Next returns the next record, valid until the next call, and io.EOF after the
// last. After a LineError it can go on.
func (r *Reader) Next() (*Record, error) {
	if r.csv == nil {
		return r.nextLine()
	}
	cells, err := r.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, err
	}
	line := 0
	if len(cells) > 0 {
		line, _ = r.csv.FieldPos(0)
	}
	r.record.Line = uint64(line)
	var bad *csv.ParseError
	switch {
	case errors.Is(err, csv.ErrFieldCount):
		return nil, &LineError{Line: uint64(line), Err: fmt.Errorf("there are %d cells, the first line names %d columns", len(cells), len(r.header))}
	case errors.As(err, &bad):
		return nil, &LineError{Line: uint64(bad.StartLine), Err: bad.Err, fatal: errors.Is(err, csv.ErrQuote)} // an open quote swallows the rest
	case err != nil:
		return nil, err
	}
	r.record.cells = cells
	return &r.record, nil
}

func (r *Reader) nextLine() (*Record, error) {
	for r.lines.Scan() {
		r.line++
		line := bytes.TrimSpace(r.lines.Bytes())
		if len(line) == 0 {
			continue
		}
		r.record.Line = r.line
		if line[0] != '{' || !validJSON(line) {
			return nil, &LineError{Line: r.line, Err: errors.New("the line is no JSON object")}
		}
		r.record.members = cx.ParseFields(r.record.members[:0], line)
		if r.record.members == nil {
			r.record.members = cx.Fields{}
		}
		return &r.record, nil
	}
	if err := r.lines.Err(); err != nil {
		return nil, &LineError{Line: r.line + 1, Err: err, fatal: true}
	}
	return nil, io.EOF
}

// LineError is what is wrong with one line.
type LineError struct {
	Line  uint64
	Err   error
	fatal bool
}

// Fatal reports that nothing after the line can be read.
func (f *LineError) Fatal() bool { return f.fatal }

func (f *LineError) Error() string { return fmt.Sprintf("line %d: %v", f.Line, f.Err) }

func (f *LineError) Unwrap() error { return f.Err }
