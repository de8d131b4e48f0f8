// Package journal keeps what came in from outside, durably and in one total
// order: events, ticks, published definitions, commands. Everything else is
// computed from it and can be computed again.
//
// Appends that wait at the same time are packed into one record and committed
// with one write to the disk (group commit). A record is a message of one
// JetStream stream, on a NATS server embedded in this process that listens on
// no port and writes to the disk before it acknowledges.
package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// Options say where a journal lives and how much it may use. Only Dir must be
// set.
type Options struct {
	Dir string // directory of the journal's files, made when missing

	// MaxBytes is the most the journal may store; when it is full it refuses
	// appends until Release has made room. 0 is no limit but the disk.
	MaxBytes int64
	// ReserveBytes is how much free space the journal leaves on its file system:
	// below it, appends are refused. 0 means 256 MB, -1 none.
	ReserveBytes int64
	// Linger is the least time from one commit to the next while appends come so
	// fast that several are expected in it and the record is not full. It trades
	// latency for fewer writes; 0, the default, waits for nothing.
	Linger time.Duration
	// CommitTimeout is how long one commit may take before the storage engine is
	// thought stuck and is opened anew. 0 means 10 s.
	CommitTimeout time.Duration

	// MaxWaiting bounds the entries that wait for a commit, MaxWaitingBytes their
	// payloads; beyond either, Append refuses at once. 0 means 200,000 and 64 MB.
	MaxWaiting      int
	MaxWaitingBytes int
	// MaxBehind bounds the committed records that a follower has not taken yet,
	// MaxBehindBytes their payloads; beyond either, nothing is committed until it
	// takes one. 0 means 256 and 32 MB.
	MaxBehind      int
	MaxBehindBytes int

	Log *slog.Logger     // nil discards
	Now func() time.Time // wall clock; nil is time.Now

	free func(dir string) (uint64, error) // free bytes for us on dir's file system
}

func (o Options) withDefaults() Options {
	orDefault(&o.ReserveBytes, 256<<20)
	o.ReserveBytes = max(o.ReserveBytes, 0)
	orDefault(&o.CommitTimeout, 10*time.Second)
	orDefault(&o.MaxWaiting, 200_000)
	orDefault(&o.MaxWaitingBytes, 64<<20)
	orDefault(&o.MaxBehind, 256)
	orDefault(&o.MaxBehindBytes, 32<<20)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.free == nil {
		o.free = FreeBytes
	}
	return o
}

func orDefault[T comparable](v *T, otherwise T) {
	var zero T
	if *v == zero {
		*v = otherwise
	}
}

// ErrClosed is what a closed journal answers.
var ErrClosed = cx.E(cx.Unavailable, "journal", "it is closed")

// Journal is an open journal. Its methods may be called concurrently.
type Journal struct {
	o      Options
	lock   *dirLock
	behind atomic.Bool // the committer waits for the follower
	queue  queue
	disk   diskGuard
	closed chan struct{} // closed when Close begins
	done   chan struct{} // closed when the committer has ended
	close  sync.Once
	busy   atomic.Int64 // nanoseconds of commits

	renewals chan renewal // taken by the committer when nothing waits

	releasing sync.Mutex // held while records are released and while a reader sets its hold

	mu       sync.Mutex
	engine   *engine       // nil while it is being opened anew
	opened   chan struct{} // closed when engine is set again
	broken   error         // why nothing can be appended any more; nil if it can
	tail     tail
	grown    chan struct{} // closed when the tail moves; nil while nobody waits for that
	live     *handover     // of the follower that has caught up, nil if none
	full     bool          // the last record was refused because the journal has reached its limit
	followed bool
	holds    map[any]uint64 // lowest sequence each reader still needs
	opens    int
}

// tail is the end of the journal as far as it is durable.
type tail struct {
	sequence uint64     // the next record gets the one after it
	previous uint64     // sequence of the last readable record; below sequence when the last ones were lost
	time     cx.Instant // of that record
}

// moveTail makes t the tail and wakes who waits for that. The caller holds mu.
func (j *Journal) moveTail(t tail) {
	j.tail = t
	if j.grown != nil {
		close(j.grown)
		j.grown = nil
	}
}

// Open opens the journal in o.Dir, or makes one, and repairs its end: a record
// that was being written when the process died, and that nobody was told is
// durable, is gone. The caller closes the journal. It fails with kind Conflict
// when another process has it open.
func Open(ctx context.Context, o Options) (*Journal, error) {
	o = o.withDefaults()
	lock, err := lockDir(o.Dir)
	if err != nil {
		return nil, err
	}
	j := &Journal{
		o: o, lock: lock,
		queue:  newQueue(o.MaxWaiting, o.MaxWaitingBytes),
		disk:   diskGuard{dir: o.Dir, reserve: uint64(o.ReserveBytes), free: o.free},
		closed: make(chan struct{}), done: make(chan struct{}), opened: make(chan struct{}),
		holds: make(map[any]uint64), renewals: make(chan renewal),
	}
	if err := j.openEngine(ctx); err != nil {
		return nil, errors.Join(err, lock.release())
	}
	go j.commitLoop(context.WithoutCancel(ctx))
	return j, nil
}

// Close commits what is waiting, ends followers and readers, and closes the
// files. Appends that it cannot commit fail with kind Unavailable. It may be
// called more than once.
func (j *Journal) Close() error {
	var err error
	j.close.Do(func() {
		j.queue.close()
		close(j.closed)
		<-j.done
		j.dropEngine()
		err = j.lock.release()
	})
	return err
}

// Stat is the state of a journal at one moment.
type Stat struct {
	First   uint64     // sequence of the oldest stored record, 0 when there is none
	Last    uint64     // sequence of the newest durable record, 0 when there was none
	Time    cx.Instant // log time of the newest record
	Bytes   uint64     // stored
	Free    uint64     // on the file system, beyond what the journal leaves free
	Waiting int        // entries that wait for a commit
	Behind  int        // committed records that the follower has not taken yet
	Opens   int        // how often the storage engine was opened; more than 1 after a fault
}

// Stat asks the storage engine. While that is being opened anew it waits, until
// ctx ends; when the journal refuses appends for good it fails and says why.
func (j *Journal) Stat(ctx context.Context) (Stat, error) {
	e, err := j.awaitEngine(ctx)
	if err != nil {
		return Stat{}, err
	}
	state, err := e.state(ctx)
	if err != nil {
		return Stat{}, unavailable("stat of the journal", err)
	}
	s := Stat{Bytes: state.Bytes, Waiting: j.queue.waiting()}
	if state.Msgs > 0 {
		s.First = state.FirstSeq
	}
	if free, err := j.disk.left(j.o.Now()); err == nil {
		s.Free = free
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	s.Last, s.Time, s.Opens = j.tail.sequence, j.tail.time, j.opens
	if j.live != nil {
		s.Behind = len(j.live.records)
	}
	return s, nil
}

// Trouble says why an append would be refused now and what to do, nil when it
// would be taken. It asks the file system at most once a second, and the storage
// engine not at all.
func (j *Journal) Trouble() error {
	j.mu.Lock()
	broken, up, full := j.broken, j.engine != nil, j.full
	j.mu.Unlock()
	down := j.queue.trouble()
	switch {
	case broken != nil:
		return broken
	case down != nil:
		return down
	case !up:
		return unavailable("journal", errors.New("its storage has failed and is being opened anew; the log says why"))
	case full:
		return unavailable("journal", fmt.Errorf("%w: raise journal.max_mb; what recovery no longer needs is dropped by itself", errFull))
	}
	if _, err := j.disk.left(j.o.Now()); err != nil {
		return unavailable("journal", err)
	}
	return nil
}

// setFull notes whether the journal has reached its limit.
func (j *Journal) setFull(full bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.full = full
}

// Opens returns how often the storage engine was opened: more than once after a
// fault.
func (j *Journal) Opens() int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.opens
}

// Busy returns how long the journal has been committing since it was opened, in
// wall time.
func (j *Journal) Busy() time.Duration { return time.Duration(j.busy.Load()) }

// Last returns the sequence and the log time of the newest durable record, 0
// and 0 for an empty journal.
func (j *Journal) Last() (sequence uint64, at cx.Instant) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.tail.sequence, j.tail.time
}

func (j *Journal) storeDir() string { return filepath.Join(j.o.Dir, "stream") }

// maxSequence keeps positions within cx.Position.
const maxSequence = math.MaxUint64 >> 16

func unavailable(op string, err error) error {
	return &cx.Error{Kind: cx.Unavailable, Op: op, Err: err}
}
