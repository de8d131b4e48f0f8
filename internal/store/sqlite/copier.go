package sqlite

import (
	"fmt"

	"github.com/kikubari/kikubari/internal/nice"
)

// copier moves what checkpoints left in the write-ahead log into the file, on a
// thread of low priority. It never waits for readers or the writer: what they
// still need is moved the next time.
type copier struct {
	*conn
	work chan struct{} // holds one token when there is something to move
	done chan error
}

func startCopier(path string) (*copier, error) {
	c, err := dial(path, "rw", 0)
	if err != nil {
		return nil, err
	}
	move, err := c.prepare("PRAGMA wal_checkpoint(PASSIVE)")
	if err != nil {
		c.close()
		return nil, err
	}
	out := &copier{conn: c, work: make(chan struct{}, 1), done: make(chan error, 1)}
	go func() { out.done <- nice.Run(func() error { return out.run(move) }) }()
	return out, nil
}

// wake says that the log has grown. It does not wait.
func (c *copier) wake() {
	select {
	case c.work <- struct{}{}:
	default:
	}
}

// run returns the last error: one failed copy loses nothing and is made good by
// the next.
func (c *copier) run(move *stmt) (last error) {
	for range c.work {
		if last = move.exec(); last != nil {
			last = fmt.Errorf("empty the write-ahead log: %w", last)
		}
	}
	return last
}

// stop waits for the copy under way and closes the connection. The writer,
// which is closed last, copies what is left.
func (c *copier) stop() error {
	close(c.work)
	err := <-c.done
	if e := c.close(); e != nil {
		return e
	}
	return err
}
