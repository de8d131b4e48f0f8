package cx

import "encoding/binary"

// Backfill is the body of a CommandBackfill: the statistics of one back-fill are
// complete up to the position of the command.
type Backfill struct {
	Number uint64  // of the back-fill, given by the machine: 1, 2, 3 … over all workspaces
	From   uint64  // sequence of the first record that was folded; 0: nothing was, they begin at the command
	Since  Instant // log time of the kept checkpoint in that record; 0 when From is where everything began
}

// AppendBackfill encodes b.
func AppendBackfill(dst []byte, b Backfill) []byte {
	return binary.AppendVarint(binary.AppendUvarint(binary.AppendUvarint(dst, b.Number), b.From), int64(b.Since))
}

// DecodeBackfill reads what AppendBackfill wrote.
func DecodeBackfill(body []byte) (b Backfill, err error) {
	r := NewReader(body)
	b = Backfill{Number: r.Uvarint(), From: r.Uvarint(), Since: Instant(r.Varint())}
	if b.Number == 0 {
		r.Fail()
	}
	if err := r.End(); err != nil {
		return Backfill{}, err
	}
	return b, nil
}
