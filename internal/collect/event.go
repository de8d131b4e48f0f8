package collect

import (
	"strconv"
	"unsafe"

	"github.com/go-json-experiment/json/jsontext"

	"github.com/kikubari/kikubari/internal/cx"
)

// take reads event i and adds it to the result, or returns why not.
func (c *Collector) take(i int) Reason {
	item := c.raw(c.last.whole)
	switch {
	case item[0] != '{':
		return NotAnObject
	case len(item)+len(c.shared) > MaxEvent:
		return TooLarge
	case c.badText && !validText(item):
		return InvalidUTF8
	case c.last.levels > MaxDepth:
		return TooDeep
	}
	altered := len(c.result.Altered)
	c.result.Events = append(c.result.Events, cx.Event{
		Workspace: c.from.Workspace, Key: c.from.Key, KeyKind: c.from.Kind, ReceivedAt: c.receivedAt,
	})
	e := &c.result.Events[len(c.result.Events)-1]
	why := c.fill(i, item, e)
	if why != "" {
		*e = cx.Event{}
		c.result.Events = c.result.Events[:len(c.result.Events)-1]
		c.result.Altered = c.result.Altered[:altered]
	}
	return why
}

// fill makes the event from the draft: the story of what is checked, in order.
func (c *Collector) fill(i int, item []byte, e *cx.Event) Reason {
	if c.from.WriteKey != "" && c.last.writeKey.found() && c.str(c.last.writeKey) != c.from.WriteKey {
		return OtherWriteKey
	}
	if why := c.fillName(e); why != "" {
		return why
	}
	if why := c.fillIDs(i, e); why != "" {
		return why
	}
	if why := c.fillMessageID(item, e); why != "" {
		return why
	}
	urls := c.sharedPairs || c.last.escaped || holdsPairs(item)
	if why := c.fillProperties(i, e, urls); why != "" {
		return why
	}
	facts := c.fillContext(i, e, urls)
	c.fillTrust(i, e, facts)
	c.fillTimes(i, e, facts)
	if c.from.WantsAnswer {
		e.Flags |= cx.WantsAnswer
	}
	return ""
}

func (c *Collector) fillName(e *cx.Event) Reason {
	e.Type = c.call.Type
	if c.call.Batch() {
		kind, ok := cx.ParseEventType(c.str(c.last.kind))
		if !ok {
			return UnknownType
		}
		e.Type = kind
	}
	if e.Type != cx.Track {
		e.Name = cx.NameOf(e.Type, "")
		return ""
	}
	raw := c.raw(c.last.event)
	name := c.textOf(raw)
	switch {
	case len(raw) == 0 || raw[0] != '"' || blank(name):
		return NoEventName
	case len(name) > MaxName:
		return NameTooLong
	case hasControl(raw, name):
		return InvalidID
	}
	e.Name = cx.EventName(name)
	return ""
}

func (c *Collector) fillIDs(i int, e *cx.Event) Reason {
	d := c.last
	for _, want := range [...]struct {
		at span
		to *string
	}{{d.anonymousID, &e.AnonymousID}, {d.userID, &e.UserID}, {d.groupID, &e.GroupID}, {d.previousID, &e.PreviousID}} {
		id, why := c.id(want.at, MaxID, IDTooLong)
		if why != "" {
			return why
		}
		if id != "" && cx.Junk(id) {
			c.altered(i, JunkID)
			id = ""
		}
		*want.to = id
	}
	switch {
	case e.UserID == "" && e.AnonymousID == "":
		return NoID
	case e.Type == cx.Group && e.GroupID == "":
		return NoGroupID
	case e.Type == cx.Alias && e.PreviousID == "":
		return NoPreviousID
	}
	if e.Type != cx.Alias {
		e.PreviousID = ""
	}
	return ""
}

// id reads an id: a text, or a number as it is written.
func (c *Collector) id(at span, limit int, long Reason) (string, Reason) {
	raw := c.raw(at)
	if len(raw) == 0 || isNull(raw) {
		return "", ""
	}
	var id string
	switch b := raw[0]; {
	case b == '"':
		id = c.textOf(raw)
	case b == '-' || '0' <= b && b <= '9':
		id = alias(raw)
	default:
		return "", InvalidID
	}
	if len(id) > limit {
		return "", long
	}
	if hasControl(raw, id) {
		return "", InvalidID
	}
	return id, ""
}

func (c *Collector) fillProperties(i int, e *cx.Event, urls bool) Reason {
	at, why := c.last.properties, InvalidProperties
	if e.Type == cx.Identify || e.Type == cx.Group {
		at, why = c.last.traits, InvalidTraits
	}
	raw := c.raw(at)
	if isNull(raw) {
		raw = nil
	}
	if raw != nil && raw[0] != '{' {
		return why
	}
	named := (e.Type == cx.Page || e.Type == cx.Screen) && (isText(c.raw(c.last.name)) || isText(c.raw(c.last.category)))
	if !named && !urls && !c.from.Redact.hasPaths() {
		e.Properties = raw
		return ""
	}
	e.Properties = c.editProperties(i, raw, named)
	return ""
}

// editProperties removes what may not be kept and gives a page or screen its
// name and category as properties, unless it has properties of that name.
func (c *Collector) editProperties(i int, raw []byte, named bool) []byte {
	c.fields = cx.ParseFields(c.fields[:0], raw)
	fields, removed := c.redactMembers(c.fields)
	if removed {
		c.altered(i, RedactedMembers)
	}
	changed := removed
	if named {
		for _, add := range [...]cx.Field{{Name: "name", Raw: c.raw(c.last.name)}, {Name: "category", Raw: c.raw(c.last.category)}} {
			if isText(add.Raw) && fields.Raw(add.Name) == nil && !c.from.Redact.names(add.Name) {
				fields, changed = append(fields, add), true
			}
		}
	}
	c.fields = fields
	if !changed {
		return raw
	}
	return c.object(fields)
}

// object writes fields as a JSON object into the collector's memory.
func (c *Collector) object(fields cx.Fields) []byte {
	start := len(c.edits)
	c.edits = append(c.edits, '{')
	for i := range fields {
		if i > 0 {
			c.edits = append(c.edits, ',')
		}
		c.edits = appendName(c.edits, fields[i].Name)
		c.edits = append(c.edits, fields[i].Raw...)
	}
	c.edits = append(c.edits, '}')
	return c.edits[start:len(c.edits):len(c.edits)]
}

// appendName writes a member's name, which came from valid JSON, and its colon.
func appendName(dst []byte, name string) []byte {
	dst, _ = jsontext.AppendQuote(dst, name)
	return append(dst, ':')
}

func validText(item []byte) bool {
	return jsontext.Value(item).IsValid(jsontext.AllowDuplicateNames(true))
}

func isText(raw []byte) bool { return len(raw) > 2 && raw[0] == '"' }

func blank(s string) bool {
	for i := range len(s) {
		if s[i] > ' ' {
			return false
		}
	}
	return true
}

// hasControl reports whether text, read from the JSON string raw, holds a
// control character. In valid JSON only an escape can bring one in.
func hasControl(raw []byte, text string) bool {
	if len(raw) == len(text)+2 {
		return false
	}
	for i := range len(text) {
		if text[i] < ' ' {
			return true
		}
	}
	return false
}

// alias views b as a string without copying.
func alias(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }

func itoa(n int) string { return strconv.Itoa(n) }
