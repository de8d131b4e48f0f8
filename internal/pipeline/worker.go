package pipeline

import (
	"context"
	"runtime"
	"sync/atomic"
	"time"
	"unsafe"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/learn"
	"github.com/kikubari/kikubari/internal/profile"
	"github.com/kikubari/kikubari/internal/rule"
	"github.com/kikubari/kikubari/internal/segment"
)

// lane is one of the 64 virtual lanes: the single writer of its customers. What
// a lane computes does not depend on which goroutine runs it, nor on how many
// there are.
type lane struct {
	number    int
	residents map[cx.CustomerID]*resident
	resting   map[cx.CustomerID]rest
	alarms    alarms
	learned   learn.Delta // what this lane's customers taught since the last tick
	outbox    outbox
}

// worker is one goroutine that runs some of the lanes. It takes its orders in
// log order, so whatever two of its lanes exchange is in order by itself.
type worker struct {
	shard *Shard
	lanes []*lane // ascending by number
	in    chan *batch
	ask   chan func()

	folder    profile.Folder
	evaluator segment.Evaluator
	decider   decide.Decider
	result    decide.Result
	scope     rule.Scope
	state     *shared // frozen at the last tick
	ws        *workspace
	ctx       context.Context

	feed  *Batch // rows since the last flush
	stash stash

	epoch   uint64      // number of the cut that is being gathered
	dirty   []*resident // changed since the last cut
	pending []*resident // of the running cut, not yet encoded
	running *part       // of the running cut, nil when none runs
	next    part        // what the next cut has so far besides customers
	arena   []byte      // where rows are encoded
	encoded []byte      // scratch for what a decision was made from
	known   []byte      // scratch for the customer's part of it
	slim    factsScratch
	page    *page   // what the store does not know yet of the cut being gathered
	pages   []*page // the same of earlier cuts that may not be committed

	ring   []*resident // every resident, for rest and eviction
	hand   int
	drowsy int // residents that are still to be looked at in this round of restSome
	bytes  int64

	forgetful int // the lane of which forgetResting drops customers next

	memory atomic.Int64 // bytes, for readers outside

	missing []cx.CustomerID

	histories map[historyKey]*cx.Customer // what customers are about to take over
	warmed    uint8                       // keeps warm's reads from being left out
	sample    sampler
	counted   cx.Workspace // whose counts these are
	counts    *Counts
}

// batch is what one journal record, or one tick, asks of one worker.
type batch struct {
	now    cx.Instant
	state  *shared
	orders []order

	tick  cx.Position // not 0: a barrier; fire what is due by now and report
	flush bool        // barrier: hand over the rows
	cut   uint64      // barrier: not 0: begin this cut

	sweep     *backfill // barrier: not nil: let customers take over what it folded …
	sweepMost int       // … so many of each lane at most
	done      chan<- *report
}

// report is a worker's answer to a barrier.
type report struct {
	worker  *worker
	rows    *Batch
	unsaved bool
	swept   []sweptLane
}

// orderKind says what an order asks for.
type orderKind uint8

const (
	orderEvent    orderKind = iota // fold an event and judge it
	orderGive                      // hand the customer over: it is merged into another
	orderTake                      // take over a merged customer
	orderDrop                      // forget an identity that moved to another customer
	orderBegin                     // be there, and have identities
	orderSettle                    // take a delivery out of the outbox: its fate is known
	orderFate                      // note the fate of a delivery in the ledger
	orderResend                    // put a delivery into the outbox again
	orderBequeath                  // an un-merge: tell which marks of a merged customer were spilled
	orderSplit                     // an un-merge: give others what is theirs
	orderRevive                    // an un-merge: take what the split gives
	orderErase                     // forget the customer
	orderRemains                   // take what stays of an event whose person was erased
)

// order is one step of one customer, at one position.
type order struct {
	kind      orderKind
	fresh     bool // the customer begins to exist here
	commanded bool // by an operator, who waits for it
	at        cx.Position
	customer  cx.CustomerID
	resident  *resident // as prefetch found it, nil when it was not in memory
	links     []cx.Identity
	event     *cx.Event // of a merge or a move: nil
	about     cx.Workspace
	hand      *handoff
	waiter    *Waiter
	index     int            // of the event in its request, of the merge at its position
	merge     *profile.Merge // that is made
	split     *split         // of an un-merge
	fate      *cx.Fate
	delivery  *cx.Delivery    // that is to be sent again
	family    []cx.CustomerID // of a person that is erased
	taught    *cx.Lesson      // by an event whose person was erased
}

// handoff carries a merged customer from its old lane to its new one.
type handoff struct {
	loser chan given
}

// given is a merged customer with the marks of it that were spilled.
type given struct {
	customer *cx.Customer
	marks    map[uint64]uint32
}

// run takes orders until the worker's channel is closed. Between them it
// encodes the running cut and puts customers to rest, a little at a time, so
// that no request waits long.
func (w *worker) run(ctx context.Context) {
	w.ctx = ctx
	round := time.NewTicker(w.shard.opts.RestAfter)
	defer round.Stop()
	for {
		if len(w.pending) > 0 || w.drowsy > 0 {
			select {
			case b, ok := <-w.in:
				if !ok {
					return
				}
				w.take(b)
			case f := <-w.ask:
				f()
			default:
				w.restSome(64)
			}
			w.encodeSome(64)
			runtime.Gosched() // requests go first
			continue
		}
		select {
		case b, ok := <-w.in:
			if !ok {
				return
			}
			w.take(b)
		case f := <-w.ask:
			f()
		case <-round.C:
			w.drowsy = len(w.ring)
		}
	}
}

// take does what one batch asks for.
func (w *worker) take(b *batch) {
	w.state = b.state
	w.scope.Now = b.now
	if b.tick != 0 {
		w.barrier(b)
		return
	}
	w.prefetch(b.orders)
	w.prefetchHistories(b.orders)
	w.warm(b.orders)
	for i := range b.orders {
		if i%yieldEvery == yieldEvery-1 && w.shard.opts.reduced != nil {
			runtime.Gosched() // requests go first
		}
		o := &b.orders[i]
		l := w.shard.lanes[o.customer.Lane()]
		switch o.kind {
		case orderEvent:
			w.event(l, o)
		case orderGive:
			w.give(l, o)
		case orderTake:
			w.merge(l, o)
		case orderDrop:
			w.drop(l, o)
		case orderBegin:
			w.begin(l, o)
		case orderSettle:
			w.settle(l, o)
		case orderFate:
			w.fate(l, o)
		case orderResend:
			w.resend(l, o)
		case orderBequeath:
			o.hand.loser <- given{marks: w.marksOf(o.customer)}
		case orderSplit:
			w.divide(l, o)
		case orderRevive:
			w.revive(l, o)
		case orderErase:
			w.erase(l, o)
		case orderRemains:
			w.remains(l, o)
		}
	}
	w.evict()
	w.memory.Store(w.bytes)
	w.publishDue()
	recycle(b)
}

// yieldEvery is after how many events a filler lets others go first.
const yieldEvery = 32

// prefetch finds the residents that the orders are about and loads, in one go,
// the customers that are not in memory.
func (w *worker) prefetch(orders []order) {
	w.missing = w.missing[:0]
	for i := range orders {
		o := &orders[i]
		o.resident = w.find(w.shard.lanes[o.customer.Lane()], o.customer)
		if o.resident == nil && !o.fresh && o.kind != orderSettle {
			w.missing = append(w.missing, o.customer)
		}
	}
	if len(w.missing) > 0 {
		w.load(w.missing)
	}
}

// warm reads a byte of every line of memory that the orders will need, so that
// the processor fetches those of many customers at once instead of waiting for
// each in turn: of a million customers hardly one is in its caches.
func (w *worker) warm(orders []order) {
	const line = 64
	sum := uint8(0)
	for i := range orders {
		if r := orders[i].resident; r != nil {
			bytes := unsafe.Slice((*uint8)(unsafe.Pointer(r)), unsafe.Sizeof(*r))
			for at := 0; at < len(bytes); at += line {
				sum ^= bytes[at]
			}
		}
	}
	for i := range orders {
		if r := orders[i].resident; r != nil {
			c := &r.customer
			for at := 0; at < len(c.Stats); at += line {
				sum ^= c.Stats[at]
			}
			for at := len(c.Seen) - 1; at >= 0; at -= line / 12 {
				sum ^= uint8(c.Seen[at].Low)
			}
			for at := range c.Ledger {
				sum ^= uint8(c.Ledger[at].State)
			}
			if len(c.Segments) > 0 {
				sum ^= uint8(c.Segments[0])
			}
			if len(c.Timers) > 0 {
				sum ^= uint8(c.Timers[0].Kind)
			}
			if len(c.Identities) > 0 {
				sum ^= uint8(c.Identities[0].Namespace)
			}
		}
	}
	w.warmed = sum
}

// load brings customers in from the store. A store that fails is asked again
// until it answers or the shard stops: guessing would break replay.
func (w *worker) load(ids []cx.CustomerID) {
	for wait := 10 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := w.shard.opts.Store.Customers(w.ctx, ids, func(id cx.CustomerID, blob []byte) error {
			l := w.shard.lanes[id.Lane()]
			if l.residents[id] != nil || w.left(id) {
				return nil
			}
			c, err := profile.DecodeCustomer(blob)
			if err != nil {
				return err
			}
			c.Workspace = w.shard.intern(c.Workspace)
			w.shard.opts.reduced.begin(c)
			w.admit(l, c)
			return nil
		})
		if err == nil && wait > 10*time.Millisecond {
			w.shard.unstuck("load customers")
		}
		if err == nil || w.ctx.Err() != nil {
			return
		}
		w.shard.stuck("load customers", err)
		select {
		case <-time.After(wait):
		case <-w.ctx.Done():
			return
		}
	}
}

// admit makes c a resident of the lane.
func (w *worker) admit(l *lane, c *cx.Customer) *resident {
	r := &resident{customer: *c, used: true, size: estimate(c)}
	if len(c.Timers) > 0 {
		r.alarm = c.Timers[0].Due // an alarm no later than this is in the lane already
	}
	l.residents[c.ID] = r
	w.ring = append(w.ring, r)
	w.bytes += int64(r.size)
	return r
}

// customer returns the resident that o is about, making a new customer when there
// is none.
func (w *worker) customer(l *lane, o *order, ws cx.Workspace) *resident {
	if r := o.resident; r != nil && r.epoch != gone {
		r.used = true
		return r
	}
	if r := l.residents[o.customer]; r != nil {
		r.used = true
		return r
	}
	return w.admit(l, &cx.Customer{ID: o.customer, Workspace: w.shard.intern(ws), CreatedAt: w.scope.Now, Filled: w.filled()})
}

// touch must be called before a resident changes: if the running cut still
// needs its present state, that is encoded first.
func (w *worker) touch(r *resident) {
	if r.epoch == w.epoch {
		return
	}
	if r.epoch != 0 {
		w.encode(r)
	}
	r.epoch = w.epoch
	w.dirty = append(w.dirty, r)
}

// resize keeps the account of memory after a resident changed.
func (w *worker) resize(r *resident) {
	n := estimate(&r.customer)
	w.bytes += int64(n - r.size)
	r.size = n
}

// publishDue lets the clock know when the worker's lanes want to wake.
func (w *worker) publishDue() {
	var due cx.Instant
	for _, l := range w.lanes {
		if d := l.nextAlarm(); d != 0 && (due == 0 || d < due) {
			due = d
		}
	}
	w.shard.due[w.index()].Store(int64(due))
}

func (w *worker) index() int { return w.lanes[0].number }

// barrier fires every timer of the worker's lanes that is due, hands over rows
// and deltas and begins the cut, if one is asked for.
func (w *worker) barrier(b *batch) {
	for _, l := range w.lanes {
		w.fireDue(l, b)
	}
	r := &report{worker: w}
	if b.sweep != nil {
		r.swept = w.sweep(b.sweep, b.sweepMost, b.tick)
	}
	r.unsaved = len(w.dirty) > 0
	if b.flush {
		r.rows, w.feed = w.feed, w.shard.rows.take()
	}
	if b.cut != 0 {
		w.beginCut(b.cut)
	}
	w.evict()
	w.publishDue()
	b.done <- r
}

// fireDue wakes, in order, every customer of the lane with a timer due by now.
func (w *worker) fireDue(l *lane, b *batch) {
	for {
		id, ok := l.popDue(b.now)
		if !ok {
			return
		}
		r := w.find(l, id)
		if r == nil {
			w.load([]cx.CustomerID{id})
			if r = l.residents[id]; r == nil {
				continue // merged away meanwhile
			}
		}
		if w.state.takingOver && isDue(&r.customer, b.now) { // an alarm that is no longer true must change nothing
			w.catchUp(l, r, b.tick)
		}
		r.alarm = 0
		w.fire(r, b.tick, b.now)
		l.setAlarm(r)
	}
}
