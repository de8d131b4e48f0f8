package profile

import (
	"math"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// view is one customer's statistics as they read at one log time. Each value
// is computed when it is first asked for.
type view struct {
	p       *Plan
	c       *cx.Customer
	now     cx.Instant
	turn    uint64
	places  []place   // by index in the plan
	scratch [2][]byte // cells being merged
	lists   []byte    // JSON of list values
	today   *span
	visits  visits
}

// visits are what session windows read at a log time: the keys of sessions, and
// when the running one ends if nothing happens.
type visits struct {
	running           bool
	ends              cx.Instant
	session, previous int64 // noSession for none
}

const noSession = math.MaxInt64

func visitsOf(c *cx.Customer, now cx.Instant) visits {
	v := visits{running: c.InSession(now), ends: c.Session.End + cx.SessionGap, session: noSession, previous: noSession}
	if c.Session.Start != 0 {
		v.session = sessionKey(c.Session.Start)
	}
	if c.Previous.Start != 0 {
		v.previous = sessionKey(c.Previous.Start)
	}
	return v
}

// read returns the key of the session that a session window reads.
func (v *visits) read(w cx.WindowKind) int64 {
	switch {
	case w == cx.Session && !v.running:
		return noSession
	case w == cx.PreviousSession && v.running:
		return v.previous
	}
	return v.session
}

// place is where a statistic lies in Stats, what it read and when the oldest
// bucket in that stops counting, each good only for the turn noted with it.
type place struct {
	found, read, aged uint64
	start, end        int32
	value             cx.Value
	expiry            cx.Instant // 0: no bucket counts
}

// View returns c's statistics at log time now. The values and the texts in them
// are valid until the Folder's next Apply, View, Trim or Merge; c must not be
// changed meanwhile.
func (f *Folder) View(p *Plan, c *cx.Customer, now cx.Instant) cx.Statistics {
	f.turn++
	v := &f.view
	v.p, v.c, v.now, v.turn, v.lists, v.today, v.visits = p, c, now, f.turn, v.lists[:0], &f.today, visitsOf(c, now)
	for len(v.places) < len(p.stats) {
		v.places = append(v.places, place{})
	}
	for i := 0; i < len(c.Stats); {
		x := entryAt(c.Stats, i)
		if k := p.find(x.slot); k >= 0 {
			at := &v.places[k]
			at.found, at.start, at.end = v.turn, int32(x.start), int32(x.end)
		}
		i = x.end
	}
	return v
}

// Value implements cx.Statistics. A slot that the plan does not know is
// Missing.
func (v *view) Value(slot int) cx.Value {
	k := v.p.find(slot)
	if k < 0 {
		return cx.Value{}
	}
	at := &v.places[k]
	if at.read != v.turn {
		at.value, at.read = v.compute(&v.p.stats[k], at), v.turn
	}
	return at.value
}

func (v *view) compute(s *statistic, at *place) cx.Value {
	if s.unknown || len(v.c.Unknown) > 0 && slices.Contains(v.c.Unknown, s.slot) {
		return cx.UnknownValue()
	}
	if at.found != v.turn {
		return s.nothing()
	}
	if s.window == cx.Sliding && (s.agg == cx.Count || s.agg == cx.SumOf) {
		return v.total(s, at)
	}
	cell := v.cell(s, at)
	if len(cell) == 0 {
		return s.nothing()
	}
	return s.value(cell, &v.lists)
}

// payload returns the packed state of a statistic that was found.
func (v *view) payload(at *place) []byte { return v.c.Stats[at.start:at.end] }

// cell returns the one cell that the statistic's window covers now, perhaps with
// what follows it, nil for nothing. It may alias the view's scratch.
func (v *view) cell(s *statistic, at *place) []byte {
	switch s.window {
	case cx.AllTime:
		return v.payload(at)
	case cx.Sliding:
		return v.sum(s, at)
	case cx.Session, cx.PreviousSession:
		return s.cellAt(v.payload(at), v.visits.read(s.window))
	default:
		v.today.move(v.p.settings.Zone, v.now)
		return s.cellAt(v.payload(at), v.today.key(s.window))
	}
}

// cellAt returns the cell under key, perhaps with what follows it, nil when there
// is none. It is nearly always the newest.
func (s *statistic) cellAt(payload []byte, key int64) []byte {
	newest, i := varint(payload, 0)
	if newest == key {
		return payload[i:]
	}
	if newest < key {
		return nil
	}
	for c := s.read(payload); c.ok && c.key >= key; c.next() {
		if c.key == key {
			return c.cell
		}
	}
	return nil
}

// sum merges the cells of a sliding window.
func (v *view) sum(s *statistic, at *place) []byte {
	var total []byte
	floor, oldest := floorDiv(v.now-s.length, s.width), int64(0)
	for c := s.read(v.payload(at)); c.ok && c.key >= floor; c.next() {
		oldest = c.key
		if total == nil {
			total = c.cell
			continue
		}
		total = s.mergeCells(v.scratch[0][:0], total, c.cell)
		v.scratch[0], v.scratch[1] = v.scratch[1], total
	}
	v.age(s, at, oldest, total != nil)
	return total
}

// total is the value of a count or a sum over a sliding window. It does what sum
// does without cells in between.
func (v *view) total(s *statistic, at *place) cx.Value {
	var sum cx.Sum
	var n, less uint64
	payload := v.payload(at)
	floor, oldest, some := floorDiv(v.now-s.length, s.width), int64(0), false
	for key, i := varint(payload, 0); key >= floor; key -= int64(less) {
		oldest, some = key, true
		if s.agg == cx.Count {
			var one uint64
			one, i = uvarint(payload, i)
			n += one
		} else {
			var one cx.Sum
			one, i = amount(payload, i)
			sum = sum.Plus(one)
		}
		if i == len(payload) {
			break
		}
		less, i = uvarint(payload, i)
	}
	v.age(s, at, oldest, some)
	if s.agg == cx.Count {
		return cx.NumberValue(float64(n))
	}
	return cx.NumberValue(sum.Float())
}

// age notes when the oldest bucket of a sliding window stops counting, if there
// is any.
func (v *view) age(s *statistic, at *place, oldest int64, some bool) {
	at.aged, at.expiry = v.turn, 0
	if some {
		at.expiry = cx.Instant(oldest+1)*s.width + s.length
	}
}

// Top returns the most frequent values of the top-N statistic in slot at log
// time now, most frequent first, and by how much a count may be too low. Texts
// alias c. It returns nothing when slot holds another kind of statistic.
func (f *Folder) Top(p *Plan, c *cx.Customer, slot int, now cx.Instant) (values []TopValue, err uint64) {
	k := p.find(slot)
	if k < 0 || p.stats[k].agg != cx.TopN {
		return nil, 0
	}
	f.View(p, c, now)
	at, s := &f.view.places[k], &p.stats[k]
	if at.found != f.turn {
		return nil, 0
	}
	cell := f.view.cell(s, at)
	if len(cell) == 0 {
		return nil, 0
	}
	counters, err := readTop(nil, append([]byte(nil), cell...), s.n)
	for _, t := range counters {
		values = append(values, TopValue{Value: scalarValue(t.scalar), Count: t.count})
	}
	return values, err
}

// NextChange returns the earliest instant after now at which the value of the
// statistic in slot changes by time alone: a bucket or a calendar period passes,
// a session ends by silence. ok is false when time alone changes nothing. After
// View of the same customer and log time it costs little; otherwise it is like
// a View itself.
func (f *Folder) NextChange(p *Plan, c *cx.Customer, slot int, now cx.Instant) (at cx.Instant, ok bool) {
	k := p.find(slot)
	if k < 0 || p.stats[k].window == cx.AllTime || p.stats[k].unknown {
		return 0, false
	}
	v := &f.view
	if v.turn != f.turn || v.p != p || v.c != c || v.now != now {
		f.View(p, c, now)
	}
	if v.places[k].found != v.turn {
		return 0, false
	}
	return v.nextChange(&p.stats[k], &v.places[k])
}

func (v *view) nextChange(s *statistic, at *place) (cx.Instant, bool) {
	switch s.window {
	case cx.Session, cx.PreviousSession:
		if !v.visits.running {
			return 0, false
		}
		payload := v.payload(at)
		counts := s.cellAt(payload, v.visits.session) != nil || s.window == cx.PreviousSession && s.cellAt(payload, v.visits.previous) != nil
		return v.visits.ends, counts
	case cx.Sliding:
		if at.aged != v.turn {
			v.findOldest(s, at)
		}
		return at.expiry, at.expiry != 0
	default:
		v.today.move(v.p.settings.Zone, v.now)
		if s.cellAt(v.payload(at), v.today.key(s.window)) == nil {
			return 0, false
		}
		return v.today.periodEnd(s.window), true
	}
}

// findOldest ages a sliding window that was not read.
func (v *view) findOldest(s *statistic, at *place) {
	floor, oldest, some := floorDiv(v.now-s.length, s.width), int64(0), false
	for c := s.read(v.payload(at)); c.ok && c.key >= floor; c.next() {
		oldest, some = c.key, true
	}
	v.age(s, at, oldest, some)
}
