package collect

import (
	"bytes"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// segment is the dialect of the Segment HTTP API.
type segment struct{}

// open reads the body in one pass, as strictly as we store it, but for text
// that is not UTF-8: that spoils the events it is in.
func (s segment) open(c *Collector, body []byte) error {
	c.scan = scanner{text: body}
	end := c.scan.space(0)
	if c.call.Batch() && !c.call.Drop {
		end = s.batch(c, end)
	} else {
		end = s.single(c, end)
	}
	switch {
	case c.refused != "" && c.scan.sound(c.refusedAt):
		return refuse(c.refused, "")
	case end == failed || c.scan.space(end) != len(body):
		return refuse(InvalidJSON, fault(body))
	}
	c.badText = !c.scan.sound(len(body))
	if c.badText && (!c.call.Batch() || c.shared != nil && !validText(c.shared)) {
		return refuse(InvalidUTF8, "")
	}
	return nil
}

// refuse ends the reading of a body at end, up to where it was JSON.
func (c *Collector) refuse(why Reason, end int) int {
	c.refused, c.refusedAt = why, end
	return failed
}

func (s segment) single(c *Collector, i int) int {
	if c.call.Drop {
		return c.scan.value(i)
	}
	return s.event(c, i)
}

func (s segment) batch(c *Collector, i int) int {
	if c.scan.at(i) != '{' {
		if i = c.scan.value(i); i != failed {
			c.refuse(NoBatch, i)
		}
		return failed
	}
	found := false
	end := c.scan.object(i, func(name string, i int) int {
		if name == "batch" && c.scan.at(i) == '[' {
			found = true
			return s.events(c, i)
		}
		return s.common(c, name, i)
	})
	switch {
	case end == failed:
		return failed
	case !found:
		return c.refuse(NoBatch, end)
	case len(c.shared)*len(c.drafts)+len(c.scan.text) > MaxSpread:
		return c.refuse(RequestTooLarge, end)
	}
	return end
}

func (s segment) events(c *Collector, i int) int {
	c.drafts = c.drafts[:0]
	return c.scan.list(i, func(i int) int {
		if i = s.event(c, i); i != failed && len(c.drafts) > MaxEvents {
			return c.refuse(TooManyEvents, i)
		}
		return i
	})
}

// common reads a member of the batch that speaks of all its events.
func (s segment) common(c *Collector, name string, i int) (end int) {
	if name == "context" {
		c.sharedFacts = facts{}
		end = s.context(c, &c.sharedFacts, i)
	} else {
		end = c.scan.value(i)
	}
	if end == failed {
		return failed
	}
	raw := c.scan.text[i:end:end]
	switch name {
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
		c.historical = isTrue(raw)
	}
	return end
}

// event reads an event into the next draft.
func (s segment) event(c *Collector, i int) (end int) {
	c.drafts = append(c.drafts, draft{})
	d := &c.drafts[len(c.drafts)-1]
	depth, escapes := c.scan.depth, c.scan.escapes
	c.scan.deepest = depth
	if c.scan.at(i) == '{' {
		end = c.scan.object(i, func(name string, i int) int { return s.member(c, d, name, i) })
	} else {
		end = c.scan.value(i)
	}
	if end == failed {
		c.drafts = c.drafts[:len(c.drafts)-1]
		return failed
	}
	d.whole = span{uint32(i), uint32(end)}
	d.levels, d.escaped = c.scan.deepest-depth, c.scan.escapes > escapes
	return end
}

// member reads a member of an event. The last of several wins.
func (s segment) member(c *Collector, d *draft, name string, i int) (end int) {
	if name == "context" {
		d.facts = facts{}
		end = s.context(c, &d.facts, i)
	} else {
		end = c.scan.value(i)
	}
	if end == failed {
		return failed
	}
	value := span{uint32(i), uint32(end)}
	switch name {
	case "type":
		d.kind = value
	case "event":
		d.event = value
	case "userId":
		d.userID = value
	case "anonymousId":
		d.anonymousID = value
	case "groupId":
		d.groupID = value
	case "previousId":
		d.previousID = value
	case "messageId":
		d.messageID = value
	case "writeKey":
		d.writeKey = value
	case "timestamp":
		d.timestamp = value
	case "originalTimestamp":
		d.original = value
	case "sentAt":
		d.sentAt = value
	case "properties":
		d.properties = value
	case "traits":
		d.traits = value
	case "context":
		d.context = value
	case "integrations":
		d.integrations = value
	case "name":
		d.name = value
	case "category":
		d.category = value
	case "historical":
		d.historical = value
	}
	return end
}

// context reads the context of an event or of a batch.
func (segment) context(c *Collector, f *facts, i int) int {
	if c.scan.at(i) != '{' {
		return c.scan.value(i)
	}
	return c.scan.object(i, func(name string, i int) int {
		end := c.scan.value(i)
		if end == failed {
			return failed
		}
		value := span{uint32(i), uint32(end)}
		switch name {
		case "ip":
			f.repeated, f.ip = f.repeated || f.ip.found(), value
		case "userAgent":
			f.agent = value
		case "locale":
			f.locale = value
		case "active":
			f.active = value
		case "direct":
			f.direct = value
		case "historical":
			f.historical = value
		case "consent":
			f.consent = value
		case "user_signature":
			f.signature = value
		case "context":
			kind := c.scan.at(i)
			f.nested = f.nested || kind == '{' || kind == '['
		case "page", "referrer", "traits":
			f.redactable = true
		}
		return end
	})
}

func isNull(raw []byte) bool { return len(raw) > 0 && raw[0] == 'n' }

func isTrue(raw []byte) bool { return len(raw) > 0 && raw[0] == 't' }

// fault names the place where body stops being JSON, without quoting it.
func fault(body []byte) string {
	d := jsontext.NewDecoder(bytes.NewBuffer(body), jsontext.AllowDuplicateNames(true))
	_, err := d.ReadValue()
	if err == nil {
		_, err = d.ReadToken()
	}
	if e, ok := errors.AsType[*jsontext.SyntacticError](err); ok {
		return "near byte " + itoa(int(e.ByteOffset))
	}
	if errors.Is(err, io.EOF) {
		return "it is empty"
	}
	return "something follows the JSON value"
}
