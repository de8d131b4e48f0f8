package cx

import "encoding/binary"

const resendCodec = 1

// AppendResend encodes the body of a CommandResend: which delivery is to be sent
// again. What is sent is not in it: the journal keeps it for ever.
func AppendResend(dst []byte, d *Delivery) []byte {
	dst = append(dst, resendCodec)
	for _, n := range [...]uint64{d.Key[0], d.Key[1], uint64(d.Customer), uint64(d.Decision)} {
		dst = binary.LittleEndian.AppendUint64(dst, n)
	}
	for _, s := range [...]string{d.Action, string(d.Purpose), string(d.Channel), d.Destination} {
		dst = AppendBytes(dst, s)
	}
	return dst
}

// DecodeResend reads what AppendResend wrote. The delivery aliases nothing; its
// Position, At and Workspace are those of the command.
func DecodeResend(body []byte) (d Delivery, err error) {
	if len(body) == 0 || body[0] != resendCodec {
		return d, ErrCodec
	}
	r := NewReader(body[1:])
	d = Delivery{
		Key: SendKey{r.Uint64(), r.Uint64()}, Customer: CustomerID(r.Uint64()), Decision: DecisionID(r.Uint64()),
		Action: r.Text(), Purpose: Purpose(r.Text()), Channel: Channel(r.Text()), Destination: r.Text(),
	}
	if err := r.End(); err != nil {
		return Delivery{}, err
	}
	return d, nil
}
