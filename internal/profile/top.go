package profile

import (
	"bytes"
	"encoding/binary"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// A top-N cell counts values: the number of counters and the error as varints,
// then for each counter a scalar and its count, ascending by scalar.
//
// Up to the cap of counters (64, or 4 N when that is more) every count is exact,
// the error is 0 and merging is associative. Beyond, it is a Misra–Gries summary
// merged as in Agarwal et al., "Mergeable Summaries" (2012): the largest count
// that does not fit is taken off every counter and added to the error. A value's
// true count then lies between its counter (0 when it has none) and its counter
// plus the error; the error is at most all counts divided by cap+1. Merging
// stays commutative, but another grouping may give another summary within the
// same bound.
const (
	maxN   = 30
	minCap = 64
)

func (s *statistic) topCap() int { return max(minCap, 4*s.n) }

// counter is one value, packed, and how often it was seen.
type counter struct {
	scalar []byte
	count  uint64
}

// TopValue is one of the most frequent values. Its true count lies between
// Count and Count plus the error of the list.
type TopValue struct {
	Value cx.Value
	Count uint64
}

func appendTop(dst []byte, values []sample, limit int) []byte {
	start := len(dst)
	dst = append(values[0].appendScalar(append(dst, 1, 0)), 1)
	for i := range values[1:] {
		var room [maxText + 16]byte
		one := append(values[1+i].appendScalar(append(room[:0], 1, 0)), 1)
		all := bytes.Clone(dst[start:])
		dst = mergeTop(dst[:start], all, one, limit)
	}
	return dst
}

func skipTop(b []byte, i int) int {
	n, i := uvarint(b, i)
	_, i = uvarint(b, i)
	for range n {
		_, i = uvarint(b, skipScalar(b, i))
	}
	return i
}

// mergeTop appends the merge of a and b with at most limit counters.
func mergeTop(dst, a, b []byte, limit int) []byte {
	x, y := readCounters(a), readCounters(b)
	start, total := len(dst), 0
	dst = appendUvarint(appendUvarint(dst, x.left+y.left), x.err+y.err)
	x.next()
	y.next()
	for ; x.ok || y.ok; total++ {
		c := x.counter
		switch order := x.compare(&y); {
		case order < 0:
			x.next()
		case order > 0:
			c = y.counter
			y.next()
		default:
			c.count += y.count
			x.next()
			y.next()
		}
		dst = appendUvarint(append(dst, c.scalar...), c.count)
	}
	return finishTop(dst, start, total, limit)
}

// counters walks through the counters of a cell.
type counters struct {
	counter
	ok   bool
	b    []byte
	left uint64
	err  uint64
}

// readCounters starts before the first counter of cell.
func readCounters(cell []byte) counters {
	n, i := uvarint(cell, 0)
	err, i := uvarint(cell, i)
	return counters{b: cell[i:], left: n, err: err}
}

func (c *counters) next() {
	if c.ok = c.left > 0; !c.ok {
		return
	}
	c.left--
	end := skipScalar(c.b, 0)
	c.scalar = c.b[:end]
	c.count, end = uvarint(c.b, end)
	c.b = c.b[end:]
}

// compare orders the counters at hand by their scalars; one that has ended comes
// last.
func (c *counters) compare(o *counters) int {
	switch {
	case !c.ok:
		return 1
	case !o.ok:
		return -1
	}
	return bytes.Compare(c.scalar, o.scalar)
}

// finishTop corrects the number of counters of the cell at dst[start:], and
// shrinks the cell when it has more than limit.
func finishTop(dst []byte, start, total, limit int) []byte {
	n, i := uvarint(dst, start)
	if total > limit {
		return shrinkTop(dst, start, total, limit)
	}
	if uint64(total) == n {
		return dst
	}
	var head [binary.MaxVarintLen64]byte
	h := appendUvarint(head[:0], uint64(total))
	return slices.Replace(dst, start, i, h...)
}

// shrinkTop takes the (limit+1)-th largest count off every counter and drops
// those that reach nothing.
func shrinkTop(dst []byte, start, total, limit int) []byte {
	all := readCounters(bytes.Clone(dst[start:]))
	list := make([]counter, 0, total)
	all.left = uint64(total)
	for all.next(); all.ok; all.next() {
		list = append(list, all.counter)
	}
	counts := make([]uint64, total)
	for k, c := range list {
		counts[k] = c.count
	}
	slices.Sort(counts)
	off := counts[total-limit-1]
	kept := slices.DeleteFunc(list, func(c counter) bool { return c.count <= off })
	dst = appendUvarint(appendUvarint(dst[:start], uint64(len(kept))), all.err+off)
	for _, c := range kept {
		dst = appendUvarint(append(dst, c.scalar...), c.count-off)
	}
	return dst
}

// readTop appends the n largest counters to all, which is empty, largest first,
// equal ones by value, and returns the error too.
func readTop(all []counter, cell []byte, n int) ([]counter, uint64) {
	c := readCounters(cell)
	for c.next(); c.ok; c.next() {
		all = append(all, c.counter)
	}
	slices.SortFunc(all, func(a, b counter) int {
		if a.count != b.count {
			if a.count > b.count {
				return -1
			}
			return 1
		}
		return bytes.Compare(a.scalar, b.scalar)
	})
	return all[:min(n, len(all))], c.err
}

func appendTopJSON(dst, cell []byte, n int) []byte {
	var room [minCap]counter
	top, _ := readTop(room[:0], cell, n)
	dst = append(dst, '[')
	for i, c := range top {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendScalarJSON(dst, c.scalar)
	}
	return append(dst, ']')
}
