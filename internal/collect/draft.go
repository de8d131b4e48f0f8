package collect

// span is where in the body a value stands. The zero span is no value.
type span struct{ from, to uint32 }

func (s span) found() bool { return s.to > 0 }

// or returns s, or else o when s is no value.
func (s span) or(o span) span {
	if s.found() {
		return s
	}
	return o
}

// draft is what an event says about itself.
type draft struct {
	whole                                    span
	kind, event                              span
	userID, anonymousID, groupID, previousID span
	messageID, writeKey                      span
	timestamp, original, sentAt              span
	properties, traits                       span
	context, integrations                    span
	name, category                           span // of a page or screen
	historical                               span
	facts                                    facts // in its context
	levels                                   int   // of nesting
	escaped                                  bool  // there are escapes in it
}

// facts is what a context says that matters before the journal.
type facts struct {
	ip, agent, locale          span
	active, direct, historical span
	consent, signature         span
	repeated                   bool // ip is not its only one
	nested                     bool // there is a context within
	redactable                 bool // it tells of pages or traits
}

// over returns what f says and, where it says nothing, what below does.
func (f facts) over(below *facts) facts {
	return facts{
		ip: f.ip.or(below.ip), agent: f.agent.or(below.agent), locale: f.locale.or(below.locale),
		active: f.active.or(below.active), direct: f.direct.or(below.direct), historical: f.historical.or(below.historical),
		consent: f.consent.or(below.consent), signature: f.signature.or(below.signature),
		repeated: f.repeated || below.repeated, nested: f.nested || below.nested,
		redactable: f.redactable || below.redactable,
	}
}

// raw returns the value at s, nil when there is none.
func (c *Collector) raw(s span) []byte {
	if !s.found() {
		return nil
	}
	return c.scan.text[s.from:s.to:s.to]
}

// original returns when the event happened, as it says.
func (c *Collector) original(d *draft) []byte {
	if raw := c.raw(d.original); raw != nil && !isNull(raw) {
		return raw
	}
	return c.raw(d.timestamp)
}

// integrationsOf returns the integrations of the event or of its batch.
func (c *Collector) integrationsOf(d *draft) []byte {
	if d.integrations.found() {
		return c.raw(d.integrations)
	}
	return c.integrations
}

// str returns the text at s; of a list or an object its JSON; "" when there is
// neither.
func (c *Collector) str(s span) string { return c.textOf(c.raw(s)) }

// textOf does the same for a raw value of the body.
func (c *Collector) textOf(raw []byte) string {
	if len(raw) == 0 {
		return ""
	}
	switch raw[0] {
	case '"':
		return unquote(raw, c.scan.escapes > 0)
	case '{', '[':
		return alias(raw)
	}
	return ""
}
