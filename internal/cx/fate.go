package cx

import "encoding/binary"

// Fate is how a delivery ended.
type Fate struct {
	Key         SendKey
	Workspace   Workspace
	Customer    CustomerID // as the delivery names it; may have been merged since
	Decision    DecisionID
	Action      string
	Channel     Channel
	Destination string
	State       DeliveryState // a settled one
	Attempts    uint32
	Reason      string // why it was not sent, for people; "" when it was
}

const fateCodec = 1

// AppendFate encodes f as the payload of an EntryFate.
func AppendFate(dst []byte, f *Fate) []byte {
	dst = append(dst, fateCodec, byte(f.State))
	for _, n := range [...]uint64{f.Key[0], f.Key[1], uint64(f.Customer), uint64(f.Decision)} {
		dst = binary.LittleEndian.AppendUint64(dst, n)
	}
	dst = binary.AppendUvarint(dst, uint64(f.Attempts))
	for _, s := range [...]string{string(f.Workspace), f.Action, string(f.Channel), f.Destination, f.Reason} {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	return dst
}

// DecodeFate reads what AppendFate wrote. The fate aliases nothing.
func DecodeFate(b []byte) (f Fate, err error) {
	const fixed = 2 + 4*8
	if len(b) < fixed || b[0] != fateCodec || !DeliveryState(b[1]).Settled() {
		return f, ErrCodec
	}
	number := func(i int) uint64 { return binary.LittleEndian.Uint64(b[2+8*i:]) }
	f.State, f.Key = DeliveryState(b[1]), SendKey{number(0), number(1)}
	f.Customer, f.Decision = CustomerID(number(2)), DecisionID(number(3))
	b = b[fixed:]
	ok := true
	size := func() uint64 {
		n, w := binary.Uvarint(b)
		if w <= 0 {
			ok, b = false, nil
			return 0
		}
		b = b[w:]
		return n
	}
	text := func() string {
		n := size()
		if n > uint64(len(b)) {
			ok, b = false, nil
			return ""
		}
		s := string(b[:n])
		b = b[n:]
		return s
	}
	f.Attempts = uint32(min(size(), 1<<32-1))
	f.Workspace, f.Action, f.Channel = Workspace(text()), text(), Channel(text())
	f.Destination, f.Reason = text(), text()
	if !ok || len(b) > 0 {
		return Fate{}, ErrCodec
	}
	return f, nil
}
