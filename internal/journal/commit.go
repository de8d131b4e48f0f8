package journal

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/fault"
)

// committer makes appends durable, one record after the other. It alone
// publishes, moves the tail and replaces the engine. While a commit is in
// flight, the appends of the next one gather.
type committer struct {
	j       *Journal
	pending []*waiter // taken from the queue, in no record yet or only in part
	parts   []part    // of the record being made
	stored  []byte    // its bytes for the disk, until they are published
	shorten compressor
	pace    pace
}

// part is the share of one waiter in a record: its entries [from, to).
type part struct {
	w        *waiter
	from, to int
}

func (p part) ends() bool { return p.to == len(p.w.entries) }

// commitLoop runs until the journal is closed. ctx is never done: deadlines are
// those of the appends and of each commit.
func (j *Journal) commitLoop(ctx context.Context) {
	defer close(j.done)
	c := &committer{j: j}
	for c.gather(ctx) {
		if err := c.admit(); err != nil {
			c.refuse(err)
			continue
		}
		if c.pack() {
			c.commit(ctx)
		}
	}
}

// gather waits until there is something to commit, and for company when some is
// expected; while there is nothing it writes the files anew if told to. It returns
// false when the journal is closed and nothing is left.
func (c *committer) gather(ctx context.Context) bool {
	q := &c.j.queue
	for {
		c.pending = q.drain(c.pending)
		if len(c.pending) > 0 {
			break
		}
		select {
		case <-q.wake:
		case r := <-c.j.renewals:
			c.renew(ctx, r)
		case <-c.j.closed:
			c.pending = q.drain(c.pending)
			return len(c.pending) > 0
		}
	}
	c.linger()
	c.pace.begin(time.Now(), len(c.pending))
	return true
}

// linger waits for a fuller record, if the journal is told to and appends come
// fast enough, until none has come for a while. It is not woken by each of them.
func (c *committer) linger() {
	q := &c.j.queue
	wait := c.pace.wait(time.Now(), c.j.o.Linger)
	if wait <= 0 || pendingBytes(c.pending) >= MaxRecord {
		return
	}
	timeout, look := time.NewTimer(wait), time.NewTicker(c.j.o.Linger/4)
	defer timeout.Stop()
	defer look.Stop()
	for more := true; more; {
		select {
		case <-look.C:
			before := len(c.pending)
			c.pending = q.drain(c.pending)
			more = len(c.pending) > before && pendingBytes(c.pending) < MaxRecord
		case <-timeout.C:
			more = false
		case <-q.full:
			more = false
		case <-c.j.closed:
			more = false
		}
	}
	c.pending = q.drain(c.pending)
}

func pendingBytes(pending []*waiter) int {
	n := 0
	for _, w := range pending {
		n += w.size
	}
	return n
}

// admit waits until the follower has room and says why nothing can be
// committed now.
func (c *committer) admit() error {
	j := c.j
	j.mu.Lock()
	broken, sequence := j.broken, j.tail.sequence
	j.mu.Unlock()
	if broken != nil {
		return broken
	}
	if sequence >= maxSequence {
		return unavailable("append", errors.New("the journal has no more sequence numbers"))
	}
	if _, err := j.disk.left(j.o.Now()); err != nil {
		return unavailable("append", err)
	}
	if !j.awaitRoom() {
		return ErrClosed
	}
	return nil
}

// refuse fails everything pending.
func (c *committer) refuse(err error) {
	entries, bytes := 0, 0
	for _, w := range c.pending {
		entries, bytes = entries+len(w.entries), bytes+w.size
	}
	c.j.queue.settle(entries, bytes)
	for _, w := range c.pending {
		c.finish(w, err)
	}
	clear(c.pending)
	c.pending = c.pending[:0]
}

// finish tells w's caller. A waiter that was withdrawn has none.
func (c *committer) finish(w *waiter, err error) {
	if w.take() {
		w.done <- err
	}
}

// pack fills parts with what the next record takes, in order of arrival, and
// returns false when all that was pending had been withdrawn. An append is
// spread over several records only when it does not fit into one.
func (c *committer) pack() bool {
	c.parts = c.parts[:0]
	size, count := headerSize, 0
	gone, entries, bytes := 0, 0, 0
	for _, w := range c.pending {
		whole := size+w.size <= MaxRecord && count+len(w.entries) <= cx.MaxEntries
		if !whole && len(c.parts) > 0 {
			break
		}
		if w.take() {
			p := c.cut(w, &size, &count)
			c.parts = append(c.parts, p)
			if !p.ends() {
				break
			}
		}
		gone, entries, bytes = gone+1, entries+len(w.entries), bytes+w.size
	}
	c.dropPending(gone)
	c.j.queue.settle(entries, bytes)
	return len(c.parts) > 0
}

// cut takes from w as many entries as the record has room for, at least one.
func (c *committer) cut(w *waiter, size, count *int) part {
	p := part{w, w.packed, w.packed}
	for p.to < len(w.entries) {
		n := entrySize(len(w.entries[p.to].Payload))
		if *size+n > MaxRecord || *count == cx.MaxEntries {
			break
		}
		*size, *count, p.to = *size+n, *count+1, p.to+1
	}
	w.packed = p.to
	return p
}

// dropPending removes the first n waiters.
func (c *committer) dropPending(n int) {
	rest := copy(c.pending, c.pending[n:])
	clear(c.pending[rest:])
	c.pending = c.pending[:rest]
}

// commit makes the packed record durable and tells its waiters.
func (c *committer) commit(ctx context.Context) {
	began := time.Now()
	defer func() { c.j.busy.Add(int64(time.Since(began))) }()
	r := c.record()
	c.encode(r)
	fault.Point("append.before")
	err := c.publish(ctx, r.Sequence)
	fault.Point("append.after")
	if err != nil {
		c.failed(ctx, err)
		return
	}
	c.j.disk.spend(len(c.stored))
	c.j.advance(r)
	c.acknowledge(r)
}

// record joins the parts. Its time is the wall clock's, but never before that
// of the record before it.
func (c *committer) record() *Record {
	c.j.mu.Lock()
	end := c.j.tail
	c.j.mu.Unlock()
	count := 0
	for _, p := range c.parts {
		count += p.to - p.from
	}
	r := &Record{
		Sequence: end.sequence + 1,
		Previous: end.previous,
		Time:     max(end.time, cx.InstantOf(c.j.o.Now())),
		Entries:  make([]cx.Entry, 0, count),
		Tags:     make([]Tag, len(c.parts)),
	}
	for i, p := range c.parts {
		r.Tags[i] = Tag{First: len(r.Entries), Count: p.to - p.from, More: !p.ends(), Value: p.w.tag}
		r.Entries = append(r.Entries, p.w.entries[p.from:p.to]...)
	}
	return r
}

// encode writes r into memory of its own, which its entries alias from then on:
// the follower keeps the record after its appenders have gone. What is stored
// is compressed when that pays.
func (c *committer) encode(r *Record) {
	size := headerSize
	for i := range r.Entries {
		size += entrySize(len(r.Entries[i].Payload))
	}
	encoded := AppendRecord(make([]byte, 0, size), r)
	end := headerSize
	for i := range r.Entries {
		n := len(r.Entries[i].Payload)
		end += entrySize(n)
		r.Entries[i].Payload = encoded[end-n : end : end]
	}
	c.stored = c.shorten.compress(encoded)
}

// publish stores the record and checks that it got the sequence it should.
func (c *committer) publish(ctx context.Context, want uint64) error {
	e, err := c.j.awaitEngine(ctx)
	if err != nil {
		return err
	}
	got, err := e.publish(c.stored) //nolint:contextcheck // a commit is not interrupted: it ends with the engine or in time
	if err != nil {
		return err
	}
	if got != want {
		return fmt.Errorf("record %d was stored as %d", want, got)
	}
	return nil
}

// failed tells the waiters that their record is not known to be durable, and
// opens the engine anew unless it is merely full.
func (c *committer) failed(ctx context.Context, err error) {
	full := errors.Is(err, errFull)
	answer := unavailable("append", fmt.Errorf("not known to be durable, send it again: %w", err))
	if full {
		answer = unavailable("append", err)
	}
	for _, p := range c.parts {
		if !p.ends() {
			c.dropPending(1)
			c.j.queue.settle(len(p.w.entries), p.w.size)
		}
		c.finish(p.w, answer)
	}
	c.j.setFull(full)
	if !full {
		c.reopen(ctx, err)
	}
}

// acknowledge tells the waiters whose last entry is in r.
func (c *committer) acknowledge(r *Record) {
	for i, p := range c.parts {
		if p.from == 0 {
			p.w.first = cx.At(r.Sequence, r.Tags[i].First)
		}
		if p.ends() {
			p.w.done <- nil
		}
	}
	clear(c.parts)
}

// advance moves the tail to r and hands r to the follower.
func (j *Journal) advance(r *Record) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.moveTail(tail{sequence: r.Sequence, previous: r.Sequence, time: r.Time})
	j.full = false
	if j.live != nil {
		j.live.push(r)
	}
}
