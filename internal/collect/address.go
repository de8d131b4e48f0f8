package collect

import (
	"net/netip"

	"github.com/kikubari/kikubari/internal/cx"
)

// How much of an address is kept: enough for a city, too little for a person.
const (
	keepIPv4 = 24 // bits
	keepIPv6 = 48
)

// shorten zeroes the part of a that names a household.
func shorten(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	bits := keepIPv6
	if a.Is4() {
		bits = keepIPv4
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return netip.Addr{}
	}
	return p.Addr()
}

// appendAddress writes a, shortened, as a JSON string.
func appendAddress(dst []byte, a netip.Addr) []byte {
	dst = append(dst, '"')
	dst = shorten(a).AppendTo(dst)
	return append(dst, '"')
}

// shortAddress returns the raw JSON of the address in raw, shortened; it is raw
// itself when there was nothing to shorten. ok is false when raw is not an
// address.
func (c *Collector) shortAddress(raw []byte) (short []byte, ok bool) {
	text := cx.ParseValue(raw).Str()
	a, err := netip.ParseAddr(text)
	if err != nil {
		return nil, false
	}
	if shorten(a) == a {
		return raw, true
	}
	start := len(c.edits)
	c.edits = appendAddress(c.edits, a)
	return c.edits[start:len(c.edits):len(c.edits)], true
}
