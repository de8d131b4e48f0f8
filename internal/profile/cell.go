package profile

import (
	"github.com/kikubari/kikubari/internal/cx"
)

// A cell is the packed state of one aggregate over some events, at least one.
// It says itself where it ends. Cells of one statistic can be merged in any
// order and grouping with the same bytes as the result, because folding an
// event is merging the cell of that event alone. (Top-N beyond its cap is the
// one exception; see top.go.)
//
//	count      varint
//	sum, min, max  amount
//	avg        amount, varint count
//	first, last    stamp, scalar
//	last_time  signed varint
//	distinct, top, recent  see their files

// appendCell appends the cell of one event, nothing when the event has no value
// for the statistic.
func (s *statistic) appendCell(dst []byte, values []sample, at stamp) []byte {
	switch s.agg {
	case cx.Count:
		n := len(values)
		if s.column < 0 {
			n = 1
		}
		if n == 0 {
			return dst
		}
		return appendUvarint(dst, uint64(n))
	case cx.SumOf, cx.Min, cx.Max, cx.Avg:
		return s.appendNumbers(dst, values)
	case cx.LastTime:
		return appendVarint(dst, int64(at.at))
	default:
		if len(values) == 0 {
			return dst
		}
	}
	switch s.agg {
	case cx.First:
		return values[0].appendScalar(appendStamp(dst, at))
	case cx.Last:
		return values[len(values)-1].appendScalar(appendStamp(dst, at))
	case cx.Distinct:
		return appendDistinct(dst, values)
	case cx.TopN:
		return appendTop(dst, values, s.topCap())
	case cx.RecentN:
		return appendRecent(dst, values, at, s.n)
	default:
		return dst
	}
}

// numbers is what the numeric aggregates are made of.
type numbers struct {
	n        uint64
	sum      cx.Sum
	min, max cx.Micros
}

func (a *numbers) add(m cx.Micros) {
	if a.n == 0 || m < a.min {
		a.min = m
	}
	if a.n == 0 || m > a.max {
		a.max = m
	}
	a.n++
	a.sum = a.sum.Add(m)
}

func (s *statistic) appendNumbers(dst []byte, values []sample) []byte {
	var a numbers
	for i := range values {
		if values[i].number {
			a.add(values[i].amount)
		}
	}
	if a.n == 0 {
		return dst
	}
	switch s.agg {
	case cx.Min:
		return appendMicros(dst, a.min)
	case cx.Max:
		return appendMicros(dst, a.max)
	case cx.Avg:
		return appendUvarint(appendAmount(dst, a.sum), a.n)
	default:
		return appendAmount(dst, a.sum)
	}
}

// skipCell returns the offset behind the cell at b[i:].
func (s *statistic) skipCell(b []byte, i int) int {
	switch s.agg {
	case cx.Count, cx.LastTime:
		_, i = uvarint(b, i)
	case cx.SumOf, cx.Min, cx.Max:
		_, i = amount(b, i)
	case cx.Avg:
		_, i = amount(b, i)
		_, i = uvarint(b, i)
	case cx.First, cx.Last:
		_, i = readStamp(b, i)
		i = skipScalar(b, i)
	case cx.Distinct:
		i = skipDistinct(b, i)
	case cx.TopN:
		i = skipTop(b, i)
	case cx.RecentN:
		i = skipRecent(b, i)
	}
	return i
}

// mergeCells appends the merge of the cells a and b.
func (s *statistic) mergeCells(dst, a, b []byte) []byte {
	switch s.agg {
	case cx.Count:
		x, _ := uvarint(a, 0)
		y, _ := uvarint(b, 0)
		return appendUvarint(dst, x+y)
	case cx.SumOf:
		x, _ := amount(a, 0)
		y, _ := amount(b, 0)
		return appendAmount(dst, x.Plus(y))
	case cx.Avg:
		x, i := amount(a, 0)
		y, j := amount(b, 0)
		n, _ := uvarint(a, i)
		m, _ := uvarint(b, j)
		return appendUvarint(appendAmount(dst, x.Plus(y)), n+m)
	case cx.Distinct:
		return mergeDistinct(dst, a, b)
	case cx.TopN:
		return mergeTop(dst, a, b, s.topCap())
	case cx.RecentN:
		return mergeRecent(dst, a, b, s.n)
	default:
		if s.prefers(b, a) {
			a = b
		}
		return append(dst, a...)
	}
}

// prefers reports whether cell a, of an aggregate that keeps one of two, is
// kept rather than b.
func (s *statistic) prefers(a, b []byte) bool {
	switch s.agg {
	case cx.Min, cx.Max:
		x, y := micros(a), micros(b)
		return s.agg == cx.Min && x < y || s.agg == cx.Max && x > y
	case cx.LastTime:
		x, _ := varint(a, 0)
		y, _ := varint(b, 0)
		return x > y
	default:
		x, _ := readStamp(a, 0)
		y, _ := readStamp(b, 0)
		if s.agg == cx.First {
			return y.after(x)
		}
		return x.after(y)
	}
}

// value reads the cell; lists are written to *scratch and alias it, texts alias
// the cell.
func (s *statistic) value(cell []byte, scratch *[]byte) cx.Value {
	switch s.agg {
	case cx.Count:
		n, _ := uvarint(cell, 0)
		return cx.NumberValue(float64(n))
	case cx.SumOf, cx.Min, cx.Max:
		sum, _ := amount(cell, 0)
		return cx.NumberValue(sum.Float())
	case cx.Avg:
		sum, i := amount(cell, 0)
		n, _ := uvarint(cell, i)
		return cx.NumberValue(sum.Float() / float64(n))
	case cx.First, cx.Last:
		_, i := readStamp(cell, 0)
		return scalarValue(cell[i:])
	case cx.LastTime:
		t, _ := varint(cell, 0)
		return cx.TimeValue(cx.Instant(t))
	case cx.Distinct:
		return cx.NumberValue(distinctCount(cell))
	case cx.TopN:
		return listValue(scratch, func(dst []byte) []byte { return appendTopJSON(dst, cell, s.n) })
	case cx.RecentN:
		return listValue(scratch, func(dst []byte) []byte { return appendRecentJSON(dst, cell) })
	}
	return cx.Value{}
}

// nothing is the value when no event was folded.
func (s *statistic) nothing() cx.Value {
	switch s.agg {
	case cx.Count, cx.SumOf, cx.Distinct:
		return cx.NumberValue(0)
	default:
		return cx.Value{}
	}
}

func listValue(scratch *[]byte, write func([]byte) []byte) cx.Value {
	start := len(*scratch)
	*scratch = write(*scratch)
	return cx.RawList(alias((*scratch)[start:]))
}
