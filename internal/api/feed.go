package api

import (
	"sync"
	"sync/atomic"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

// How much one watcher is told: no eye follows more, and a load test must not
// turn the page that watches it into part of the load.
const (
	feedBuffer    = 256 // activities that a slow reader may be behind
	feedPerSecond = 100
)

// Feed passes on what just happened to those who watch live. Publishing never
// waits: a watcher that falls behind its buffer is dropped, and beyond
// feedPerSecond activities a second are counted and not shown. The zero Feed is
// ready; it is safe for concurrent use.
type Feed struct {
	watched  atomic.Int32
	mu       sync.Mutex
	closed   bool
	watchers map[*watcher]struct{}
}

// watcher is one reader. Its channel is closed when it was dropped or the feed
// ended.
type watcher struct {
	workspace cx.Workspace
	out       chan Activity
	second    int64 // the second being counted, since 1970
	sent      int   // activities in it
	skipped   int   // activities that were not shown since the last that was
}

// Watched reports whether anyone watches: if not, nobody needs to make an
// Activity.
func (f *Feed) Watched() bool { return f.watched.Load() > 0 }

// Publish shows a, which happened at the given time, to all who watch its
// workspace.
func (f *Feed) Publish(a Activity, at cx.Instant) {
	if !f.Watched() {
		return
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for w := range f.watchers {
		if w.workspace != access.Everywhere && string(w.workspace) != a.Workspace {
			continue
		}
		if !w.offer(a, int64(at/cx.Second)) {
			f.drop(w)
		}
	}
}

// offer gives a to w, or counts it as skipped; false when w is too far behind.
func (w *watcher) offer(a Activity, second int64) bool {
	if second != w.second {
		w.second, w.sent = second, 0
	}
	if w.sent++; w.sent > feedPerSecond {
		w.skipped++
		return true
	}
	a.Skipped = w.skipped
	select {
	case w.out <- a:
		w.skipped = 0
		return true
	default:
		return false
	}
}

// watch begins to watch workspace w, access.Everywhere for all. It returns nil
// when the feed has ended. Whoever watches calls leave at the end.
func (f *Feed) watch(w cx.Workspace) *watcher {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.closed {
		return nil
	}
	n := &watcher{workspace: w, out: make(chan Activity, feedBuffer)}
	if f.watchers == nil {
		f.watchers = map[*watcher]struct{}{}
	}
	f.watchers[n] = struct{}{}
	f.watched.Store(int32(len(f.watchers)))
	return n
}

// leave ends what watch began; it may be called after w was dropped.
func (f *Feed) leave(w *watcher) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.drop(w)
}

// drop forgets w and closes its channel, once. The caller holds the lock.
func (f *Feed) drop(w *watcher) {
	if _, ok := f.watchers[w]; !ok {
		return
	}
	delete(f.watchers, w)
	close(w.out)
	f.watched.Store(int32(len(f.watchers)))
}

// Close ends the feed for everyone, so that a server can shut down.
func (f *Feed) Close() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed = true
	for w := range f.watchers {
		f.drop(w)
	}
}
