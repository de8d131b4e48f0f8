package mapping

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/kikubari/kikubari/internal/cx"
)

// AppendEvent writes the record as one event of a batch, with the message id of
// its line in the job. The error is a *LineError.
func (m *Mapping) AppendEvent(dst []byte, r *Record, job string) ([]byte, error) {
	out, err := m.append(dst, r, job)
	if err != nil {
		return dst, &LineError{Line: r.Line, Err: err}
	}
	return out, nil
}

func (m *Mapping) append(dst []byte, r *Record, job string) ([]byte, error) {
	dst = append(append(append(dst, `{"type":"`...), m.kind...), `","messageId":"`...)
	dst = append(cx.ImportMessage(dst, job, r.Line), '"')
	var err error
	if m.kind == "track" {
		if dst, err = member(dst, `,"event":`, "name", m.name, r, true); err != nil {
			return dst, err
		}
	}
	who := len(dst)
	if dst, err = member(dst, `,"userId":`, "user_id", m.user, r, false); err != nil {
		return dst, err
	}
	if len(dst) == who {
		if dst, err = member(dst, `,"anonymousId":`, "anonymous_id", m.anonymous, r, false); err != nil {
			return dst, err
		}
	}
	if len(dst) == who {
		return dst, errors.New("the line says nothing about who it is: the columns of user_id and anonymous_id are empty")
	}
	r.scratch = m.time.value.appendTo(r.scratch[:0], r)
	at, err := m.time.read(string(r.scratch))
	if err != nil {
		return dst, fmt.Errorf("time: %w", err)
	}
	dst = append(dst, `,"timestamp":"`...)
	dst = append(at.UTC().AppendFormat(dst, time.RFC3339Nano), '"')
	if dst, err = m.appendFields(dst, `,"properties":{`, m.properties, r); err != nil {
		return dst, err
	}
	if dst, err = m.appendFields(dst, `,"traits":{`, m.traits, r); err != nil {
		return dst, err
	}
	return append(dst, '}'), nil
}

// member writes a text under a name, nothing when it is empty and may be.
func member(dst []byte, name, what string, t text, r *Record, needed bool) ([]byte, error) {
	r.scratch = t.appendTo(r.scratch[:0], r)
	switch {
	case len(r.scratch) > 0 && !utf8.Valid(r.scratch):
		return dst, fmt.Errorf("%s: %w", what, errNotUTF8)
	case len(r.scratch) > 0:
		return appendJSON(append(dst, name...), string(r.scratch)), nil
	case needed:
		return dst, fmt.Errorf("%s: the column is empty", what)
	}
	return dst, nil
}

func (m *Mapping) appendFields(dst []byte, open string, fields []field, r *Record) ([]byte, error) {
	if len(fields) == 0 {
		return dst, nil
	}
	dst = append(dst, open...)
	for i := range fields {
		start := len(dst)
		if dst[start-1] != '{' {
			dst = append(dst, ',')
		}
		dst = append(dst, fields[i].name...)
		named := len(dst)
		var err error
		if dst, err = fields[i].appendTo(dst, m, r); err != nil {
			return dst, err
		}
		if len(dst) == named {
			dst = dst[:start]
		}
	}
	return append(dst, '}'), nil
}

// appendJSON writes s as a JSON string.
func appendJSON(dst []byte, s string) []byte {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf {
			quoted, _ := json.Marshal(strings.ToValidUTF8(s, "\uFFFD")) // a string always can be
			return append(dst, quoted...)
		}
	}
	return append(append(append(dst, '"'), s...), '"')
}

func validJSON(b []byte) bool { return json.Valid(b) }
