package collect_test

import (
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/bench"
	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
)

// request is one body of the shop's visitors, with its path.
type request struct {
	call collect.Call
	body []byte
}

// traffic returns requests of batch events each, as many visitors with
// different browsers send them.
func traffic(requests, batch int) []request {
	visitors := bench.NewShop(1, 1_000_000).Visitors(0)
	out := make([]request, requests)
	for i := range out {
		at := time.UnixMicro(int64(now)).Add(time.Duration(i) * time.Millisecond)
		path := "/v1/batch"
		if batch == 1 {
			var letter byte
			out[i].body, letter = visitors.AppendSingle(nil, at)
			path = "/v1/" + string(letter)
		} else {
			out[i].body = visitors.AppendBatch(nil, batch, at)
		}
		out[i].call, _ = collect.Lookup(path)
	}
	return out
}

func benchmarkTraffic(b *testing.B, batch int, from collect.Sender) {
	requests := traffic(1000/batch, batch)
	collectors := make([]collect.Collector, 16) // as a pool hands them out
	var encoded []byte
	events, n := 0, 0
	b.ReportAllocs()
	for b.Loop() {
		r, c := &requests[n%len(requests)], &collectors[n%len(collectors)]
		n++
		if err := c.Open(r.call, r.body); err != nil {
			b.Fatal(err)
		}
		got, err := c.Events(from, now+cx.Minute)
		if err != nil || len(got.Events) != batch || len(got.Altered) > 0 {
			b.Fatal(err, len(got.Events), got.Rejected, got.Altered)
		}
		encoded = encoded[:0]
		for i := range got.Events {
			encoded = cx.AppendEvent(encoded, &got.Events[i])
		}
		events += batch
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(events), "ns/event")
}

// BenchmarkTraffic reads what the load generator sends, up to what the journal
// gets.
func BenchmarkTraffic(b *testing.B) {
	fromBrowser := collect.Sender{Workspace: "demo", Key: "k_1", Kind: cx.BrowserKey, Address: netip.MustParseAddr("203.0.113.77")}
	fromServer := collect.Sender{Workspace: "demo", Key: "k_2", Kind: cx.ServerKey}
	b.Run("batch", func(b *testing.B) { benchmarkTraffic(b, 50, fromServer) })
	b.Run("single", func(b *testing.B) { benchmarkTraffic(b, 1, fromBrowser) })
}

// BenchmarkCampaign reads page addresses with parameters, none of them secret.
func BenchmarkCampaign(b *testing.B) {
	const campaign = "?utm_source=mail&utm_campaign=autumn"
	event := strings.NewReplacer(`"search":""`, `"search":"`+campaign+`"`, `/shop/p1"}`, `/shop/p1`+campaign+`"}`).Replace(browserEvent(1))
	call, _ := collect.Lookup("/v1/b")
	body := []byte(batchOf(event, event, event, event, event))
	var c collect.Collector
	b.ReportAllocs()
	for b.Loop() {
		if err := c.Open(call, body); err != nil {
			b.Fatal(err)
		}
		if got, err := c.Events(browser, now); err != nil || len(got.Events) != 5 || len(got.Altered) > 0 {
			b.Fatal(err, got)
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/5, "ns/event")
}
