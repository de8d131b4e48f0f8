package profile

import (
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
}

// place is where a statistic lies in Stats and what it read, each good only for
// the turn noted with it.
type place struct {
	found, read uint64
	start, end  int32
	value       cx.Value
}

// View returns c's statistics at log time now. The values and the texts in them
// are valid until the Folder's next Apply, View, Trim or Merge; c must not be
// changed meanwhile.
func (f *Folder) View(p *Plan, c *cx.Customer, now cx.Instant) cx.Statistics {
	f.turn++
	v := &f.view
	v.p, v.c, v.now, v.turn, v.lists, v.today = p, c, now, f.turn, v.lists[:0], &f.today
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
	if s.unknown {
		return cx.UnknownValue()
	}
	if at.found != v.turn {
		return s.nothing()
	}
	cell := v.cell(s, v.c.Stats[at.start:at.end])
	if len(cell) == 0 {
		return s.nothing()
	}
	return s.value(cell, &v.lists)
}

// cell returns the one cell that the statistic's window covers now, nil for
// nothing. It may alias the view's scratch.
func (v *view) cell(s *statistic, payload []byte) []byte {
	switch s.window {
	case cx.AllTime:
		return payload
	case cx.Sliding:
		return v.sum(s, payload, floorDiv(v.now-s.length, s.width))
	case cx.Session, cx.PreviousSession:
		start := sessionRead(v.c, s.window, v.now)
		if start == 0 {
			return nil
		}
		return s.cellAt(payload, sessionKey(start))
	}
	v.today.move(v.p.settings.Zone, v.now)
	return s.cellAt(payload, v.today.key(s.window))
}

// sessionRead returns the start of the session that a session window reads at
// now, 0 for none.
func sessionRead(c *cx.Customer, w cx.WindowKind, now cx.Instant) cx.Instant {
	switch running := c.InSession(now); {
	case w == cx.Session && !running:
		return 0
	case w == cx.PreviousSession && running:
		return c.Previous.Start
	}
	return c.Session.Start
}

// cellAt returns the cell under key, nil when there is none.
func (s *statistic) cellAt(payload []byte, key int64) []byte {
	for c := s.read(payload); c.ok && c.key >= key; c.next() {
		if c.key == key {
			return c.cell
		}
	}
	return nil
}

// sum merges the cells from the newest down to floor.
func (v *view) sum(s *statistic, payload []byte, floor int64) []byte {
	if s.agg == cx.Count || s.agg == cx.SumOf {
		return v.total(s, payload, floor)
	}
	var total []byte
	for c := s.read(payload); c.ok && c.key >= floor; c.next() {
		if total == nil {
			total = c.cell
			continue
		}
		total = s.mergeCells(v.scratch[0][:0], total, c.cell)
		v.scratch[0], v.scratch[1] = v.scratch[1], total
	}
	return total
}

// total is sum for counts and totals, which need not be packed in between.
func (v *view) total(s *statistic, payload []byte, floor int64) []byte {
	var sum cx.Sum
	var n uint64
	c := s.read(payload)
	if !c.ok || c.key < floor {
		return nil
	}
	for ; c.ok && c.key >= floor; c.next() {
		if s.agg == cx.Count {
			one, _ := uvarint(c.cell, 0)
			n += one
		} else {
			one, _ := amount(c.cell, 0)
			sum = sum.Plus(one)
		}
	}
	if s.agg == cx.Count {
		v.scratch[0] = appendUvarint(v.scratch[0][:0], n)
	} else {
		v.scratch[0] = appendAmount(v.scratch[0][:0], sum)
	}
	return v.scratch[0]
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
	cell := f.view.cell(s, c.Stats[at.start:at.end])
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
// a session ends by silence. ok is false when time alone changes nothing.
func (f *Folder) NextChange(p *Plan, c *cx.Customer, slot int, now cx.Instant) (at cx.Instant, ok bool) {
	k := p.find(slot)
	if k < 0 {
		return 0, false
	}
	s := &p.stats[k]
	payload, _ := seek(c.Stats, 0, slot)
	if len(payload) == 0 || s.window == cx.AllTime {
		return 0, false
	}
	switch s.window {
	case cx.Session, cx.PreviousSession:
		if !c.InSession(now) {
			return 0, false
		}
		running := s.cellAt(payload, sessionKey(c.Session.Start)) != nil
		before := s.window == cx.PreviousSession && c.Previous.Start != 0 && s.cellAt(payload, sessionKey(c.Previous.Start)) != nil
		return c.Session.End + cx.SessionGap, running || before
	case cx.Sliding:
		return s.nextExpiry(payload, now)
	}
	f.today.move(p.settings.Zone, now)
	if s.cellAt(payload, f.today.key(s.window)) == nil {
		return 0, false
	}
	return periodEnd(p.settings.Zone, now, s.window), true
}

// nextExpiry returns when the oldest bucket that counts at now stops counting.
func (s *statistic) nextExpiry(payload []byte, now cx.Instant) (cx.Instant, bool) {
	floor, oldest, ok := floorDiv(now-s.length, s.width), int64(0), false
	for c := s.read(payload); c.ok && c.key >= floor; c.next() {
		oldest, ok = c.key, true
	}
	return cx.Instant(oldest+1)*s.width + s.length, ok
}
