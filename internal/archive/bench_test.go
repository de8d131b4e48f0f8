package archive_test

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
)

// perRecord is how many events a record has under load.
const perRecord = 500

// busy makes records of events like those of a browser: 700 bytes, of which about
// a hundred are its own.
func busy(records int) shelf {
	random := rand.New(rand.NewPCG(1, 1))
	var s shelf
	for i := range records {
		r := &journal.Record{Sequence: uint64(i + 1), Previous: uint64(i), Time: cx.Instant(i) * cx.Second}
		for range perRecord {
			path := fmt.Sprintf("/products/%d", random.IntN(2000))
			r.Entries = append(r.Entries, cx.Entry{Kind: cx.EntryEvent, Payload: fmt.Appendf(nil,
				`bench k_9hfwp7atcg3ka5kcPage Viewed;ajs-next-1795371077-%x-%x-%x$%x-%x-%xu-%06d`+
					`{"path":"%s","url":"https://shop.example%[8]s","referrer":"https://shop.example/","search":"","title":"Product %d"}`+
					`{"page":{"path":"%[8]s","referrer":"https://shop.example/","search":"","title":"Product %[9]d | shop","url":"https://shop.example%[8]s"},`+
					`"userAgent":"Mozilla/5.0 (iPhone; CPU iPhone OS 19_%d like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Mobile/15E148 Safari/604.1",`+
					`"locale":"ja-JP","library":{"name":"analytics.js","version":"npm:next-1.84.0"},"timezone":"Asia/Tokyo","ip":"127.0.0.0"}`,
				random.Uint32(), random.Uint32(), random.Uint64(), random.Uint32(), random.Uint32(), random.Uint64(),
				random.IntN(1_000_000), path, random.IntN(2000), random.IntN(4))})
		}
		s = append(s, r)
	}
	return s
}

func processorTime(tb testing.TB) time.Duration {
	tb.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		tb.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkArchive measures archiving and reading, in events a second, processor
// time an event, and bytes an event on the disk.
func BenchmarkArchive(b *testing.B) {
	source := busy(200)
	events := float64(len(source) * perRecord)
	report := func(b *testing.B, before time.Duration) {
		b.Helper()
		b.ReportMetric(events*float64(b.N)/b.Elapsed().Seconds(), "events/s")
		b.ReportMetric(float64((processorTime(b)-before).Nanoseconds())/events/float64(b.N), "cpu-ns/event")
	}
	b.Run("add", func(b *testing.B) {
		before := processorTime(b)
		var bytes int64
		for b.Loop() {
			a, err := archive.Open(archive.Options{Dir: b.TempDir()})
			if err != nil {
				b.Fatal(err)
			}
			if _, err := a.Add(b.Context(), source, uint64(len(source)), archive.Hurried); err != nil {
				b.Fatal(err)
			}
			bytes = a.Bytes()
		}
		report(b, before)
		b.ReportMetric(float64(bytes)/events, "bytes/event")
	})
	b.Run("read", func(b *testing.B) {
		a, err := archive.Open(archive.Options{Dir: b.TempDir()})
		if err != nil {
			b.Fatal(err)
		}
		if _, err := a.Add(b.Context(), source, uint64(len(source)), archive.Hurried); err != nil {
			b.Fatal(err)
		}
		before := processorTime(b)
		for b.Loop() {
			n := 0
			if _, err := a.Read(b.Context(), 0, 0, func(r *journal.Record) error { n += len(r.Entries); return nil }); err != nil || float64(n) != events {
				b.Fatal(n, err)
			}
		}
		report(b, before)
	})
}
