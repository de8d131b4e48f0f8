package bench

import (
	"encoding/base64"
	"fmt"
	"time"
)

// lengthDigits is the room that a request's head keeps for the length of its
// body, which is known only once the body is written behind it.
const lengthDigits = 8

// composer writes whole requests, head and body, into one buffer.
type composer struct {
	visitors *Visitors
	batch    int
	head     []byte
	lengthAt int // offset of the length in head
	letterAt int // offset of the path's letter, single events only
	buf      []byte
}

// newComposer makes the head once: the address, the key, the length left open.
func newComposer(v *Visitors, host, key string, batch int, actions bool) *composer {
	c := &composer{visitors: v, batch: batch}
	path := "/v1/batch"
	if batch == 1 {
		path = "/v1/t"
		c.letterAt = len("POST /v1/")
	}
	if actions {
		path += "?actions=1"
	}
	auth := base64.StdEncoding.EncodeToString([]byte(key + ":"))
	c.head = fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: kikubari-bench\r\nAuthorization: Basic %s\r\nContent-Type: application/json\r\nContent-Length: ", path, host, auth)
	c.lengthAt = len(c.head)
	c.head = fmt.Appendf(c.head, "%*d\r\n\r\n", lengthDigits, 0)
	return c
}

// compose returns the next request. It is valid until the next call, so it can
// be sent again as it is.
func (c *composer) compose(now time.Time) []byte {
	c.buf = append(c.buf[:0], c.head...)
	if c.batch > 1 {
		c.buf = c.visitors.AppendBatch(c.buf, c.batch, now)
	} else {
		var letter byte
		c.buf, letter = c.visitors.AppendSingle(c.buf, now)
		c.buf[c.letterAt] = letter
	}
	c.patch(len(c.buf) - len(c.head))
	return c.buf
}

// patch writes the length of the body into the head, right-aligned in spaces.
func (c *composer) patch(length int) {
	for i := c.lengthAt + lengthDigits - 1; length > 0; i-- {
		c.buf[i] = byte('0' + length%10)
		length /= 10
	}
}
