package profile

import (
	"math"

	"github.com/kikubari/kikubari/internal/cx"
)

// A payload is the packed state of one statistic. Over all time it is one cell.
// Otherwise it is a list of cells with keys, newest first: the first key as a
// signed varint, later ones as how much smaller they are.
//
//	sliding   key: number of the bucket since 1970; expired ones are dropped
//	calendar  key: see span; only the newest is kept
//	sessions  key: second in which the session started; the newest two are
//	          kept, as the customer's other half may show them to be one
//
// Keeping the newest few keys, and those from a floor up, are both closed under
// merging, so payloads inherit the laws of their cells.

// floor returns the smallest key that still matters at log time now; day is the
// span that holds now.
func (s *statistic) floor(now cx.Instant, day *span) int64 {
	switch s.window {
	case cx.Sliding:
		return floorDiv(now-s.length, s.width)
	case cx.CalendarDay, cx.CalendarWeek, cx.CalendarMonth:
		return day.key(s.window)
	default:
		return math.MinInt64
	}
}

// keep returns how many keys a payload may have.
func (s *statistic) keep() int {
	switch s.window {
	case cx.Sliding:
		return math.MaxInt
	case cx.Session, cx.PreviousSession:
		return 2
	default:
		return 1
	}
}

// sessionKey is the key of the session that started at t.
func sessionKey(t cx.Instant) int64 { return floorDiv(t, cx.Second) }

// foldPayload appends payload with cell merged in under key.
func (s *statistic) foldPayload(dst, payload []byte, key int64, cell []byte, floor int64) []byte {
	if len(payload) == 0 {
		return s.appendOne(dst, key, cell)
	}
	if s.window == cx.AllTime {
		return s.mergeCells(dst, payload, cell)
	}
	newest, i := varint(payload, 0)
	if newest == key {
		end := s.skipCell(payload, i)
		dst = s.mergeCells(append(dst, payload[:i]...), payload[i:end], cell)
		return append(dst, payload[end:]...)
	}
	var room [64]byte
	return s.mergePayloads(dst, payload, s.appendOne(room[:0], key, cell), floor)
}

func (s *statistic) appendOne(dst []byte, key int64, cell []byte) []byte {
	if s.window != cx.AllTime {
		dst = appendVarint(dst, key)
	}
	return append(dst, cell...)
}

// mergePayloads appends the merge of a and b, either of which may be empty,
// without what lies below floor: nothing when nothing is left.
func (s *statistic) mergePayloads(dst, a, b []byte, floor int64) []byte {
	if s.window == cx.AllTime {
		if len(a) > 0 && len(b) > 0 {
			return s.mergeCells(dst, a, b)
		}
		return append(append(dst, a...), b...)
	}
	x, y := s.read(a), s.read(b)
	w := keyedWriter{dst: dst}
	for n := 0; n < s.keep() && (x.ok || y.ok); n++ {
		key := x.key
		if !x.ok || y.ok && y.key > key {
			key = y.key
		}
		if key < floor {
			break
		}
		inX, inY := x.ok && x.key == key, y.ok && y.key == key
		w.begin(key)
		switch {
		case inX && inY:
			w.dst = s.mergeCells(w.dst, x.cell, y.cell)
		case inX:
			w.dst = append(w.dst, x.cell...)
		default:
			w.dst = append(w.dst, y.cell...)
		}
		if inX {
			x.next()
		}
		if inY {
			y.next()
		}
	}
	return w.dst
}

// cells walks through a payload with keys, newest first.
type cells struct {
	s    *statistic
	b    []byte
	i    int
	key  int64
	cell []byte
	ok   bool
}

// read starts at the newest key of a payload.
func (s *statistic) read(payload []byte) cells {
	c := cells{s: s, b: payload}
	if len(payload) > 0 {
		c.key, c.i = varint(payload, 0)
		c.take()
	}
	return c
}

func (c *cells) take() {
	end := c.s.skipCell(c.b, c.i)
	c.cell, c.i, c.ok = c.b[c.i:end], end, true
}

// next goes on to the next older key; ok tells whether there was one.
func (c *cells) next() {
	if c.i >= len(c.b) {
		c.ok = false
		return
	}
	less, i := uvarint(c.b, c.i)
	c.key, c.i = c.key-int64(less), i
	c.take()
}

// keyedWriter writes the keys of a payload.
type keyedWriter struct {
	dst   []byte
	last  int64
	begun bool
}

// begin writes key, smaller than the one before; its cell has to follow.
func (w *keyedWriter) begin(key int64) {
	if w.begun {
		w.dst = appendUvarint(w.dst, uint64(w.last-key))
	} else {
		w.dst = appendVarint(w.dst, key)
	}
	w.last, w.begun = key, true
}

// rekeyed appends payload with every key replaced by to(key), which must not
// turn their order round; cells whose keys become equal are merged.
func (s *statistic) rekeyed(dst, payload []byte, to func(int64) int64) []byte {
	w := keyedWriter{dst: dst}
	var key int64
	var cell []byte
	for c := s.read(payload); c.ok; c.next() {
		switch k := to(c.key); {
		case cell == nil:
			key, cell = k, c.cell
		case k == key:
			cell = s.mergeCells(nil, cell, c.cell)
		default:
			w.begin(key)
			w.dst = append(w.dst, cell...)
			key, cell = k, c.cell
		}
	}
	if cell != nil {
		w.begin(key)
		w.dst = append(w.dst, cell...)
	}
	return w.dst
}
