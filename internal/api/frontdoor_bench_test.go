package api

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"syscall"
	"testing"
	"time"

	load "github.com/kikubari/kikubari/internal/bench"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// paper is a journal that keeps nothing and answers at once.
type paper struct{}

func (paper) Append(_ context.Context, entries []cx.Entry, tag any) (cx.Position, error) {
	if w, ok := tag.(*pipeline.Waiter); ok {
		for i := range entries {
			w.Answer(i, pipeline.Answer{Position: cx.At(1, i)})
		}
	}
	return cx.At(1, 0), nil
}

// letters are whole requests, head and body, as the shop's visitors send them.
func letters(n, batch int, query string) (requests [][]byte) {
	visitors := load.NewShop(1, 1_000_000).Visitors(0)
	for i := range n {
		at := time.UnixMicro(int64(doorTime)).Add(time.Duration(i) * time.Millisecond)
		path, body, letter := "/v1/batch", []byte(nil), byte(0)
		if batch == 1 {
			body, letter = visitors.AppendSingle(nil, at)
			path = "/v1/" + string(letter)
		} else {
			body = visitors.AppendBatch(nil, batch, at)
		}
		requests = append(requests, fmt.Appendf(nil, "POST %s%s HTTP/1.1\r\nHost: localhost\r\nUser-Agent: bench\r\nAuthorization: Basic ZGVtbzo=\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, query, len(body), body))
	}
	return requests
}

// BenchmarkLoopback sends requests over loopback connections to a server of
// its own whose journal costs nothing. What counts is the processor time of the
// whole process, client and kernel included: compare it with plain, which only
// takes as many bytes and answers as many.
func BenchmarkLoopback(b *testing.B) {
	door := newDoorstep(b, func(o *FrontDoorOptions) {
		o.Journal, o.Now, o.Meter, o.Refusals = paper{}, time.Now, nil, nil
		o.Rate = Rate{PerSecond: 1e9, Burst: 1e9}
		o.TrustedProxies = []netip.Prefix{}
	})
	buffers := sync.Pool{New: func() any { b := make([]byte, 128<<10); return &b }}
	plain := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		buf := buffers.Get().(*[]byte)
		_, _ = io.ReadFull(r.Body, (*buf)[:r.ContentLength])
		_, _ = w.Write([]byte(`{"success":true}`))
		buffers.Put(buf)
	})
	for _, size := range []struct {
		name  string
		batch int
		query string
	}{{"single", 1, ""}, {"actions", 1, "?actions=1"}, {"batch", 50, ""}} {
		requests := letters(1000/size.batch, size.batch, size.query)
		b.Run(size.name+"/door", func(b *testing.B) { benchmarkServer(b, door, requests, size.batch) })
		b.Run(size.name+"/plain", func(b *testing.B) { benchmarkServer(b, plain, requests, size.batch) })
	}
}

func benchmarkServer(b *testing.B, h http.Handler, requests [][]byte, batch int) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/v1/", h)
	server := &http.Server{Handler: mux, ReadHeaderTimeout: 5 * time.Second, IdleTimeout: 2 * time.Minute}
	go func() { _ = server.Serve(listener) }()
	defer func() { _ = server.Close() }()
	const connections = 16
	var clients [connections]net.Conn
	for i := range clients {
		if clients[i], err = net.Dial("tcp", listener.Addr().String()); err != nil {
			b.Fatal(err)
		}
		defer clients[i].Close()
	}
	b.ReportAllocs()
	b.ResetTimer()
	before := processorTime()
	var all sync.WaitGroup
	for k, conn := range clients {
		all.Go(func() {
			in := bufio.NewReader(conn)
			for i := k; i < b.N; i += connections {
				if _, err := conn.Write(requests[i%len(requests)]); err != nil {
					b.Error(err)
					return
				}
				if err := readAnswer(in); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	all.Wait()
	spent := processorTime() - before
	b.StopTimer()
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N)/float64(batch), "cpu-ns/event")
}

// readAnswer reads an answer that must be a 200 with a length.
func readAnswer(in *bufio.Reader) error {
	status, length := "", 0
	for {
		line, err := in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if status == "" {
			status = string(line)
		}
		if value, ok := bytes.CutPrefix(line, []byte("Content-Length: ")); ok {
			length, _ = strconv.Atoi(string(bytes.TrimSpace(value)))
		}
		if len(line) == 2 {
			break
		}
	}
	if status != "HTTP/1.1 200 OK\r\n" || length == 0 {
		return fmt.Errorf("%q with %d bytes", status, length)
	}
	_, err := in.Discard(length)
	return err
}

// processorTime returns what the process has used so far.
func processorTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
