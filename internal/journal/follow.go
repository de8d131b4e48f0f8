package journal

import (
	"context"
	"fmt"
	"sync/atomic"

	"github.com/kikubari/kikubari/internal/cx"
)

// Follow calls fn for every record from a sequence on, first the stored ones,
// then each as it becomes durable: in order, without gap or double, one at a
// time. From 0 begins at the oldest stored record. Live records come from
// memory and carry their tags.
//
// It returns when ctx ends (with its cause), when fn fails (with that error),
// when the journal is closed (ErrClosed, after the last record) or when a
// record cannot be read (a *DamageError that names it). There is one follower at a
// time; a second fails with kind Conflict. The records from which to begin must
// not have been released (kind NotFound) and not lie beyond the end (Conflict).
//
// A follower that has caught up holds appends back: when it falls behind by
// more than Options allow, nothing is committed until it takes a record.
func (j *Journal) Follow(ctx context.Context, from uint64, fn func(*Record) error) error {
	live := j.newHandover()
	if err := j.reserveFollower(); err != nil {
		return err
	}
	defer j.detach(live)
	if err := j.catchUp(ctx, from, live, fn); err != nil {
		return err
	}
	for {
		r, err := live.next(ctx, j.done)
		if err != nil {
			return err
		}
		if err := fn(r); err != nil {
			return err
		}
	}
}

// A follower is near enough to be attached when it lacks at most nearRecords,
// or after catching up maxRounds times: from then on appends wait for it, so
// it cannot run after a moving end for ever.
const (
	nearRecords = 32
	maxRounds   = 3
)

// catchUp feeds the stored records to fn and attaches live where they end.
func (j *Journal) catchUp(ctx context.Context, from uint64, live *handover, fn func(*Record) error) error {
	c, err := j.cursor(ctx, from)
	if err != nil {
		return err
	}
	defer c.close()
	for round := 1; ; round++ {
		end, attached, err := j.attach(ctx, live, c.after, round >= maxRounds)
		if err != nil {
			return err
		}
		if err := c.readTo(ctx, end, fn); err != nil {
			return err
		}
		if attached {
			return nil
		}
	}
}

// attach returns the newest readable record's sequence and, when a follower
// that has seen the record after is near enough or must be, makes live the
// receiver of every record behind it.
func (j *Journal) attach(ctx context.Context, live *handover, after uint64, must bool) (end uint64, attached bool, err error) {
	for {
		if _, err := j.awaitEngine(ctx); err != nil {
			return 0, false, err
		}
		j.mu.Lock()
		end, up := j.tail.previous, j.engine != nil
		near := must || end <= after+nearRecords
		if up && near {
			j.live = live
		}
		j.mu.Unlock()
		if up {
			return end, near, nil
		}
	}
}

func (j *Journal) reserveFollower() error {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.followed {
		return cx.E(cx.Conflict, "follow the journal", "it has a follower already")
	}
	j.followed = true
	return nil
}

func (j *Journal) detach(live *handover) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.live, j.followed = nil, false
	close(live.gone)
}

// handover is the way of live records from the committer to the follower. It
// is bounded by number and by bytes; the committer asks for room before it
// commits, so that handing over never waits.
type handover struct {
	records  chan *Record
	bytes    atomic.Int64
	maxBytes int64
	room     chan struct{} // holds one; filled when a record was taken
	gone     chan struct{} // closed when the follower has left
}

func (j *Journal) newHandover() *handover {
	return &handover{
		// One more than may be behind: a record whose fate was unknown may come
		// on top.
		records:  make(chan *Record, j.o.MaxBehind+1),
		maxBytes: int64(j.o.MaxBehindBytes),
		room:     make(chan struct{}, 1),
		gone:     make(chan struct{}),
	}
}

func (h *handover) push(r *Record) {
	h.bytes.Add(payloadBytes(r))
	h.records <- r
}

// next waits for a record. When the committer has ended, what it left comes
// first and then ErrClosed.
func (h *handover) next(ctx context.Context, ended <-chan struct{}) (*Record, error) {
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	select {
	case r := <-h.records:
		return h.took(r), nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	case <-ended:
	}
	select {
	case r := <-h.records:
		return h.took(r), nil
	default:
		return nil, fmt.Errorf("follow: %w", ErrClosed)
	}
}

func (h *handover) took(r *Record) *Record {
	h.bytes.Add(-payloadBytes(r))
	signal(h.room)
	return r
}

// hasRoom is for the committer, the only one that fills.
func (h *handover) hasRoom() bool {
	n := len(h.records)
	return n == 0 || n < cap(h.records)-1 && h.bytes.Load() < h.maxBytes
}

func payloadBytes(r *Record) int64 {
	n := 0
	for i := range r.Entries {
		n += len(r.Entries[i].Payload)
	}
	return int64(n)
}

// awaitRoom waits until the follower, if there is one, can be handed a record.
// It returns false when the journal is closed meanwhile.
func (j *Journal) awaitRoom() bool {
	defer j.behind.Store(false)
	for {
		j.mu.Lock()
		live := j.live
		j.mu.Unlock()
		if live == nil || live.hasRoom() {
			return true
		}
		j.behind.Store(true)
		select {
		case <-live.room:
		case <-live.gone:
		case <-j.closed:
			return live.hasRoom()
		}
	}
}

// deliver hands r to the follower, if there is one.
func (j *Journal) deliver(r *Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	if j.live != nil {
		j.live.push(r)
	}
}
