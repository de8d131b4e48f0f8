package cx

import "encoding/binary"

// Backfill is the body of a CommandBackfill: the statistics of one back-fill are
// complete up to the position of the command.
type Backfill struct {
	Number uint64  // of the back-fill, given by the machine: 1, 2, 3 … over all workspaces
	From   uint64  // sequence of the first record that was folded; 0: nothing was, they begin at the command
	Since  Instant // log time of that record; 0 when From is where everything began
}

// AppendBackfill encodes b.
func AppendBackfill(dst []byte, b Backfill) []byte {
	return binary.AppendVarint(binary.AppendUvarint(binary.AppendUvarint(dst, b.Number), b.From), int64(b.Since))
}

// DecodeBackfill reads what AppendBackfill wrote.
func DecodeBackfill(body []byte) (b Backfill, err error) {
	for i, v := range [...]*uint64{&b.Number, &b.From} {
		n, w := binary.Uvarint(body)
		if w <= 0 || i == 0 && n == 0 {
			return Backfill{}, ErrCodec
		}
		*v, body = n, body[w:]
	}
	since, w := binary.Varint(body)
	if w <= 0 || w != len(body) {
		return Backfill{}, ErrCodec
	}
	b.Since = Instant(since)
	return b, nil
}
