package bench

import (
	"math"
	"math/bits"
	"time"
)

// A Histogram counts durations in buckets whose width grows with their value:
// each power of two is cut into 2^subBits buckets, so a quantile is off by at
// most half a bucket, 1/256 of its value. The zero Histogram is empty. It is
// not safe for concurrent use: keep one a goroutine and Merge.
type Histogram struct {
	counts [buckets]uint64
	total  uint64
	max    int64
	sum    float64
}

const (
	subBits = 7
	highest = 40 // durations of 2^40 ns, 18 minutes, and more share the last bucket
	buckets = (highest-subBits+1)<<subBits + 1
)

// Record counts d; a negative duration counts as none.
func (h *Histogram) Record(d time.Duration) {
	ns := max(int64(d), 0)
	h.counts[bucketOf(uint64(ns))]++
	h.total++
	h.sum += float64(ns)
	h.max = max(h.max, ns)
}

// Merge adds the counts of o.
func (h *Histogram) Merge(o *Histogram) {
	for i, n := range o.counts {
		h.counts[i] += n
	}
	h.total += o.total
	h.sum += o.sum
	h.max = max(h.max, o.max)
}

// Count returns how many durations were recorded.
func (h *Histogram) Count() uint64 { return h.total }

// Max returns the longest duration, exactly.
func (h *Histogram) Max() time.Duration { return time.Duration(h.max) }

// Mean returns the mean, 0 when nothing was recorded.
func (h *Histogram) Mean() time.Duration {
	if h.total == 0 {
		return 0
	}
	return time.Duration(h.sum / float64(h.total))
}

// Quantile returns the duration that the share q of all, 0 to 1, do not exceed;
// 0 when nothing was recorded.
func (h *Histogram) Quantile(q float64) time.Duration {
	rank := uint64(math.Ceil(q * float64(h.total)))
	if h.total == 0 {
		return 0
	}
	if rank >= h.total {
		return h.Max()
	}
	var seen uint64
	for i, n := range h.counts {
		if seen += n; seen >= max(rank, 1) {
			return time.Duration(min(middle(i), h.max))
		}
	}
	return h.Max()
}

// bucketOf returns the bucket of v: itself below 2^subBits, and above that its
// power of two and the subBits bits that follow the leading one.
func bucketOf(v uint64) int {
	if v < 1<<subBits {
		return int(v)
	}
	shift := bits.Len64(v) - subBits - 1
	if shift >= highest-subBits {
		return buckets - 1
	}
	return shift<<subBits + int(v>>shift)
}

// middle returns the value in the middle of a bucket.
func middle(bucket int) int64 {
	if bucket < 1<<(subBits+1) {
		return int64(bucket)
	}
	shift := bucket>>subBits - 1
	low := int64(bucket-shift<<subBits) << shift
	return low + int64(1)<<shift/2
}
