package journal

import (
	"context"
	"fmt"
)

// Hold keeps the records from a sequence on from being released, under a name;
// another call with the same name replaces it. Holds live in memory: whoever
// needs one sets it before the first Release.
func (j *Journal) Hold(name string, sequence uint64) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.holds[name] = sequence
}

// Unhold ends the hold of a name.
func (j *Journal) Unhold(name string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	delete(j.holds, name)
}

// Release removes the records below a sequence, but none that a Hold or an open
// reader still needs, and never the newest, which carries the log time over a
// restart. It returns how many records it removed.
func (j *Journal) Release(ctx context.Context, below uint64) (released uint64, err error) {
	j.releasing.Lock()
	defer j.releasing.Unlock()
	e, err := j.awaitEngine(ctx)
	if err != nil {
		return 0, err
	}
	before, err := e.state(ctx)
	if err != nil {
		return 0, unavailable("release records", err)
	}
	below = j.releasable(below)
	if before.Msgs == 0 || below <= before.FirstSeq {
		return 0, nil
	}
	if err := e.purge(ctx, below); err != nil {
		return 0, unavailable("release records", fmt.Errorf("below %d: %w", below, err))
	}
	j.setFull(false)
	return below - before.FirstSeq, nil
}

// releasable lowers below to what may go.
func (j *Journal) releasable(below uint64) uint64 {
	j.mu.Lock()
	defer j.mu.Unlock()
	below = min(below, j.tail.previous)
	for _, hold := range j.holds {
		below = min(below, hold)
	}
	return below
}
