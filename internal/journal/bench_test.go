package journal_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

// BenchmarkAppend measures durable appends of events of 600 bytes with a live
// follower, in events a second over all producers.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct{ producers, batch int }{{32, 50}, {256, 1}, {64, 1}, {1, 1}} {
		b.Run(fmt.Sprintf("producers=%d/batch=%d", c.producers, c.batch), func(b *testing.B) {
			j := open(b, journal.Options{Dir: b.TempDir()})
			ctx, cancel := context.WithCancel(context.Background())
			seen, caughtUp, ended := 0, make(chan struct{}), make(chan error, 1)
			go func() {
				ended <- j.Follow(ctx, 0, func(r *journal.Record) error {
					before := seen
					if seen += len(r.Entries); before < b.N && seen >= b.N {
						close(caughtUp)
					}
					return nil
				})
			}()
			b.ReportAllocs()
			b.SetBytes(600)
			before := processorTime(b)
			appendConcurrently(b, j, c.producers, c.batch)
			b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/event")
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
			last, _ := j.Last()
			b.ReportMetric(float64(b.N)/float64(last), "events/commit")
			<-caughtUp
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				b.Error(err)
			}
		})
	}
}

// processorTime is what this process has used of the processor. It is steadier
// than the clock on a machine with other work.
func processorTime(b *testing.B) time.Duration {
	b.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// appendConcurrently appends b.N events.
func appendConcurrently(b *testing.B, j *journal.Journal, producers, batch int) {
	b.Helper()
	var left atomic.Int64
	left.Store(int64(b.N))
	var wg sync.WaitGroup
	for range producers {
		wg.Go(func() {
			entries := make([]cx.Entry, batch)
			for i := range entries {
				entries[i] = cx.Entry{Kind: cx.EntryEvent, Payload: make([]byte, 600)}
			}
			for left.Add(-int64(batch)) > -int64(batch) {
				if _, err := j.Append(context.Background(), entries, j); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
}

// BenchmarkRead measures replay from storage, in events a second.
func BenchmarkRead(b *testing.B) {
	j := open(b, journal.Options{Dir: b.TempDir()})
	entries := make([]cx.Entry, 800)
	for i := range entries {
		entries[i] = cx.Entry{Kind: cx.EntryEvent, Payload: make([]byte, 600)}
	}
	const records = 200
	for range records {
		if _, err := j.Append(b.Context(), entries, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.SetBytes(records * 800 * 600)
	for b.Loop() {
		n := 0
		if err := j.Read(b.Context(), 0, 0, func(r *journal.Record) error { n += len(r.Entries); return nil }); err != nil || n != records*800 {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(records*800*b.N)/b.Elapsed().Seconds(), "events/s")
}
