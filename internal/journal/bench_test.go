package journal_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
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
