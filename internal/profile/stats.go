package profile

import (
	"github.com/kikubari/kikubari/internal/cx"
)

// Customer.Stats is a list of entries by slot: the slot as a varint, the length
// of the payload as a varint, the payload, which is never empty.

// entry is where one statistic lies in Customer.Stats.
type entry struct {
	slot       int
	start, end int // of the payload
}

func entryAt(b []byte, i int) entry {
	slot, i := uvarint(b, i)
	n, i := uvarint(b, i)
	return entry{int(slot), i, i + int(n)}
}

// statsWriter writes entries, in order of slot.
type statsWriter struct {
	dst  []byte
	body int // where the payload being written starts
}

// begin opens the entry of slot; the caller appends the payload to dst.
func (w *statsWriter) begin(slot int) {
	w.dst = append(appendUvarint(w.dst, uint64(slot)), 0)
	w.body = len(w.dst)
}

// end closes the entry, and takes it back when its payload is empty.
func (w *statsWriter) end(start int) {
	n := len(w.dst) - w.body
	if n == 0 {
		w.dst = w.dst[:start]
		return
	}
	if n < 0x80 {
		w.dst[w.body-1] = byte(n)
		return
	}
	var room [10]byte
	length := appendUvarint(room[:0], uint64(n))
	w.dst = append(w.dst, length[1:]...)
	copy(w.dst[w.body-1+len(length):], w.dst[w.body:w.body+n])
	copy(w.dst[w.body-1:], length)
}

// foldStatistics folds the event into every statistic that listens to it, in
// one pass over the packed list.
func (f *Folder) foldStatistics(p *Plan, c *cx.Customer, e *occurrence) {
	x := splicer{old: c.Stats, statsWriter: statsWriter{dst: f.stats[:0]}}
	for _, k := range p.touched(e.Name) {
		s := &p.stats[k]
		key, floor, ok := f.keyOf(s, e)
		if !ok || s.money && !f.inCurrency(s, p) {
			continue
		}
		f.cell = s.appendCell(f.cell[:0], f.values(p, s.column), stamp{e.at, e.position})
		if len(f.cell) == 0 {
			continue
		}
		payload := x.seek(s.slot)
		start := len(x.dst)
		x.begin(s.slot)
		x.dst = s.foldPayload(x.dst, payload, key, f.cell, floor)
		x.end(start)
		f.change.Touch(s.slot)
	}
	if len(x.dst) == 0 {
		return // nothing touched: every entry stays where it is
	}
	x.dst = append(x.dst, x.old[x.kept:]...)
	f.stats, c.Stats = x.dst, replace(c.Stats, x.dst)
}

// splicer rewrites some entries of old and carries the others over.
type splicer struct {
	statsWriter
	old  []byte
	kept int // old[:kept] is carried over or rewritten
	next int // offset of the next entry to look at
}

// seek carries over what comes before slot and returns the payload of slot,
// which the caller rewrites; nil when there is none.
func (x *splicer) seek(slot int) []byte {
	for x.next < len(x.old) {
		e := entryAt(x.old, x.next)
		if e.slot > slot {
			break
		}
		if e.slot == slot {
			x.dst = append(x.dst, x.old[x.kept:x.next]...)
			x.next, x.kept = e.end, e.end
			return x.old[e.start:e.end]
		}
		x.next = e.end
	}
	x.dst = append(x.dst, x.old[x.kept:x.next]...)
	x.kept = x.next
	return nil
}

// replace returns dst holding b, in place when there is room. New room is for an
// event or two more: memory that was outgrown leaves a hole.
func replace(dst, b []byte) []byte {
	if len(b) > cap(dst) || cap(dst) > 4*len(b)+256 {
		dst = make([]byte, 0, len(b)+len(b)/8+16)
	}
	return append(dst[:0], b...)
}

// keyOf says under which key the event belongs in the statistic; ok is false
// when it belongs under none that still matters.
func (f *Folder) keyOf(s *statistic, e *occurrence) (key, floor int64, ok bool) {
	switch s.window {
	case cx.AllTime:
		return 0, 0, true
	case cx.Session, cx.PreviousSession:
		return sessionKey(e.session), s.floor(e.now, nil), e.session != 0
	case cx.Sliding:
		key, floor = floorDiv(e.at, s.width), s.floor(e.now, nil)
	default:
		f.today.move(e.zone, e.now)
		f.then.move(e.zone, e.at)
		key, floor = f.then.key(s.window), f.today.key(s.window)
	}
	return key, floor, key >= floor
}

// values returns the samples of a column, read once an event.
func (f *Folder) values(p *Plan, column int) []sample {
	if column < 0 {
		return nil
	}
	for len(f.columns) < len(p.columns) {
		f.columns = append(f.columns, columnValues{})
	}
	r := &f.columns[column]
	if r.turn != f.turn {
		f.open()
		r.samples, r.turn = f.readColumn(r.samples[:0], &p.columns[column]), f.turn
	}
	return r.samples
}

// columnValues is a column as the event at hand has it.
type columnValues struct {
	turn    uint64
	samples []sample
}

// inCurrency reports whether the event at hand is in the statistic's currency.
func (f *Folder) inCurrency(s *statistic, p *Plan) bool {
	if !f.currencyRead {
		f.open()
		f.currencyRead = true
		if f.currency = cx.Currency(f.fields.Get("currency").Str()); f.currency != p.settings.Currency {
			f.currency = currencyCode(string(f.currency))
		}
	}
	return f.currency == s.code || f.currency == "" && s.own
}

// Drop drops from c the statistics that the plan does not keep, and what is noted
// of them. Those it keeps
// stay as they are, byte for byte: that is a matter of events and merges alone.
func (f *Folder) Drop(p *Plan, c *cx.Customer) {
	f.turn++
	w := statsWriter{dst: f.stats[:0]}
	for i := 0; i < len(c.Stats); {
		x := entryAt(c.Stats, i)
		if k := p.find(x.slot); k >= 0 && !p.stats[k].unknown {
			w.dst = append(w.dst, c.Stats[i:x.end]...)
		}
		i = x.end
	}
	f.stats = w.dst
	if len(c.Unknown) > 0 {
		c.Unknown = keepSlots(c.Unknown, func(slot int) bool { return p.find(slot) >= 0 })
	}
	if len(w.dst) < len(c.Stats) {
		c.Stats = replace(c.Stats, w.dst)
	}
}

// Trim drops from c what no longer counts at log time now: statistics that the
// plan does not ask for any more and windows that have passed. It changes no
// value that can be read.
func (f *Folder) Trim(p *Plan, c *cx.Customer, now cx.Instant) {
	f.turn++
	f.today.move(p.settings.Zone, now)
	f.mergeStatistics(p, c, nil, now)
}

// mergeStatistics merges the packed list other into c's.
func (f *Folder) mergeStatistics(p *Plan, c *cx.Customer, other []byte, now cx.Instant) {
	f.today.move(p.settings.Zone, now)
	w := statsWriter{dst: f.stats[:0]}
	i, j := 0, 0
	for k := range p.stats {
		s := &p.stats[k]
		if s.unknown {
			continue // what is left of an earlier time does not count
		}
		var a, b []byte
		a, i = seek(c.Stats, i, s.slot)
		b, j = seek(other, j, s.slot)
		start := len(w.dst)
		w.begin(s.slot)
		w.dst = s.mergePayloads(w.dst, a, b, s.floor(now, &f.today))
		w.end(start)
	}
	f.stats = w.dst
	c.Stats = replace(c.Stats, w.dst)
}

// seek returns the payload of slot, nil when there is none, and where to go on
// looking for larger slots.
func seek(b []byte, i, slot int) ([]byte, int) {
	for i < len(b) {
		x := entryAt(b, i)
		if x.slot > slot {
			return nil, i
		}
		i = x.end
		if x.slot == slot {
			return b[x.start:x.end], i
		}
	}
	return nil, i
}
