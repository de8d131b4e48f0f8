package duckdb

import (
	"path/filepath"
	"testing"
	"time"
)

// BenchmarkCopy copies a warehouse of a million events; held is how long appends
// had to wait for it.
func BenchmarkCopy(b *testing.B) {
	dir := b.TempDir()
	w := open(b, Options{Path: filepath.Join(dir, "warehouse.duckdb")})
	for n := uint64(1); n <= 20; n++ {
		if err := w.Append(b.Context(), visits(n, 50_000, 100_000)); err != nil {
			b.Fatal(err)
		}
	}
	held := time.Duration(0)
	b.ResetTimer()
	for b.Loop() {
		start := time.Now()
		if _, _, err := w.settle(b.Context()); err != nil {
			b.Fatal(err)
		}
		w.mu.RUnlock()
		held = max(held, time.Since(start))
		if _, err := w.Copy(b.Context(), filepath.Join(dir, "copy.duckdb")); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(held.Microseconds())/1000, "held-ms")
	info, err := w.file.source.Stat()
	if err != nil {
		b.Fatal(err)
	}
	b.ReportMetric(float64(info.Size())/(1<<20), "MB")
}
