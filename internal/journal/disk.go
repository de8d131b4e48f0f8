package journal

import (
	"fmt"
	"sync"
	"time"
)

// diskGuard keeps a reserve of free space, so that the storage engine never
// meets a full disk: it would refuse everything after a failed write.
type diskGuard struct {
	dir     string
	reserve uint64
	free    func(dir string) (uint64, error)

	mu      sync.Mutex
	asked   time.Time // when known was true
	known   uint64    // free bytes then
	written uint64    // since then
}

// askAgain is how long an answer of the file system is believed.
const askAgain = time.Second

// left returns the free bytes above the reserve. It asks the file system at
// most once a second, or when a quarter of the reserve may have been used up
// since. It fails when there is nothing left, and says what to do.
func (g *diskGuard) left(now time.Time) (uint64, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	age := now.Sub(g.asked)
	if g.asked.IsZero() || age < 0 || age >= askAgain || g.written > g.reserve/4 {
		free, err := g.free(g.dir)
		if err != nil {
			return 0, fmt.Errorf("free space of the journal's disk: %w", err)
		}
		g.asked, g.known, g.written = now, free, 0
	}
	if g.known < g.reserve+g.written {
		return 0, fmt.Errorf("the disk is nearly full: %d MB free, %d MB are kept in reserve; make room", g.known>>20, g.reserve>>20)
	}
	return g.known - g.reserve - g.written, nil
}

// spend counts bytes written since the file system was asked.
func (g *diskGuard) spend(n int) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.written += uint64(n)
}
