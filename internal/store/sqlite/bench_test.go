package sqlite

import (
	"context"
	"path/filepath"
	"slices"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// blobSize is about what a customer of ten events takes.
const blobSize = 724

// filled returns a state file with n customers and their ids in order.
func filled(b *testing.B, n int) (*State, *pipeline.Checkpoint) {
	b.Helper()
	s := openState(b, filepath.Join(b.TempDir(), "state.db"))
	r, err := s.Recover(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	c := &pipeline.Checkpoint{Epoch: r.Epoch, Position: cx.At(1, 0), Customers: make([]pipeline.CustomerRow, n)}
	for i := range c.Customers {
		c.Customers[i] = pipeline.CustomerRow{ID: cx.NewCustomerID(cx.At(uint64(i), 0)), Workspace: "demo", Due: cx.Instant(i), Blob: make([]byte, blobSize)}
	}
	slices.SortFunc(c.Customers, func(x, y pipeline.CustomerRow) int {
		if x.ID < y.ID {
			return -1
		}
		return 1
	})
	if err := s.Checkpoint(context.Background(), c); err != nil {
		b.Fatal(err)
	}
	return s, c
}

// BenchmarkCheckpoint upserts 20,000 of 400,000 customers a round; see the
// metric µs/customer.
func BenchmarkCheckpoint(b *testing.B) {
	const total, dirty = 400_000, 20_000
	s, full := filled(b, total)
	b.ReportAllocs()
	b.ResetTimer()
	next := &pipeline.Checkpoint{Epoch: full.Epoch, Position: full.Position}
	for i := 0; b.Loop(); i++ {
		next.Previous, next.Position = next.Position, next.Position+1
		next.Customers = next.Customers[:0]
		for j := i % (total / dirty); j < total; j += total / dirty {
			next.Customers = append(next.Customers, full.Customers[j])
		}
		if err := s.Checkpoint(context.Background(), next); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Microseconds())/float64(b.N*dirty), "µs/customer")
}

func BenchmarkCustomers(b *testing.B) {
	const total, batch = 100_000, 512
	s, full := filled(b, total)
	ids := make([]cx.CustomerID, batch)
	b.ReportAllocs()
	b.ResetTimer()
	n := 0
	for b.Loop() {
		for j := range ids {
			n += 7919
			ids[j] = full.Customers[n%total].ID
		}
		if err := s.Customers(context.Background(), ids, func(cx.CustomerID, []byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/1000/float64(b.N*batch), "µs/customer")
}

func BenchmarkEachCustomer(b *testing.B) {
	const total = 200_000
	s, _ := filled(b, total)
	b.ReportAllocs()
	b.ResetTimer()
	for b.Loop() {
		if err := s.EachCustomer(context.Background(), func(cx.CustomerID, []byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*total/b.Elapsed().Seconds(), "customers/s")
}

func BenchmarkEachDue(b *testing.B) {
	const total = 200_000
	s, _ := filled(b, total)
	b.ResetTimer()
	for b.Loop() {
		if err := s.EachDue(context.Background(), func(cx.CustomerID, cx.Instant) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64(b.N)*total/b.Elapsed().Seconds(), "customers/s")
}
