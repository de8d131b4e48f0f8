package collect

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"

	"github.com/kikubari/kikubari/internal/cx"
)

// fillMessageID takes the event's own message id, or derives one.
func (c *Collector) fillMessageID(item []byte, e *cx.Event) Reason {
	id, why := c.id(c.last.messageID, MaxMessage, MessageIDTooLong)
	if why != "" {
		return why
	}
	if id == "" {
		id = c.deriveID(item)
	}
	e.MessageID = id
	return ""
}

// deriveID returns "h-" and 128 bits of SHA-256 over the key and the event's
// bytes, in hex. Of events that are equal byte for byte in one request, each
// gets an id of its own by its number among them; so each counts, and a
// repeated request gives the same ids.
func (c *Collector) deriveID(item []byte) string {
	sum := digest([]byte(c.from.Key), item)
	first := cx.HashKey{binary.BigEndian.Uint64(sum[:8]), binary.BigEndian.Uint64(sum[8:16])}
	if c.repeats == nil {
		c.repeats = make(map[cx.HashKey]int)
	}
	n := c.repeats[first]
	c.repeats[first] = n + 1
	if n > 0 {
		sum = digest(sum[:], []byte(itoa(n)))
	}
	start := len(c.edits)
	c.edits = append(c.edits, 'h', '-')
	c.edits = hex.AppendEncode(c.edits, sum[:16])
	return alias(c.edits[start:])
}

func digest(a, b []byte) (sum [32]byte) {
	h := sha256.New()
	h.Write(a)
	h.Write([]byte{0})
	h.Write(b)
	h.Sum(sum[:0])
	return sum
}
