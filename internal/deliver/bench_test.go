package deliver_test

import (
	"context"
	"path/filepath"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/channel/channeltest"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/deliver"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// BenchmarkCourier sends b.N deliveries to one destination that answers at once:
// what marking, recording and telling cost, with the disk's syncs.
func BenchmarkCourier(b *testing.B) {
	store, err := sqlite.OpenSends(b.Context(), filepath.Join(b.TempDir(), "deliver.db"))
	if err != nil {
		b.Fatal(err)
	}
	defer store.Close()
	m := machine{outbox: map[cx.SendKey]cx.Delivery{}}
	var far channeltest.Sender
	c, err := deliver.Open(b.Context(), deliver.Options{
		Outbox: &m, Store: store, Tell: m.tell, Senders: map[cx.Channel]deliver.Sender{cx.Webhook: &far},
	})
	if err != nil {
		b.Fatal(err)
	}
	for n := range b.N {
		m.decide(delivery(uint64(n+1), cx.Marketing, "crm"))
	}
	ctx, stop := context.WithCancel(b.Context())
	ended := make(chan struct{})
	b.ResetTimer()
	go func() { c.Run(ctx); close(ended) }()
	c.Committed(cx.At(uint64(b.N)+1, 0))
	for deadline := time.Now().Add(5 * time.Minute); c.Settled()[cx.DeliverySent] < uint64(b.N); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			b.Fatalf("%v of %d are sent", c.Settled(), b.N)
		}
	}
	b.StopTimer()
	stop()
	<-ended
}
