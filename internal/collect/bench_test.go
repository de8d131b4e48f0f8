package collect_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"

	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
)

// browserEvent is about as long as what analytics.js sends: 780 bytes.
func browserEvent(i int) string {
	return fmt.Sprintf(`{"timestamp":"2026-11-22T07:59:%02d.347Z","integrations":{},"event":"Product Added","type":"track","properties":{"product_id":"p%d","name":"Linen shirt","price":4000,"quantity":1,"currency":"JPY"},"context":{"page":{"path":"/shop/p%d","referrer":"","search":"","title":"Shop","url":"http://127.0.0.1:8124/shop/p%d"},"userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36","locale":"ja-JP","library":{"name":"analytics.js","version":"next-1.84.3"},"timezone":"Asia/Tokyo"},"messageId":"ajs-next-17953343%05d-0437af35-064e-448f-b8eb-ee30698b92cd","userId":"user-%d","anonymousId":"acd0df5c-0437-4f35-864e-%012d"}`,
		i%60, i, i, i, i, i, i)
}

func benchmarkBatch(b *testing.B, n int, from collect.Sender) {
	var body bytes.Buffer
	body.WriteString(`{"batch":[`)
	for i := range n {
		if i > 0 {
			body.WriteByte(',')
		}
		body.WriteString(browserEvent(i))
	}
	body.WriteString(`],"sentAt":"2026-11-22T08:00:00.000Z","writeKey":"demo"}`)
	call, _ := collect.Lookup("/v1/b")
	at, _ := collect.ParseTime([]byte(`"2026-11-22T08:00:01Z"`))
	var c collect.Collector
	var encoded []byte
	b.ReportAllocs()
	b.SetBytes(int64(body.Len()))
	for b.Loop() {
		if err := c.Open(call, body.Bytes()); err != nil {
			b.Fatal(err)
		}
		got, err := c.Events(from, at)
		if err != nil || len(got.Events) != n || len(got.Rejected) > 0 {
			b.Fatal(err, len(got.Events), got.Rejected)
		}
		encoded = encoded[:0]
		for i := range got.Events {
			encoded = cx.AppendEvent(encoded, &got.Events[i])
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/event")
}

func BenchmarkBatchOf50(b *testing.B) {
	browser := collect.Sender{Workspace: "demo", Key: "k_1", Kind: cx.BrowserKey, Address: netip.MustParseAddr("203.0.113.77")}
	server := collect.Sender{Workspace: "demo", Key: "k_2", Kind: cx.ServerKey}
	redacting := server
	redacting.Redact = collect.NewRedaction([]string{"email", "card.number"})
	b.Run("browser", func(b *testing.B) { benchmarkBatch(b, 50, browser) })
	b.Run("server", func(b *testing.B) { benchmarkBatch(b, 50, server) })
	b.Run("redacting", func(b *testing.B) { benchmarkBatch(b, 50, redacting) })
}
