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
	n, i := uvarint(a, 0)
	m, j := uvarint(b, 0)
	x, i := uvarint(a, i)
	y, j := uvarint(b, j)
	start := len(dst)
	dst = appendUvarint(appendUvarint(dst, n+m), x+y)
	total := 0
	for ; n > 0 || m > 0; total++ {
		var order int
		var ia, jb int
		if n > 0 {
			ia = skipScalar(a, i)
		}
		if m > 0 {
			jb = skipScalar(b, j)
		}
		switch {
		case n == 0:
			order = 1
		case m == 0:
			order = -1
		default:
			order = bytes.Compare(a[i:ia], b[j:jb])
		}
		var count uint64
		if order <= 0 {
			dst = append(dst, a[i:ia]...)
			count, i = uvarint(a, ia)
			n--
		} else {
			dst = append(dst, b[j:jb]...)
		}
		if order >= 0 {
			var c uint64
			c, j = uvarint(b, jb)
			count += c
			m--
		}
		dst = appendUvarint(dst, count)
	}
	return finishTop(dst, start, total, limit)
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
	_, i := uvarint(dst, start)
	err, i := uvarint(dst, i)
	all := slices.Clone(dst[i:])
	counters := make([]counter, 0, total)
	for i = 0; i < len(all); {
		next := skipScalar(all, i)
		count, end := uvarint(all, next)
		counters = append(counters, counter{all[i:next], count})
		i = end
	}
	counts := make([]uint64, total)
	for k, c := range counters {
		counts[k] = c.count
	}
	slices.Sort(counts)
	off := counts[total-limit-1]
	kept := slices.DeleteFunc(counters, func(c counter) bool { return c.count <= off })
	dst = appendUvarint(appendUvarint(dst[:start], uint64(len(kept))), err+off)
	for _, c := range kept {
		dst = appendUvarint(append(dst, c.scalar...), c.count-off)
	}
	return dst
}

// readTop appends the n largest counters to all, which is empty, largest first,
// equal ones by value, and returns the error too.
func readTop(all []counter, cell []byte, n int) ([]counter, uint64) {
	have, i := uvarint(cell, 0)
	err, i := uvarint(cell, i)
	for range have {
		next := skipScalar(cell, i)
		count, end := uvarint(cell, next)
		all = append(all, counter{cell[i:next], count})
		i = end
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
	return all[:min(n, len(all))], err
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
