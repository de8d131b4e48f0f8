package bench

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestQuantilesAreWithinOnePerCent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) int64 {
			return rapid.Int64Range(0, int64(1)<<rapid.IntRange(1, 39).Draw(t, "magnitude")).Draw(t, "ns")
		}), 1, 300).Draw(t, "durations")
		var h, left, right Histogram
		for i, ns := range all {
			h.Record(time.Duration(ns))
			if i%3 == 0 {
				left.Record(time.Duration(ns))
			} else {
				right.Record(time.Duration(ns))
			}
		}
		left.Merge(&right)
		if h.counts != left.counts || h.Max() != left.Max() || h.Count() != left.Count() {
			t.Fatal("merging two parts does not give the whole")
		}
		slices.Sort(all)
		for _, q := range []float64{0, 0.01, 0.5, 0.9, 0.99, 0.999, 1} {
			rank := max(int(math.Ceil(q*float64(len(all)))), 1)
			exact, got := float64(all[rank-1]), float64(h.Quantile(q))
			if math.Abs(got-exact) > exact*0.01 {
				t.Fatalf("quantile %v of %v: %v, want %v", q, all, got, exact)
			}
		}
	})
}

func TestHistogramEdges(t *testing.T) {
	var h Histogram
	if h.Quantile(0.5) != 0 || h.Mean() != 0 {
		t.Error("an empty histogram has quantiles")
	}
	h.Record(-time.Second)
	h.Record(48 * time.Hour)
	if h.Quantile(0.5) != 0 || h.Quantile(1) != 48*time.Hour || h.Mean() != 24*time.Hour {
		t.Errorf("p50 %v, p100 %v, mean %v", h.Quantile(0.5), h.Quantile(1), h.Mean())
	}
	for v := uint64(1); v < 1<<highest; v = v*5/4 + 1 {
		if b := bucketOf(v); b >= buckets-1 || bucketOf(v-1) > b {
			t.Fatalf("bucket of %d is %d of %d, that of %d is %d", v, b, buckets, v-1, bucketOf(v-1))
		}
	}
}

func BenchmarkRecord(b *testing.B) {
	var h Histogram
	for i := range b.N {
		h.Record(time.Duration(i) * 977)
	}
}
