package journal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/kikubari/kikubari/internal/cx"
)

// Read calls fn for every stored record from one sequence to another, both
// included, in order and without a gap. From 0 begins at the oldest stored
// record, to 0 ends at the newest durable one. Nothing from where it stands is
// released while it runs. Any number of readers may run at once.
//
// It returns when ctx ends (with its cause), when fn fails (with that error) or
// when a record cannot be read (a *DamageError that names it). From must not have
// been released (kind NotFound) and not lie beyond the end (Conflict).
func (j *Journal) Read(ctx context.Context, from, to uint64, fn func(*Record) error) error {
	c, err := j.cursor(ctx, from)
	if err != nil {
		return err
	}
	defer c.close()
	j.mu.Lock()
	end := j.tail.previous
	j.mu.Unlock()
	if to != 0 && to < end {
		end = to
	}
	return c.readTo(ctx, end, fn)
}

// cursor is a place in the stored journal. It survives a reopening of the
// engine, and holds back the release of what it has not read.
type cursor struct {
	j     *Journal
	after uint64 // everything up to here was given or is not wanted

	// While readTo runs, the goroutine that reads ahead alone uses these.
	reader *reader // nil until needed, and after a fault
	read   uint64  // everything up to here was read
	chain  chain
}

// cursor makes a cursor before the record from; the caller closes it.
func (j *Journal) cursor(ctx context.Context, from uint64) (*cursor, error) {
	j.releasing.Lock()
	defer j.releasing.Unlock()
	e, err := j.awaitEngine(ctx)
	if err != nil {
		return nil, err
	}
	state, err := e.state(ctx)
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, unavailable("read the journal", err)
	}
	j.mu.Lock()
	defer j.mu.Unlock()
	switch {
	case from > j.tail.sequence+1:
		return nil, cx.E(cx.Conflict, "read the journal", fmt.Sprintf("it ends at record %d, before %d: is this the right directory?", j.tail.sequence, from))
	case from > 0 && state.Msgs > 0 && from < state.FirstSeq:
		return nil, cx.E(cx.NotFound, "read the journal", fmt.Sprintf("the records from %d to %d have been released", from, state.FirstSeq-1))
	}
	c := &cursor{j: j, chain: startOfChain}
	if from > 0 {
		c.after, c.read, c.chain = from-1, from-1, chainBefore(from)
	}
	j.holds[c] = from
	return c, nil
}

func (c *cursor) close() {
	c.drop()
	c.j.mu.Lock()
	defer c.j.mu.Unlock()
	delete(c.j.holds, c)
}

func (c *cursor) drop() {
	if c.reader != nil {
		c.reader.close()
		c.reader = nil
	}
}

// readTo calls fn for the records up to and including end. While fn works on a
// batch the next ones are read, checked and inflated.
func (c *cursor) readTo(ctx context.Context, end uint64, fn func(*Record) error) error {
	if c.after >= end {
		return nil
	}
	reading, stop := context.WithCancel(ctx)
	batches := make(chan batch, 1)
	go c.readAhead(reading, end, batches)
	defer func() {
		stop()
		for range batches { // until the reader has ended
		}
	}()
	for b := range batches {
		if b.err != nil {
			return b.err
		}
		for _, r := range b.records {
			if err := fn(r); err != nil {
				return err
			}
			c.after = r.Sequence
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
		c.j.mu.Lock()
		c.j.holds[c] = c.after + 1
		c.j.mu.Unlock()
	}
	if c.after < end {
		return context.Cause(ctx)
	}
	return nil
}

// batch is some records in order, or why there are no more.
type batch struct {
	records []*Record
	err     error
}

// readAhead sends the batches up to end and closes the channel, behind the first
// error or when ctx ends.
func (c *cursor) readAhead(ctx context.Context, end uint64, batches chan<- batch) {
	defer close(batches)
	for c.read < end {
		records, err := c.next(ctx, end)
		select {
		case batches <- batch{records, err}:
		case <-ctx.Done():
			return
		}
		if err != nil {
			return
		}
		c.read = records[len(records)-1].Sequence
	}
}

// A cursor puts up with so many faults in a row, and waits a little longer after
// each: until a commit fails too, nobody opens a dead engine anew.
const (
	maxFaults  = 6
	firstPause = 10 * time.Millisecond
)

// next returns the next records, at least one, waiting for another engine when
// this one fails.
func (c *cursor) next(ctx context.Context, end uint64) ([]*Record, error) {
	for faults, pause := 1, firstPause; ; faults, pause = faults+1, 2*pause {
		records, err := c.tryNext(ctx, end)
		if err == nil {
			return records, nil
		}
		c.drop()
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if _, ok := errors.AsType[*DamageError](err); ok || faults == maxFaults || errors.Is(err, ErrClosed) {
			return nil, err
		}
		c.j.o.Log.WarnContext(ctx, "journal_read", slog.Uint64("after", c.read), slog.Any("error", err))
		select {
		case <-time.After(pause):
		case <-c.j.closed: // the next try says so
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

func (c *cursor) tryNext(ctx context.Context, end uint64) ([]*Record, error) {
	if c.reader == nil {
		e, err := c.j.awaitEngine(ctx)
		if err != nil {
			return nil, err
		}
		if c.reader, err = openReader(e, c.read+1); err != nil {
			return nil, unavailable("read the journal", err)
		}
	}
	chain := c.chain
	records, err := c.reader.next(ctx, end, &chain)
	if err == nil {
		c.chain = chain
	}
	return records, err
}

// chain checks that records follow each other as they say they do.
type chain struct {
	last   uint64 // the record that the next one must follow
	atMost bool   // or an earlier one
	open   bool   // or any
}

var startOfChain = chain{open: true}

// chainBefore expects the record at a sequence, or the one that took its place
// when the end of the journal was lost before it.
func chainBefore(sequence uint64) chain { return chain{last: sequence - 1, atMost: true} }

// link reports whether r comes next, and moves on to it.
func (c *chain) link(r *Record) bool {
	ok := c.open || r.Previous == c.last || c.atMost && r.Previous < c.last
	*c = chain{last: r.Sequence}
	return ok
}

// A batch is the most that a reader asks for at once. While it is sent, commits
// wait, so it is not large; what it inflates to is in memory up to three times.
const (
	batchRecords = 64
	batchBytes   = 512 << 10
)

// reader reads stored records from one engine, one batch ahead of its caller.
type reader struct {
	conn   *nats.Conn
	sub    *nats.Subscription
	inbox  string
	want   uint64 // where the next batch begins
	asked  bool   // and whether it is on its way
	damage error  // found behind the records given last
}

func openReader(e *engine, want uint64) (*reader, error) {
	conn, err := e.connect()
	if err != nil {
		return nil, err
	}
	r := &reader{conn: conn, inbox: conn.NewRespInbox(), want: want}
	if r.sub, err = conn.SubscribeSync(r.inbox); err != nil {
		conn.Close()
		return nil, err
	}
	return r, nil
}

func (r *reader) close() { r.conn.Close() }

// next returns the records of the next batch up to end, at least one.
func (r *reader) next(ctx context.Context, end uint64, chain *chain) ([]*Record, error) {
	if r.damage != nil {
		return nil, r.damage
	}
	if !r.asked {
		if err := r.ask(); err != nil {
			return nil, unavailable("read the journal", err)
		}
	}
	first := r.want
	messages, err := r.collect(ctx, end)
	if err != nil {
		return nil, unavailable("read the journal", err)
	}
	r.asked = false
	if r.want <= end && len(messages) > 0 {
		if err := r.ask(); err != nil {
			return nil, unavailable("read the journal", err)
		}
	}
	records, err := decodeBatch(messages, first, chain)
	if err != nil && len(records) > 0 {
		r.damage, err = err, nil
	}
	return records, err
}

// ask requests the batch that begins at want.
func (r *reader) ask() error {
	request, err := json.Marshal(map[string]uint64{"seq": r.want, "batch": batchRecords, "max_bytes": batchBytes})
	if err != nil {
		return err
	}
	r.asked = true
	return r.conn.PublishRequest("$JS.API.DIRECT.GET."+streamName, r.inbox, request)
}

// message is a stored record, not yet decoded.
type message struct {
	sequence uint64
	data     []byte
}

// silence is how long a reader waits for one message of an engine that works.
const silence = 20 * time.Second

// collect receives the batch on its way and moves want behind it. What lies
// beyond end is dropped: it may not be durable yet. The batch is empty when
// there is no record from want to end that the engine can read.
func (r *reader) collect(ctx context.Context, end uint64) ([]message, error) {
	ctx, cancel := context.WithTimeout(ctx, silence)
	defer cancel()
	batch := make([]message, 0, batchRecords)
	for {
		m, err := r.sub.NextMsgWithContext(ctx)
		if err != nil {
			return nil, err
		}
		switch status := m.Header.Get("Status"); status {
		case "":
		case "204", "404": // the end of a batch; nothing found
			return batch, nil
		default:
			return nil, fmt.Errorf("the stream answers %s %s", status, m.Header.Get("Description"))
		}
		sequence, err := strconv.ParseUint(m.Header.Get("Nats-Sequence"), 10, 64)
		if err != nil {
			return nil, fmt.Errorf("sequence of a stored record: %w", err)
		}
		if sequence <= end {
			batch = append(batch, message{sequence, m.Data})
			r.want = sequence + 1
		}
	}
}

// decodeBatch decodes messages and returns those before the first damage. first
// is the record that was asked for: when nothing is there, that is damage too.
func decodeBatch(messages []message, first uint64, chain *chain) ([]*Record, error) {
	records := make([]*Record, 0, len(messages))
	for _, m := range messages {
		r, err := DecodeRecord(m.sequence, m.data)
		if err != nil {
			return records, err
		}
		missing := chain.last + 1
		if !chain.link(r) {
			return records, &DamageError{missing, -1, fmt.Sprintf("it is missing before record %d, which follows %d", r.Sequence, r.Previous)}
		}
		records = append(records, r)
	}
	if len(records) == 0 {
		return nil, &DamageError{first, -1, "it is stored but cannot be read"}
	}
	return records, nil
}
