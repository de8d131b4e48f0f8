package api

import (
	"bufio"
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

// watching opens a live stream on a real server and returns its lines. The
// first comment has been read, so the feed has its watcher.
func watching(t *testing.T, b *bench, key, query string) *bufio.Scanner {
	t.Helper()
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	t.Cleanup(b.feed.Close)
	r, err := http.NewRequestWithContext(t.Context(), "GET", server.URL+"/api/v1/live"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	res, err := server.Client().Do(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { res.Body.Close() })
	if ct := res.Header.Get("Content-Type"); res.StatusCode != 200 || !strings.HasPrefix(ct, "text/event-stream") {
		t.Fatalf("%d %s", res.StatusCode, ct)
	}
	lines := bufio.NewScanner(res.Body)
	for _, want := range []string{": watching", ""} {
		if !lines.Scan() || lines.Text() != want {
			t.Fatalf("the stream begins with %q", lines.Text())
		}
	}
	return lines
}

func TestLiveShowsWhatHappensInTheWorkspace(t *testing.T) {
	b := newBench(t)
	lines := watching(t, b, b.read, "")
	b.feed.Publish(Activity{Workspace: "other", Name: "Secret"}, cx.Second)
	b.feed.Publish(Activity{Workspace: "shop", Name: "Product Added", Decision: true, Entered: []string{"vip"}}, cx.Second)
	want := []string{
		"event: activity",
		`data: {"workspace":"shop","position":"","customer":"","at":"","name":"Product Added","session":0,"decision":true,"entered":["vip"]}`,
		"",
	}
	for _, w := range want {
		if !lines.Scan() || lines.Text() != w {
			t.Errorf("read %q, want %q", lines.Text(), w)
		}
	}
}

func TestLiveOfTheInstallationShowsAll(t *testing.T) {
	b := newBench(t)
	lines := watching(t, b, b.root, "")
	b.feed.Publish(Activity{Workspace: "other", Name: "One"}, cx.Second)
	lines.Scan()
	if lines.Scan(); !strings.Contains(lines.Text(), `"name":"One"`) {
		t.Errorf("read %q", lines.Text())
	}
}

func TestLiveEndsWithTheFeed(t *testing.T) {
	b := newBench(t)
	lines := watching(t, b, b.read, "")
	b.feed.Close()
	if !lines.Scan() || !strings.Contains(lines.Text(), "this is the end") {
		t.Errorf("read %q", lines.Text())
	}
	for lines.Scan() {
	}
	if res, _ := b.ask(t, b.read, "GET", "/api/v1/live", ""); res.StatusCode != 503 {
		t.Errorf("after the end: %d", res.StatusCode)
	}
}

func TestLiveBeats(t *testing.T) {
	b := newBench(t)
	b.heartbeat = time.Millisecond
	lines := watching(t, b, b.read, "")
	if !lines.Scan() || lines.Text() != ": still here" {
		t.Errorf("read %q", lines.Text())
	}
}

func TestLeavingStopsTheStream(t *testing.T) {
	var f Feed
	w := f.watch("shop")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	stream(ctx, httptest.NewRecorder(), w, time.Hour)
	f.leave(w)
	if f.Watched() {
		t.Error("the watcher is still there")
	}
}

func TestSlowWatcherIsDropped(t *testing.T) {
	var f Feed
	slow, quick := f.watch("shop"), f.watch(access.Everywhere)
	for i := range feedBuffer + 1 {
		f.Publish(Activity{Workspace: "shop"}, cx.Instant(i)*cx.Second)
		<-quick.out
	}
	n := 0
	for range slow.out {
		n++
	}
	if n != feedBuffer {
		t.Errorf("%d activities before the end, want %d", n, feedBuffer)
	}
	f.Publish(Activity{Workspace: "shop"}, 0)
	if _, more := <-quick.out; !more {
		t.Error("the quick watcher was dropped too")
	}
	f.leave(slow)
	f.leave(quick)
	if f.Watched() {
		t.Error("somebody is still watching")
	}
}

func TestFeedLeavesOutWhatNobodyCanRead(t *testing.T) {
	var f Feed
	w := f.watch("shop")
	defer f.leave(w)
	for range 3 * feedPerSecond {
		f.Publish(Activity{Workspace: "shop"}, cx.Second)
	}
	if len(w.out) != feedPerSecond {
		t.Fatalf("%d shown in one second, want %d", len(w.out), feedPerSecond)
	}
	for range feedPerSecond {
		<-w.out
	}
	f.Publish(Activity{Workspace: "shop"}, 2*cx.Second)
	if a := <-w.out; a.Skipped != 2*feedPerSecond {
		t.Errorf("skipped %d, want %d", a.Skipped, 2*feedPerSecond)
	}
}

func BenchmarkFeed(b *testing.B) {
	b.Run("unwatched", func(b *testing.B) {
		var f Feed
		b.ReportAllocs()
		for b.Loop() {
			if f.Watched() {
				f.Publish(Activity{}, 1)
			}
		}
	})
	b.Run("watched", func(b *testing.B) {
		var f Feed
		w := f.watch("shop")
		defer f.leave(w)
		b.ReportAllocs()
		for b.Loop() {
			f.Publish(Activity{Workspace: "shop", Name: "Product Added"}, cx.Second)
			select {
			case <-w.out:
			default:
			}
		}
	})
}
