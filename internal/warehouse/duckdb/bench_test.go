package duckdb

import (
	"context"
	"fmt"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// visits returns n events as a shop's pages send them, of people customers; 950
// bytes each.
func visits(sequence uint64, n, people int) *pipeline.Batch {
	b := &pipeline.Batch{Upto: cx.At(sequence, n)}
	for i := range n {
		at := cx.Instant(1_793_577_600_000_000 + int64(sequence)*1_000_000 + int64(i)*20)
		who := cx.NewCustomerID(cx.Position((sequence*7919 + uint64(i)*104_729) % uint64(people)))
		product := (i * 7919) % 5000
		b.Events = append(b.Events, pipeline.EventRow{
			Position: cx.At(sequence, i), At: at, Customer: who, Session: uint32(i%5 + 1),
			Event: &cx.Event{
				Workspace: "demo", Key: "k_0123456789abcdef", KeyKind: cx.BrowserKey, Type: cx.Track, Flags: cx.TimeSet, Name: "Product Added",
				MessageID: fmt.Sprintf("ajs-next-%d-%016x", int64(at)/1000, uint64(who)+uint64(i)), AnonymousID: fmt.Sprintf("%016x-%04x-4000", uint64(who), product),
				Time: at - 40_000, Original: at - 35_000, ReceivedAt: at - 100, Locale: "ja-JP",
				Properties: fmt.Appendf(nil, `{"product_id":"sku-%d","name":"Linen shirt %d","price":%d,"currency":"JPY","quantity":1,"category":"tops","brand":"kiku","url":"https://shop.example/products/%d"}`, product, product, 500+product, product),
				Context:    fmt.Appendf(nil, `{"locale":"ja-JP","page":{"path":"/products/%d","referrer":"https://shop.example/","search":"","title":"Linen shirt %d | shop","url":"https://shop.example/products/%d"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36","library":{"name":"analytics.js","version":"npm:next-1.80.0"},"timezone":"Asia/Tokyo","campaign":{}}`, product, product, product),
			},
		})
	}
	return b
}

// BenchmarkAppend stores batches of 50,000 events.
func BenchmarkAppend(b *testing.B) {
	const rows = 50_000
	w := open(b, Options{Path: filepath.Join(b.TempDir(), "warehouse.duckdb")})
	batches := make([]*pipeline.Batch, 4)
	for i := range batches {
		batches[i] = visits(uint64(i+1), rows, 100_000)
	}
	n, worst, cpu := 0, time.Duration(0), processorTime()
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		next := batches[n%len(batches)]
		n++
		for i := range next.Events {
			next.Events[i].Position = cx.At(uint64(n), i)
		}
		next.Upto = cx.At(uint64(n), rows)
		start := time.Now()
		if err := w.Append(context.Background(), next); err != nil {
			b.Fatal(err)
		}
		worst = max(worst, time.Since(start))
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1000/float64(b.N*rows), "µs/row")
	b.ReportMetric(float64((processorTime()-cpu).Nanoseconds())/1000/float64(b.N*rows), "cpu-µs/row")
	b.ReportMetric(float64(worst.Milliseconds()), "worst-ms")
}

func processorTime() time.Duration {
	var r syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &r); err != nil {
		return 0
	}
	return time.Duration(r.Utime.Nano() + r.Stime.Nano())
}

// BenchmarkLookups measures the questions of the status page over a million
// events of 100,000 people.
func BenchmarkLookups(b *testing.B) {
	const batches, rows, people = 20, 50_000, 100_000
	w := open(b, Options{Path: filepath.Join(b.TempDir(), "warehouse.duckdb"), QueryTime: time.Minute})
	for n := range batches {
		next := visits(uint64(n+1), rows, people)
		for i := 0; i < rows; i += 100 {
			e := &next.Events[i]
			next.Decisions = append(next.Decisions, pipeline.DecisionRow{ID: cx.NewDecisionID(e.Position), Position: e.Position, At: e.At, Workspace: "demo", Customer: e.Customer, Event: e.Event.Name, Trace: make([]byte, 500), Input: make([]byte, 800)})
			next.Moves = append(next.Moves, pipeline.SegmentRow{Position: e.Position, At: e.At, Workspace: "demo", Customer: e.Customer, Segment: "cart", Entered: true})
			next.Merges = append(next.Merges, pipeline.MergeRow{Position: e.Position, At: e.At, Workspace: "demo", Winner: e.Customer, Loser: e.Customer + 1})
		}
		if err := w.Append(context.Background(), next); err != nil {
			b.Fatal(err)
		}
	}
	b.Run("Story", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			items, err := w.Story(context.Background(), "demo", cx.NewCustomerID(cx.Position(n*37%people)), 0, 50)
			if err != nil || len(items) == 0 {
				b.Fatal(len(items), err)
			}
		}
	})
	b.Run("Recent", func(b *testing.B) {
		for b.Loop() {
			if items, err := w.Recent(context.Background(), "demo", 50); err != nil || len(items) != 50 {
				b.Fatal(len(items), err)
			}
		}
	})
	b.Run("Decision", func(b *testing.B) {
		for n := 0; b.Loop(); n++ {
			if _, err := w.Decision(context.Background(), "demo", cx.NewDecisionID(cx.At(uint64(n%batches+1), n*100%rows))); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, q := range map[string]string{
		"Query/one":      "select 1",
		"Query/customer": "select time, name from events where customer = '" + cx.NewCustomerID(77).String() + "' order by time desc limit 50",
		"Query/day":      "select date_trunc('day', time) as day, count(*), count(distinct customer) from events group by day",
		"Query/property": "select sum((properties->>'price')::bigint) from events",
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := w.Query(context.Background(), "demo", q); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
