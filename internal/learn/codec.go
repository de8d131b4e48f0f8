package learn

import (
	"encoding/binary"
	"fmt"

	"github.com/kikubari/kikubari/internal/cx"
)

const tableCodec = 1

// AppendTable encodes t. Equal tables have equal encodings. A Delta is not
// encoded: at a checkpoint, which is at a tick, all deltas have been folded.
func AppendTable(dst []byte, t *Table) []byte {
	dst = append(dst, tableCodec)
	dst = binary.AppendUvarint(dst, uint64(t.Len()))
	t.Each(func(k Key, r Rate) {
		dst = appendString(dst, string(k.Workspace))
		dst = appendString(dst, k.Action)
		dst = binary.AppendUvarint(dst, r.Exposures)
		dst = binary.AppendUvarint(dst, r.Responses)
	})
	return dst
}

// DecodeTable reads what AppendTable wrote; the table aliases nothing. It
// fails with cx.ErrCodec on anything else, also when rows are out of order.
func DecodeTable(b []byte) (*Table, error) {
	r := reader{b: b}
	if r.byte() != tableCodec {
		return nil, fmt.Errorf("table of rates: %w", cx.ErrCodec)
	}
	n := r.uvarint()
	var rows []row
	for i := uint64(0); i < n && !r.bad; i++ {
		k := Key{Workspace: cx.Workspace(r.string()), Action: r.string()}
		rate := Rate{Exposures: r.uvarint(), Responses: r.uvarint()}
		if m := len(rows); m > 0 && !rows[m-1].key.less(k) {
			r.bad = true
		}
		rows = append(rows, row{k, rate})
	}
	if r.bad || len(r.b) != 0 {
		return nil, fmt.Errorf("table of rates: %w", cx.ErrCodec)
	}
	return newTable(rows), nil
}

func appendString(dst []byte, s string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(s))), s...)
}

// reader takes an encoding apart; after the first fault bad stays set and
// everything read is zero.
type reader struct {
	b   []byte
	bad bool
}

func (r *reader) byte() byte {
	if len(r.b) == 0 {
		r.bad = true
		return 0
	}
	c := r.b[0]
	r.b = r.b[1:]
	return c
}

func (r *reader) uvarint() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.bad, r.b = true, nil
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *reader) string() string {
	n := r.uvarint()
	if n > uint64(len(r.b)) {
		r.bad, r.b = true, nil
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}
