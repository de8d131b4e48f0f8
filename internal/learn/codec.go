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
		dst = cx.AppendBytes(dst, k.Workspace)
		dst = cx.AppendBytes(dst, k.Action)
		dst = binary.AppendUvarint(dst, r.Exposures)
		dst = binary.AppendUvarint(dst, r.Responses)
	})
	return dst
}

// DecodeTable reads what AppendTable wrote; the table aliases nothing. It
// fails with cx.ErrCodec on anything else, also when rows are out of order.
func DecodeTable(b []byte) (*Table, error) {
	r := cx.NewReader(b)
	if r.Byte() != tableCodec {
		return nil, fmt.Errorf("table of rates: %w", cx.ErrCodec)
	}
	n := r.Uvarint()
	var rows []row
	for i := uint64(0); i < n && r.OK(); i++ {
		k := Key{Workspace: cx.Workspace(r.Text()), Action: r.Text()}
		rate := Rate{Exposures: r.Uvarint(), Responses: r.Uvarint()}
		if m := len(rows); m > 0 && !rows[m-1].key.less(k) {
			r.Fail()
		}
		rows = append(rows, row{k, rate})
	}
	if r.End() != nil {
		return nil, fmt.Errorf("table of rates: %w", cx.ErrCodec)
	}
	return newTable(rows), nil
}
