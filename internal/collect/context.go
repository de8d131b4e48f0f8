package collect

import (
	"github.com/kikubari/kikubari/internal/cx"
)

// fillContext joins the event's context with that of its batch, reads what it
// says and takes out what may not be kept.
func (c *Collector) fillContext(i int, e *cx.Event, urls bool) facts {
	raw, changed := c.joinContext(i)
	f := &c.last.facts
	if c.shared != nil {
		*f = f.over(&c.sharedFacts)
	}
	c.readContext(e, f)
	e.Consent = c.consent(i, c.raw(f.consent))
	if c.isBot(c.raw(f.agent)) {
		e.Flags |= cx.Bot
	}
	if f.ip.found() && c.editAddress(i, f, raw) {
		changed = true
	}
	if f.signature.found() {
		c.openContext(raw)
		c.context = without(c.context, "user_signature")
		changed = true
	}
	if f.nested {
		c.openContext(raw)
		c.context = without(c.context, "context")
		c.altered(i, InvalidContext)
		changed = true
	}
	if f.redactable && (urls || c.from.Redact.hasPaths()) {
		c.openContext(raw)
		changed = c.redactContext(i, urls) || changed
	}
	lacking := !f.ip.found() && c.wantsAddress(f)
	if changed && lacking {
		c.context = append(c.context, cx.Field{Name: "ip", Raw: c.address})
	}
	switch {
	case changed:
		e.Context = c.object(c.context)
	case lacking:
		e.Context = c.withAddress(raw)
	default:
		e.Context = raw
	}
	return *f
}

// joinContext returns the event's context, or else that of its batch, as it
// stands. When there are both, it opens the one over the other, name by name.
func (c *Collector) joinContext(i int) (raw []byte, changed bool) {
	c.opened = false
	own := c.raw(c.last.context)
	if len(own) > 0 && own[0] != '{' {
		if !isNull(own) {
			c.altered(i, InvalidContext)
		}
		own = nil
	}
	switch {
	case own == nil:
		return c.shared, false
	case c.shared == nil:
		return own, false
	}
	c.openContext(c.shared)
	c.fields = cx.ParseFields(c.fields[:0], own)
	for _, f := range c.fields {
		c.context = with(c.context, f)
	}
	return nil, true
}

// openContext opens raw for edits, unless the context is open.
func (c *Collector) openContext(raw []byte) {
	if !c.opened {
		c.context, c.opened = cx.ParseFields(c.context[:0], raw), true
	}
}

// readContext takes over what the context says.
func (c *Collector) readContext(e *cx.Event, f *facts) {
	if f.locale.found() {
		e.Locale = c.locale(c.raw(f.locale))
	}
	if active := c.raw(f.active); len(active) > 0 && active[0] == 'f' {
		e.Flags |= cx.Inactive
	}
}

const maxLocale = 35 // bytes; the longest sensible BCP 47 tag

func (c *Collector) locale(raw []byte) string {
	s := c.textOf(raw)
	if raw[0] != '"' || len(s) > maxLocale || hasControl(raw, s) {
		return ""
	}
	return s
}

// consent returns the answers in context.consent, an object of true and false,
// or nil. Answers that are neither are left out: no answer is not a yes.
func (c *Collector) consent(i int, raw []byte) []byte {
	if raw == nil {
		return nil
	}
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

// editAddress shortens the address that the context, raw, gives, or removes what
// is none; then f has none either. Only the last of several stays. It reports
// whether the context changed.
func (c *Collector) editAddress(i int, f *facts, raw []byte) bool {
	ip := c.raw(f.ip)
	if !isNull(ip) {
		short, ok := c.shortAddress(ip)
		if ok && &short[0] == &ip[0] && !f.repeated {
			return false
		}
		if ok {
			c.openContext(raw)
			c.context = with(c.context, cx.Field{Name: "ip", Raw: short})
			return true
		}
		c.altered(i, InvalidAddress)
	}
	c.openContext(raw)
	c.context = without(c.context, "ip")
	f.ip = span{}
	return true
}

// wantsAddress reports whether the address of the connection is that of the
// person: a browser speaks for itself, a server only when it says so.
func (c *Collector) wantsAddress(f *facts) bool {
	return len(c.address) > 0 && (c.from.Kind == cx.BrowserKey || isTrue(c.raw(f.direct)))
}

// withAddress writes the object raw, nil for an empty one, with the sender's
// address at its end. raw has no such member.
func (c *Collector) withAddress(raw []byte) []byte {
	start := len(c.edits)
	if isEmpty(raw) {
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

// isEmpty reports whether raw, an object or nil, has no members.
func isEmpty(raw []byte) bool {
	for i := 1; i < len(raw); i++ {
		if raw[i] > ' ' {
			return raw[i] == '}'
		}
	}
	return true
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
