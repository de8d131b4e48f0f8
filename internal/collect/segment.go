package collect

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kikubari/kikubari/internal/cx"
)

// segment is the dialect of the Segment HTTP API.
type segment struct{}

// draft is what an event says about itself, raw: nil where it says nothing.
type draft struct {
	kind, event                              []byte
	userID, anonymousID, groupID, previousID []byte
	messageID, writeKey                      []byte
	timestamp, original, sentAt              []byte
	properties, traits                       []byte
	context, integrations                    []byte
	name, category                           []byte // of a page or screen
	historical                               []byte
}

// open validates the body in one pass, as strictly as we store it. Only when
// that fails for its text alone does it look again, to take what is sound.
func (s segment) open(c *Collector, body []byte) error {
	err := s.scan(c, body, false)
	if err != nil && ReasonOf(err) == "" && !errors.Is(err, io.EOF) {
		call := c.call
		c.reset(call)
		if lax := s.scan(c, body, true); lax == nil {
			c.badText = true
			err = nil
		}
	}
	if err == nil && c.badText && (!c.call.Batch() || c.shared != nil && !validText(c.shared)) {
		return refuse(InvalidUTF8, "")
	}
	if err != nil && ReasonOf(err) == "" {
		return refuse(InvalidJSON, plainError(err))
	}
	return err
}

// scan finds the events, validating all of body. Errors other than a Refusal
// are those of the JSON decoder.
func (s segment) scan(c *Collector, body []byte, anyText bool) error {
	c.input = *bytes.NewBuffer(body)
	c.decoder.Reset(&c.input, jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(anyText))
	var err error
	if c.call.Batch() && !c.call.Drop {
		err = s.scanBatch(c, body)
	} else {
		err = s.scanOne(c, body)
	}
	if err != nil {
		return err
	}
	if _, err = c.decoder.ReadToken(); !errors.Is(err, io.EOF) {
		if err == nil {
			err = errors.New("something follows the JSON value")
		}
		return err
	}
	return nil
}

func (s segment) scanOne(c *Collector, body []byte) error {
	raw, err := c.value(body)
	if err == nil && !c.call.Drop {
		c.items = append(c.items, raw)
	}
	return err
}

func (s segment) scanBatch(c *Collector, body []byte) error {
	if c.decoder.PeekKind() != '{' {
		if err := c.decoder.SkipValue(); err != nil {
			return err
		}
		return refuse(NoBatch, "")
	}
	if _, err := c.decoder.ReadToken(); err != nil {
		return err
	}
	found := false
	for c.decoder.PeekKind() == '"' {
		name, err := c.value(body)
		if err != nil {
			return err
		}
		member := cx.ParseValue(name).Str()
		if member == "batch" && c.decoder.PeekKind() == '[' {
			found = true
			err = s.scanItems(c, body)
		} else {
			err = s.scanMember(c, body, member)
		}
		if err != nil {
			return err
		}
	}
	if _, err := c.decoder.ReadToken(); err != nil {
		return err
	}
	if !found {
		return refuse(NoBatch, "")
	}
	if len(c.shared)*len(c.items)+len(body) > MaxSpread {
		return refuse(RequestTooLarge, "")
	}
	return nil
}

func (s segment) scanItems(c *Collector, body []byte) error {
	c.items = c.items[:0]
	if _, err := c.decoder.ReadToken(); err != nil {
		return err
	}
	for k := c.decoder.PeekKind(); k != ']' && k != 0; k = c.decoder.PeekKind() {
		raw, err := c.value(body)
		if err != nil {
			return err
		}
		if len(c.items) == MaxEvents {
			return refuse(TooManyEvents, "")
		}
		c.items = append(c.items, raw)
	}
	_, err := c.decoder.ReadToken()
	return err
}

func (s segment) scanMember(c *Collector, body []byte, member string) error {
	raw, err := c.value(body)
	if err != nil {
		return err
	}
	switch member {
	case "writeKey":
		c.writeKey = raw
	case "sentAt":
		c.sentAt = raw
	case "context":
		if c.shared = nil; raw[0] == '{' {
			c.shared = raw
		}
	case "integrations":
		c.integrations = raw
	case "historical":
		c.historical = cx.ParseValue(raw).IsTrue()
	}
	return nil
}

// value reads the next JSON value as a part of body.
func (c *Collector) value(body []byte) ([]byte, error) {
	v, err := c.decoder.ReadValue()
	if err != nil {
		return nil, err
	}
	end := int(c.decoder.InputOffset())
	return body[end-len(v) : end : end], nil
}

// read sorts the members of an event. The last of several wins.
func (segment) read(c *Collector, item []byte, d *draft) {
	*d = draft{sentAt: c.sentAt, integrations: c.integrations}
	c.fields = cx.ParseFields(c.fields[:0], item)
	for i := range c.fields {
		raw := c.fields[i].Raw
		switch c.fields[i].Name {
		case "type":
			d.kind = raw
		case "event":
			d.event = raw
		case "userId":
			d.userID = raw
		case "anonymousId":
			d.anonymousID = raw
		case "groupId":
			d.groupID = raw
		case "previousId":
			d.previousID = raw
		case "messageId":
			d.messageID = raw
		case "writeKey":
			d.writeKey = raw
		case "timestamp":
			d.timestamp = raw
		case "originalTimestamp":
			d.original = raw
		case "sentAt":
			d.sentAt = raw
		case "properties":
			d.properties = raw
		case "traits":
			d.traits = raw
		case "context":
			d.context = raw
		case "integrations":
			d.integrations = raw
		case "name":
			d.name = raw
		case "category":
			d.category = raw
		case "historical":
			d.historical = raw
		}
	}
	if d.original == nil || isNull(d.original) {
		d.original = d.timestamp
	}
}

func isNull(raw []byte) bool { return len(raw) > 0 && raw[0] == 'n' }

// plainError names the place of a decoding error without quoting the input.
func plainError(err error) string {
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return "near byte " + itoa(int(e.ByteOffset))
	}
	if errors.Is(err, io.EOF) {
		return "it is empty"
	}
	return err.Error()
}
