package collect

import "github.com/kikubari/kikubari/internal/cx"

const (
	liveSpan  = 7 * cx.Day    // how old a live event may be
	clockSlip = 5 * cx.Minute // how far ahead a clock may be before we say so
)

// fillTimes sets when the event happened. A client's clock may be wrong, but
// it is wrong in the same way when the event happens and when it is sent, so
// the age of the event at sending is trusted and the clock is not.
//
// A live event lies within the seven days before receipt; a historical one
// keeps the time it gives, up to the time of receipt.
func (c *Collector) fillTimes(i int, e *cx.Event, f facts) {
	e.Time = c.receivedAt
	c.fillHistory(i, e, f)
	original, ok := c.instant(i, c.original(c.last))
	if !ok {
		return
	}
	e.Original = original
	e.Flags |= cx.TimeSet
	e.Time = original
	if sent, ok := c.sent(i); ok && !e.Has(cx.Historical) {
		e.Time = c.receivedAt - (sent - original)
	}
	earliest := c.receivedAt - liveSpan
	if e.Has(cx.Historical) {
		earliest = e.Time
	}
	if e.Time < earliest || e.Time > c.receivedAt+clockSlip {
		c.altered(i, TimeClamped)
	}
	e.Time = min(max(e.Time, earliest), c.receivedAt)
}

func (c *Collector) fillHistory(i int, e *cx.Event, f facts) {
	switch {
	case !c.historical && !isTrue(c.raw(f.historical)) && !isTrue(c.raw(c.last.historical)):
	case c.from.Kind == cx.ServerKey:
		e.Flags |= cx.Historical
	default:
		c.altered(i, NotHistorical)
	}
}

// sent reads when the event was sent, as it or its batch says; what the batch
// says is read once.
func (c *Collector) sent(i int) (cx.Instant, bool) {
	if c.last.sentAt.found() {
		return c.instant(i, c.raw(c.last.sentAt))
	}
	if !c.batchSent.done {
		c.batchSent = read(c.sentAt)
	}
	return c.remark(i, c.batchSent)
}

// instant reads a time; what is there and cannot be read is remarked.
func (c *Collector) instant(i int, raw []byte) (cx.Instant, bool) {
	return c.remark(i, read(raw))
}

func (c *Collector) remark(i int, r reading) (cx.Instant, bool) {
	if r.bad {
		c.altered(i, InvalidTime)
	}
	return r.time, r.ok
}

// reading is what came of reading a time.
type reading struct {
	time          cx.Instant
	ok, bad, done bool // neither ok nor bad: there was none
}

func read(raw []byte) reading {
	if len(raw) == 0 || isNull(raw) {
		return reading{done: true}
	}
	t, ok := ParseTime(raw)
	return reading{time: t, ok: ok, bad: !ok, done: true}
}

// ParseTime reads the raw JSON of a time: text in the forms of ISO 8601 that
// clients use (date, or date and time with 'T' or a space; hours and minutes at
// least; any fraction; 'Z', an offset, or UTC when there is neither; years 1 to
// 9999), or milliseconds since 1970 as a number or as text, taken for seconds
// when below 10^11. ok is false for anything else and for 1970-01-01T00:00:00Z
// itself, which only ever means "not set".
func ParseTime(raw []byte) (t cx.Instant, ok bool) {
	if len(raw) == 0 {
		return 0, false
	}
	if raw[0] != '"' {
		return parseEpoch(raw)
	}
	s := cx.ParseValue(raw).Str()
	if t, ok = parseISO(s); !ok && len(s) >= 9 {
		t, ok = parseEpoch([]byte(s))
	}
	return t, ok && t != 0
}

const maxInstant = cx.Instant(253_402_300_800_000_000) // the end of the year 9999

func parseEpoch(raw []byte) (cx.Instant, bool) {
	m, ok := cx.ParseMicros(raw)
	t := cx.Instant(m) // seconds in millionths are microseconds
	if m >= 1e11*cx.MicrosPerUnit || m <= -1e11*cx.MicrosPerUnit {
		t /= 1000
	}
	return t, ok && t != 0 && t < maxInstant && t > -maxInstant
}

// parseISO reads a date and, when it goes on, a time and a zone.
func parseISO(s string) (cx.Instant, bool) {
	p := timeReader{s: s}
	days, ok := p.date()
	if !ok {
		return 0, false
	}
	t := cx.Instant(days) * cx.Day
	if p.done() {
		return t, true
	}
	if c := p.next(); c != 'T' && c != 't' && c != ' ' {
		return 0, false
	}
	clock, ok := p.clock()
	if !ok {
		return 0, false
	}
	offset, ok := p.zone()
	return t + clock - offset, ok && p.done()
}

// timeReader reads the parts of a time from left to right.
type timeReader struct {
	s string
	i int
}

func (p *timeReader) done() bool { return p.i == len(p.s) }

// next returns the next byte and steps over it, 0 at the end.
func (p *timeReader) next() byte {
	if p.done() {
		return 0
	}
	p.i++
	return p.s[p.i-1]
}

// skip steps over c if it is next.
func (p *timeReader) skip(c byte) bool {
	if p.i < len(p.s) && p.s[p.i] == c {
		p.i++
		return true
	}
	return false
}

// number reads exactly n digits with a value between lo and hi.
func (p *timeReader) number(n, lo, hi int) (v int, ok bool) {
	if p.i+n > len(p.s) {
		return 0, false
	}
	for range n {
		d := p.s[p.i] - '0'
		if d > 9 {
			return 0, false
		}
		v = v*10 + int(d)
		p.i++
	}
	return v, lo <= v && v <= hi
}

// date reads 2006-01-02 or 20060102 and returns the days since 1970.
func (p *timeReader) date() (days int, ok bool) {
	y, ok1 := p.number(4, 1, 9999)
	dashed := p.skip('-')
	m, ok2 := p.number(2, 1, 12)
	if dashed && !p.skip('-') {
		return 0, false
	}
	if !ok1 || !ok2 {
		return 0, false
	}
	d, ok3 := p.number(2, 1, daysIn(y, m))
	return daysSince1970(y, m, d), ok3
}

// clock reads 15:04, 15:04:05.999 or the same without colons. A second 60 is
// the first of the next minute.
func (p *timeReader) clock() (t cx.Instant, ok bool) {
	h, ok1 := p.number(2, 0, 23)
	p.skip(':')
	m, ok2 := p.number(2, 0, 59)
	t = cx.Instant(h)*cx.Hour + cx.Instant(m)*cx.Minute
	if !ok1 || !ok2 {
		return 0, false
	}
	if !p.skip(':') && (p.done() || p.s[p.i] < '0' || p.s[p.i] > '9') {
		return t, true
	}
	s, ok3 := p.number(2, 0, 60)
	t += cx.Instant(s) * cx.Second
	if !ok3 || !p.skip('.') && !p.skip(',') {
		return t, ok3
	}
	fraction, ok4 := p.fraction()
	return t + fraction, ok4
}

// fraction reads digits of a second; those below a microsecond are dropped.
func (p *timeReader) fraction() (t cx.Instant, ok bool) {
	unit := cx.Second / 10
	for !p.done() && p.s[p.i] >= '0' && p.s[p.i] <= '9' {
		t += cx.Instant(p.s[p.i]-'0') * unit
		unit /= 10
		p.i++
		ok = true
	}
	return t, ok
}

// zone reads Z, +09:00, +0900 or +09; nothing is UTC.
func (p *timeReader) zone() (offset cx.Instant, ok bool) {
	switch c := p.next(); c {
	case 0, 'Z', 'z':
		return 0, true
	case '+', '-':
		h, ok1 := p.number(2, 0, 23)
		m, ok2 := 0, true
		if p.skip(':') || !p.done() {
			m, ok2 = p.number(2, 0, 59)
		}
		offset = cx.Instant(h)*cx.Hour + cx.Instant(m)*cx.Minute
		if c == '-' {
			offset = -offset
		}
		return offset, ok1 && ok2
	}
	return 0, false
}

func daysIn(y, m int) int {
	switch m {
	case 4, 6, 9, 11:
		return 30
	case 2:
		if y%4 == 0 && (y%100 != 0 || y%400 == 0) {
			return 29
		}
		return 28
	}
	return 31
}

// daysSince1970 counts days in the proleptic Gregorian calendar (Howard
// Hinnant, "chrono-compatible low-level date algorithms": days_from_civil).
func daysSince1970(y, m, d int) int {
	if m <= 2 {
		y--
		m += 12
	}
	era := y / 400
	yearOfEra := y - era*400
	dayOfYear := (153*(m-3)+2)/5 + d - 1
	dayOfEra := yearOfEra*365 + yearOfEra/4 - yearOfEra/100 + dayOfYear
	return era*146_097 + dayOfEra - 719_468
}
