package app

import (
	"context"
	"log/slog"
	"runtime/debug"
	"runtime/metrics"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// How much memory that a burst has left behind is worth giving back, and how
// often it is looked at. Giving back takes a collection, which costs about a
// second of processor time for a million customers, beside the requests.
const (
	idleWorthwhile = 32 << 20
	idleShare      = 8 // … or this part of what is in use, if that is more
	idleLooked     = 20 * time.Second
	calmBelow      = 1000 // events a second
)

// returnMemory gives memory back to the operating system once a burst has
// passed. The runtime does so by itself only very slowly.
func (a *App) returnMemory(ctx context.Context) {
	sample := []metrics.Sample{{Name: "/memory/classes/heap/free:bytes"}, {Name: "/memory/classes/heap/objects:bytes"}}
	ticker := time.NewTicker(idleLooked)
	defer ticker.Stop()
	var before, left uint64
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		metrics.Read(sample)
		idle, objects := sample[0].Value.Uint64(), sample[1].Value.Uint64()
		folded := a.folded()
		calm := folded-before < calmBelow*uint64(idleLooked/time.Second)
		before = folded
		// Objects that nobody uses any more count as objects until they are
		// collected, so they are compared with what the last collection left.
		worthwhile := max(idleWorthwhile, left/idleShare)
		if calm && (idle > worthwhile || objects > left+worthwhile) {
			debug.FreeOSMemory()
			trimAllocator()
			metrics.Read(sample)
			left = sample[1].Value.Uint64()
			a.log.DebugContext(ctx, "memory of a burst given back", slog.Uint64("idle_mb", idle>>20), slog.Uint64("dead_mb", (objects-min(left, objects))>>20))
		}
	}
}

// folded returns how many events were folded since the start.
func (a *App) folded() (n uint64) {
	a.shard.Counts(func(_ cx.Workspace, c *pipeline.Counts) { n += c.Events.Load() })
	return n
}
