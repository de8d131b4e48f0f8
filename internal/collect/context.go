package collect

import (
	"github.com/kikubari/kikubari/internal/cx"
)

// facts is what an event's context says that matters before the journal.
type facts struct {
	ip, agent, signature []byte
	consent              []byte
	direct, historical   bool
	redactable           bool // it tells of pages or traits
}

// fillContext joins the event's context with that of its batch, reads what it
// says and takes out what may not be kept.
func (c *Collector) fillContext(i int, e *cx.Event, urls bool) facts {
	raw, changed := c.joinContext(i)
	f := c.readContext(e)
	e.Consent = c.consent(i, f.consent)
	if c.isBot(f.agent) {
		e.Flags |= cx.Bot
	}
	if c.editAddress(i, f) {
		changed = true
	}
	if f.signature != nil {
		c.context = without(c.context, "user_signature")
		changed = true
	}
	if f.redactable && (urls || c.from.Redact.hasPaths()) && c.redactContext(i, urls) {
		changed = true
	}
	switch {
	case changed:
		e.Context = c.object(c.context)
	case f.ip == nil && c.wantsAddress(f):
		e.Context = c.withAddress(raw)
	default:
		e.Context = raw
	}
	return f
}

// joinContext opens the context of the event over that of its batch, name by
// name, and returns the raw context if it is one of the two as it stands.
func (c *Collector) joinContext(i int) (raw []byte, changed bool) {
	own := c.last.context
	if len(own) > 0 && own[0] != '{' {
		if !isNull(own) {
			c.altered(i, InvalidContext)
		}
		own = nil
	}
	c.context = append(c.context[:0], c.sharedFields...)
	if own == nil {
		return c.shared, false
	}
	if c.shared == nil {
		c.context = cx.ParseFields(c.context, own)
		return own, false
	}
	c.fields = cx.ParseFields(c.fields[:0], own)
	for _, f := range c.fields {
		c.context = with(c.context, f)
	}
	return nil, true
}

// readContext reads the opened context. The last of several members wins.
func (c *Collector) readContext(e *cx.Event) (f facts) {
	for i := range c.context {
		raw := c.context[i].Raw
		switch c.context[i].Name {
		case "ip":
			f.ip = raw
		case "userAgent":
			f.agent = raw
		case "locale":
			e.Locale = localeOf(raw)
		case "active":
			if cx.ParseValue(raw).Kind == cx.Bool {
				e.Flags &^= cx.Inactive
				if raw[0] == 'f' {
					e.Flags |= cx.Inactive
				}
			}
		case "direct":
			f.direct = cx.ParseValue(raw).IsTrue()
		case "historical":
			f.historical = cx.ParseValue(raw).IsTrue()
		case "consent":
			f.consent = raw
		case "user_signature":
			f.signature = raw
		case "page", "referrer", "traits":
			f.redactable = true
		}
	}
	return f
}

const maxLocale = 35 // bytes; the longest sensible BCP 47 tag

func localeOf(raw []byte) string {
	s := cx.ParseValue(raw)
	if s.Kind != cx.Text || len(s.Str()) > maxLocale || hasControl(raw, s.Str()) {
		return ""
	}
	return s.Str()
}

// consent returns the answers in context.consent, an object of true and false,
// or nil. Answers that are neither are left out: no answer is not a yes.
func (c *Collector) consent(i int, raw []byte) []byte {
	raw = cx.Member(raw, "categoryPreferences")
	if raw == nil || isNull(raw) {
		return nil
	}
	if raw[0] != '{' {
		c.altered(i, InvalidConsent)
		return nil
	}
	c.fields = cx.ParseFields(c.fields[:0], raw)
	kept := c.fields[:0]
	for _, f := range c.fields {
		if cx.ParseValue(f.Raw).Kind == cx.Bool {
			kept = append(kept, f)
		}
	}
	if len(kept) == len(c.fields) {
		return raw
	}
	c.altered(i, InvalidConsent)
	return c.object(kept)
}

// editAddress shortens the address that the context gives, or removes what is
// none. It reports whether the context changed.
func (c *Collector) editAddress(i int, f facts) bool {
	if f.ip == nil {
		return false
	}
	if !isNull(f.ip) {
		short, ok := c.shortAddress(f.ip)
		if ok && &short[0] == &f.ip[0] {
			return false
		}
		if ok {
			c.context = with(c.context, cx.Field{Name: "ip", Raw: short})
			return true
		}
		c.altered(i, InvalidAddress)
	}
	c.context = without(c.context, "ip")
	if c.wantsAddress(f) {
		c.context = append(c.context, cx.Field{Name: "ip", Raw: c.address})
	}
	return true
}

// wantsAddress reports whether the address of the connection is that of the
// person: a browser speaks for itself, a server only when it says so.
func (c *Collector) wantsAddress(f facts) bool {
	return len(c.address) > 0 && (f.direct || c.from.Kind == cx.BrowserKey)
}

// withAddress writes the object raw, nil for an empty one, with the sender's
// address at its end. raw has no such member.
func (c *Collector) withAddress(raw []byte) []byte {
	start := len(c.edits)
	if len(c.context) == 0 {
		c.edits = append(c.edits, '{')
	} else {
		c.edits = append(c.edits, raw[:len(raw)-1]...)
		c.edits = append(c.edits, ',')
	}
	c.edits = append(c.edits, `"ip":`...)
	c.edits = append(c.edits, c.address...)
	c.edits = append(c.edits, '}')
	return c.edits[start:len(c.edits):len(c.edits)]
}

// with returns fields with f put in the place of every member of that name.
func with(fields cx.Fields, f cx.Field) cx.Fields {
	for i := range fields {
		if fields[i].Name == f.Name {
			fields[i] = f
			return append(fields[:i+1], without(fields[i+1:], f.Name)...)
		}
	}
	return append(fields, f)
}

// without returns fields without the members called name. It reuses fields.
func without(fields cx.Fields, name string) cx.Fields {
	kept := fields[:0]
	for _, f := range fields {
		if f.Name != name {
			kept = append(kept, f)
		}
	}
	return kept
}
