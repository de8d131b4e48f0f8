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
		dst = AppendBytes(dst, s)
	}
	return dst
}

// DecodeFate reads what AppendFate wrote. The fate aliases nothing.
func DecodeFate(b []byte) (f Fate, err error) {
	if len(b) < 2 || b[0] != fateCodec || !DeliveryState(b[1]).Settled() {
		return f, ErrCodec
	}
	r := NewReader(b[2:])
	f = Fate{
		State: DeliveryState(b[1]), Key: SendKey{r.Uint64(), r.Uint64()}, Customer: CustomerID(r.Uint64()), Decision: DecisionID(r.Uint64()),
		Attempts: uint32(min(r.Uvarint(), 1<<32-1)), Workspace: Workspace(r.Text()), Action: r.Text(), Channel: Channel(r.Text()),
		Destination: r.Text(), Reason: r.Text(),
	}
	if err := r.End(); err != nil {
		return Fate{}, err
	}
	return f, nil
}
