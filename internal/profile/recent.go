package profile

import (
	"bytes"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
)

// A recent-N cell keeps the N different values seen last: their number as a
// varint, then for each a stamp and a scalar, newest first; values of one event
// ascend. The first stamp is whole, later ones are told as what lies between.
type recentValue struct {
	stamp  stamp
	scalar []byte
}

// newer orders recent values, the newest first.
func newer(a, b recentValue) int {
	switch {
	case a.stamp.after(b.stamp):
		return -1
	case b.stamp.after(a.stamp):
		return 1
	}
	return bytes.Compare(a.scalar, b.scalar)
}

func appendRecent(dst []byte, values []sample, at stamp, n int) []byte {
	if len(values) == 1 {
		return values[0].appendScalar(appendStamp(append(dst, 1), at))
	}
	var scalars []byte
	list := make([]recentValue, 0, len(values))
	for i := range values {
		start := len(scalars)
		scalars = values[i].appendScalar(scalars)
		list = append(list, recentValue{at, scalars[start:len(scalars):len(scalars)]})
	}
	return writeRecent(dst, list, n)
}

// writeRecent appends the cell of the newest n different values of list, which
// is not empty and is sorted on the way.
func writeRecent(dst []byte, list []recentValue, n int) []byte {
	slices.SortFunc(list, newer)
	kept := list[:0]
	for _, v := range list {
		same := func(k recentValue) bool { return bytes.Equal(k.scalar, v.scalar) }
		if len(kept) < n && !slices.ContainsFunc(kept, same) {
			kept = append(kept, v)
		}
	}
	dst = appendUvarint(dst, uint64(len(kept)))
	var last stamp
	for i, v := range kept {
		if i == 0 {
			dst = appendStamp(dst, v.stamp)
		} else {
			dst = appendUvarint(dst, uint64(last.at-v.stamp.at))
			dst = appendVarint(dst, int64(last.by-v.stamp.by))
		}
		dst = append(dst, v.scalar...)
		last = v.stamp
	}
	return dst
}

// readRecent appends the values of the cell at the start of b, which alias it.
func readRecent(list []recentValue, b []byte) []recentValue {
	n, i := uvarint(b, 0)
	var s stamp
	for k := range n {
		if k == 0 {
			s, i = readStamp(b, i)
		} else {
			var ago uint64
			var step int64
			ago, i = uvarint(b, i)
			step, i = varint(b, i)
			s = stamp{s.at - cx.Instant(ago), s.by - cx.Position(step)}
		}
		next := skipScalar(b, i)
		list = append(list, recentValue{s, b[i:next]})
		i = next
	}
	return list
}

func skipRecent(b []byte, i int) int {
	n, i := uvarint(b, i)
	for range n {
		_, i = uvarint(b, i)
		_, i = uvarint(b, i)
		i = skipScalar(b, i)
	}
	return i
}

func mergeRecent(dst, a, b []byte, n int) []byte {
	var room [2 * maxN]recentValue
	return writeRecent(dst, readRecent(readRecent(room[:0], a), b), n)
}

func appendRecentJSON(dst, cell []byte) []byte {
	var room [maxN]recentValue
	dst = append(dst, '[')
	for i, v := range readRecent(room[:0], cell) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = appendScalarJSON(dst, v.scalar)
	}
	return append(dst, ']')
}
