package profile

import (
	"encoding/binary"

	"github.com/kikubari/kikubari/internal/cx"
)

// customerCodec is the first byte of an encoded customer. It changes with the
// format; DecodeCustomer keeps reading the earlier ones: 1 had no back-fills.
const customerCodec = 2

// AppendCustomer encodes c and returns the extended dst. Equal customers have
// equal encodings. Times that tend to lie close together are written as the
// difference from one another.
func AppendCustomer(dst []byte, c *cx.Customer) []byte {
	dst = append(dst, customerCodec)
	dst = binary.LittleEndian.AppendUint64(dst, uint64(c.ID))
	dst = appendString(dst, string(c.Workspace))
	dst = appendTime(dst, c.CreatedAt)
	dst = appendTime(dst, c.LastSeen-c.CreatedAt)
	dst = append(dst, byte(c.Flags))
	dst = appendUvarint(dst, uint64(c.SpilledAt))
	dst = appendVisit(dst, c.Session, c.LastSeen)
	dst = appendVisit(dst, c.Previous, 0)
	dst = appendRate(dst, c.Rate)
	dst = appendString(dst, alias(c.Stats))
	dst = appendUvarint(dst, uint64(len(c.Identities)))
	for i := range c.Identities {
		n := &c.Identities[i]
		dst = appendString(append(dst, byte(n.Namespace)), n.Value)
		dst = appendTime(dst, n.Since-c.CreatedAt)
	}
	dst = appendUvarint(dst, uint64(len(c.Seen)))
	last := uint32(0)
	for _, s := range c.Seen {
		dst = binary.LittleEndian.AppendUint64(dst, s.Message())
		dst = appendVarint(dst, int64(s.At)-int64(last))
		last = s.At
	}
	dst = appendUvarint(dst, uint64(len(c.Segments)))
	for _, w := range c.Segments {
		dst = binary.LittleEndian.AppendUint64(dst, w)
	}
	dst = appendUvarint(appendUvarint(dst, c.Judged), c.Filled)
	dst = appendUvarint(dst, uint64(len(c.Unknown)))
	for _, slot := range c.Unknown {
		dst = appendUvarint(dst, uint64(slot))
	}
	dst = appendUvarint(dst, uint64(len(c.Timers)))
	for _, t := range c.Timers {
		dst = append(appendTime(dst, t.Due-c.LastSeen), byte(t.Kind))
		dst = appendUvarint(dst, t.Ref)
	}
	dst = appendTraits(dst, c.Traits)
	dst = appendConsent(dst, c.Consent)
	dst = appendLedger(dst, c.Ledger)
	return appendTallies(dst, c.Tallies)
}

// Renew returns the encoding of a customer as this version writes it: b itself,
// unless it is of an earlier version. The error wraps cx.ErrCodec when this
// version cannot read it.
func Renew(b []byte) ([]byte, error) {
	if len(b) > 0 && b[0] == customerCodec {
		return b, nil
	}
	c, err := DecodeCustomer(b)
	if err != nil {
		return nil, err
	}
	return AppendCustomer(nil, c), nil
}

func appendString(dst []byte, s string) []byte {
	return append(appendUvarint(dst, uint64(len(s))), s...)
}

func appendTime(dst []byte, t cx.Instant) []byte { return appendVarint(dst, int64(t)) }

func appendVisit(dst []byte, v cx.Visit, from cx.Instant) []byte {
	dst = appendTime(appendTime(dst, v.Start-from), v.End-v.Start)
	return appendUvarint(appendUvarint(dst, uint64(v.Number)), uint64(v.Events))
}

func appendRate(dst []byte, r cx.Rate) []byte {
	dst = appendUvarint(appendUvarint(dst, uint64(r.Second)), uint64(r.Count))
	return append(dst, r.Hot, r.Quiet)
}

func appendTraits(dst []byte, traits []cx.Trait) []byte {
	dst = appendUvarint(dst, uint64(len(traits)))
	for i := range traits {
		t := &traits[i]
		dst = appendString(appendString(dst, t.Name), alias(t.Raw))
		dst = appendUvarint(appendTime(dst, t.At), uint64(t.By))
		dst = append(dst, byte(t.Level))
	}
	return dst
}

func appendConsent(dst []byte, consent cx.Consent) []byte {
	dst = appendUvarint(dst, uint64(len(consent)))
	for _, g := range consent {
		dst = appendString(appendString(dst, string(g.Purpose)), string(g.Channel))
		dst = appendTime(append(dst, boolByte(g.Allowed)), g.At)
	}
	return dst
}

func appendTallies(dst []byte, tallies []cx.Tally) []byte {
	dst = appendUvarint(dst, uint64(len(tallies)))
	for i := range tallies {
		t := &tallies[i]
		dst = appendUvarint(appendString(dst, t.Action), uint64(t.Total))
		dst = appendUvarint(appendUvarint(dst, uint64(t.Session)), uint64(t.InSession))
		dst = appendUvarint(appendTime(dst, t.Day), uint64(t.InDay))
		dst = appendTime(dst, t.DismissedAt)
	}
	return dst
}

func boolByte(b bool) byte {
	if b {
		return 1
	}
	return 0
}
