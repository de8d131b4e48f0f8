package journal_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

// payloads are events like those of a browser: 700 bytes, of which about a
// hundred are its own.
func payloads(n int) [][]byte {
	random := rand.New(rand.NewPCG(uint64(n), 1))
	all := make([][]byte, n)
	for i := range all {
		path := fmt.Sprintf("/products/%d", random.IntN(2000))
		all[i] = fmt.Appendf(nil, `%016x%sPage Viewed;ajs-next-1795371077%03d-%x-%x-%x$%x-%x-%xu-%06d`+
			`{"path":"%s","url":"https://shop.example%[11]s","referrer":"https://shop.example/","search":"","title":"Product %d"}`+
			`{"page":{"path":"%[11]s","referrer":"https://shop.example/","search":"","title":"Product %[12]d | shop","url":"https://shop.example%[11]s"},`+
			`"userAgent":"Mozilla/5.0 (iPhone; CPU iPhone OS 19_%d like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Mobile/15E148 Safari/604.1",`+
			`"locale":"ja-JP","library":{"name":"analytics.js","version":"npm:next-1.84.0"},"timezone":"Asia/Tokyo","ip":"127.0.0.0"}`,
			1795371077000000+i, "bench k_9hfwp7atcg3ka5kc", i%1000, random.Uint32(), random.Uint32(), random.Uint64(),
			random.Uint32(), random.Uint32(), random.Uint64(), random.IntN(1_000_000), path, random.IntN(2000), random.IntN(4))
	}
	return all
}

// entriesOf makes an event of each payload.
func entriesOf(payloads [][]byte) []cx.Entry {
	entries := make([]cx.Entry, len(payloads))
	for i, p := range payloads {
		entries[i] = cx.Entry{Kind: cx.EntryEvent, Payload: p}
	}
	return entries
}

// BenchmarkAppend measures durable appends of events of 700 bytes with a live
// follower, in events a second over all producers.
func BenchmarkAppend(b *testing.B) {
	for _, c := range []struct {
		producers, batch int
		linger           time.Duration
	}{{32, 50, 0}, {256, 1, 0}, {256, 1, 2 * time.Millisecond}, {64, 1, 0}, {64, 1, 2 * time.Millisecond}, {1, 1, 0}} {
		b.Run(fmt.Sprintf("producers=%d/batch=%d/linger=%v", c.producers, c.batch, c.linger), func(b *testing.B) {
			j := open(b, journal.Options{Dir: b.TempDir(), Linger: c.linger})
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
			b.SetBytes(700)
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

// BenchmarkAppendPaced measures single appends that come at a rate, as those of
// browsers do: how long they take and what of the processor.
func BenchmarkAppendPaced(b *testing.B) {
	for _, c := range []struct {
		rate   int
		linger time.Duration
	}{{2000, 0}, {2000, 2 * time.Millisecond}, {10_000, 0}, {10_000, time.Millisecond}, {10_000, 2 * time.Millisecond}} {
		b.Run(fmt.Sprintf("rate=%d/linger=%v", c.rate, c.linger), func(b *testing.B) {
			j := open(b, journal.Options{Dir: b.TempDir(), Linger: c.linger})
			due, took := make(chan time.Time, b.N), make([]time.Duration, b.N)
			var next atomic.Int64
			var wg sync.WaitGroup
			before := processorTime(b)
			b.ResetTimer()
			for _, payload := range payloads(128) {
				wg.Go(func() {
					for from := range due {
						if _, err := j.Append(context.Background(), entriesOf([][]byte{payload}), nil); err != nil {
							b.Error(err)
						}
						took[next.Add(1)-1] = time.Since(from)
					}
				})
			}
			pace(due, c.rate, b.N)
			wg.Wait()
			slices.Sort(took)
			last, _ := j.Last()
			b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/float64(b.N), "cpu-ns/event")
			b.ReportMetric(float64(b.N)/float64(last), "events/commit")
			b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-us")
			b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-us")
		})
	}
}

// pace sends the moments of n events at a rate, at random distances, and closes
// due behind the last.
func pace(due chan<- time.Time, rate, n int) {
	defer close(due)
	random := rand.New(rand.NewPCG(uint64(rate), 2))
	timer := time.NewTimer(0)
	defer timer.Stop()
	for at := time.Now(); n > 0; n-- {
		at = at.Add(time.Duration(random.ExpFloat64() * float64(time.Second) / float64(rate)))
		if ahead := time.Until(at); ahead > 0 {
			timer.Reset(ahead)
			<-timer.C
		}
		due <- at
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
	all := entriesOf(payloads(producers * batch))
	b.ResetTimer()
	for p := range producers {
		wg.Go(func() {
			entries := all[p*batch : (p+1)*batch]
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
	entries := entriesOf(payloads(700))
	const records = 200
	for range records {
		if _, err := j.Append(b.Context(), entries, nil); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportAllocs()
	b.SetBytes(records * 700 * 700)
	for b.Loop() {
		n := 0
		if err := j.Read(b.Context(), 0, 0, func(r *journal.Record) error { n += len(r.Entries); return nil }); err != nil || n != records*700 {
			b.Fatal(n, err)
		}
	}
	b.ReportMetric(float64(records*700*b.N)/b.Elapsed().Seconds(), "events/s")
}
