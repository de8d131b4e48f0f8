package collect

import (
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"io"
	"net/url"
	"strings"
)

// Limits of what is taken.
const (
	MaxRequest = 500 << 10 // bytes of a body, unpacked
	MaxEvents  = 2500      // events in a request
	MaxEvent   = 32 << 10  // bytes of one event, with the batch's context
	MaxSpread  = 4 << 20   // bytes of all events of a request, with the batch's context
	MaxDepth   = 64        // levels of an event
	MaxID      = 200       // bytes of an id
	MaxName    = 200       // bytes of an event's name
	MaxMessage = 100       // bytes of a message id
)

// unpack undoes what clients do to JSON on its way, whatever their headers
// claim: gzip is known by its first bytes, a form by "data=". The result
// aliases body or the collector's own memory.
func (c *Collector) unpack(body []byte) ([]byte, error) {
	if len(body) >= 2 && body[0] == 0x1f && body[1] == 0x8b {
		plain, err := c.inflate(body)
		if err != nil {
			return nil, err
		}
		body = plain
	}
	if len(body) > MaxRequest {
		return nil, refuse(RequestTooLarge, "")
	}
	if bytes.HasPrefix(body, []byte("data=")) {
		return decodeForm(string(body))
	}
	return bytes.TrimPrefix(body, []byte("\xef\xbb\xbf")), nil
}

// inflate unpacks at most one byte more than a request may have, so that a
// bomb costs no more than an honest request.
func (c *Collector) inflate(body []byte) ([]byte, error) {
	c.packed.Reset(body)
	if c.gzip == nil {
		c.gzip = new(gzip.Reader)
	}
	if err := c.gzip.Reset(&c.packed); err != nil {
		return nil, refuse(InvalidGzip, err.Error())
	}
	c.plain.Reset()
	_, err := c.plain.ReadFrom(io.LimitReader(c.gzip, MaxRequest+1))
	if c.plain.Len() > MaxRequest {
		return nil, refuse(RequestTooLarge, "")
	}
	if err != nil {
		return nil, refuse(InvalidGzip, err.Error())
	}
	return c.plain.Bytes(), nil
}

func decodeForm(body string) ([]byte, error) {
	data, _, _ := strings.Cut(strings.TrimPrefix(body, "data="), "&")
	data, err := url.QueryUnescape(data)
	if err != nil {
		return nil, refuse(InvalidForm, err.Error())
	}
	// A plus that was not escaped in the form has become a space.
	data = strings.NewReplacer(" ", "+", "-", "+", "_", "/", "=", "", "\r", "", "\n", "").Replace(data)
	plain, err := base64.RawStdEncoding.DecodeString(data)
	if err != nil {
		return nil, refuse(InvalidForm, err.Error())
	}
	return plain, nil
}
