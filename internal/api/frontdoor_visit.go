package api

import (
	"net/http"
	"time"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// visit is one request and the memory for it. The events alias the body and the
// collector, the entries alias encoded, so nothing of it may be used again
// while the journal might still be reading: see reusable.
type visit struct {
	door     *FrontDoor
	request  *http.Request
	call     collect.Call
	wants    bool // the client waits for actions
	key      *access.Key
	inBody   string // the write key, when it came in the body
	at       cx.Instant
	clock    time.Time // when the last part of the way ended
	seen     Reception
	reusable bool

	body      []byte
	collector collect.Collector
	encoded   []byte
	entries   []cx.Entry
	ends      []int
	answer    []byte
	timer     *time.Timer // for the answer; nil before the first
}

func (v *visit) begin(f *FrontDoor, r *http.Request, call collect.Call, now time.Time) {
	v.door, v.request, v.call, v.clock = f, r, call, now
	v.wants = wantsAnswer(r)
	v.seen = Reception{Path: r.URL.Path}
	v.reusable = true
}

// lap returns how long the part of the way took that ends now.
func (v *visit) lap() time.Duration {
	began := v.clock
	v.clock = v.door.Now()
	return v.clock.Sub(began)
}

// run takes the request in and leaves the answer in v.answer.
func (v *visit) run(w http.ResponseWriter) error {
	ring := v.door.Keys.Ring()
	if ring == nil {
		return errStarting
	}
	if err := v.findKey(ring); err != nil {
		return err
	}
	if err := v.read(w); err != nil {
		return v.refused(err)
	}
	if v.call.Drop {
		v.answer = append(v.answer[:0], `{"success":true}`...)
		return nil
	}
	defer v.door.inFlight.Add(-1)
	if v.door.inFlight.Add(1) > int64(v.door.MaxInFlight) {
		return cx.E(cx.Limited, "", "too many requests at once: try again")
	}
	return v.takeIn(ring)
}

// takeIn turns the body into events, and those into what is durable and
// answered.
func (v *visit) takeIn(ring *access.Ring) error {
	began := v.clock
	v.at = cx.InstantOf(began)
	if err := v.collector.Open(v.call, v.body); err != nil {
		return v.refused(err)
	}
	if err := v.findKeyInBody(ring); err != nil {
		return err
	}
	site, ok := v.door.Sites.Site(v.key.Workspace)
	if !ok {
		return errStarting
	}
	if err := v.door.limiter.take(v.key.ID, v.collector.Len(), began); err != nil {
		return err
	}
	got, err := v.collector.Events(v.sender(ring, site), v.at)
	if err != nil {
		return v.refused(err)
	}
	v.seen.Events, v.seen.Rejected, v.seen.Altered = len(got.Events), len(got.Rejected), len(got.Altered)
	v.sample(got)
	v.seen.Parse = v.lap()
	return v.store(got)
}

var errStarting = cx.E(cx.Unavailable, "", "the program is starting: try again")

// store makes the events durable and waits for what is decided on them, if the
// client does.
func (v *visit) store(got collect.Result) error {
	var waiter *pipeline.Waiter
	if v.wants {
		waiter = pipeline.NewWaiter(len(got.Events))
	}
	if len(got.Events) > 0 {
		if err := v.append(got.Events, waiter); err != nil {
			return err
		}
	}
	v.answer = appendHead(v.answer[:0], got.Rejected)
	if waiter != nil {
		v.await(got.Events, waiter)
	}
	v.answer = append(v.answer, '}')
	return nil
}

func (v *visit) append(events []cx.Event, waiter *pipeline.Waiter) error {
	v.encode(events)
	var tag any
	if waiter != nil {
		tag = waiter
	}
	_, err := v.door.Journal.Append(v.door.durable.context(), v.entries, tag)
	v.seen.Append = v.lap()
	if err != nil {
		v.reusable, v.seen.Events = false, 0
	}
	return err
}

// encode writes the events one after another into one piece of memory.
func (v *visit) encode(events []cx.Event) {
	v.encoded, v.ends, v.entries = v.encoded[:0], v.ends[:0], v.entries[:0]
	for i := range events {
		v.encoded = cx.AppendEvent(v.encoded, &events[i])
		v.ends = append(v.ends, len(v.encoded))
	}
	start := 0
	for _, end := range v.ends {
		v.entries = append(v.entries, cx.Entry{Kind: cx.EntryEvent, Payload: v.encoded[start:end:end]})
		start = end
	}
}

func (v *visit) await(events []cx.Event, waiter *pipeline.Waiter) {
	if v.timer == nil {
		v.timer = time.NewTimer(v.door.AnswerTimeout)
	} else {
		v.timer.Reset(v.door.AnswerTimeout)
	}
	answers, complete := waiter.WaitUntil(v.request.Context(), v.timer.C)
	v.timer.Stop()
	v.seen.Answer = v.lap()
	if v.key.Kind == cx.ServerKey {
		v.answer = appendByMessage(v.answer, events, answers)
	} else {
		v.answer = appendMerged(v.answer, answers)
	}
	if !complete {
		v.answer = append(v.answer, `,"late":true`...)
	}
}

// wantsAnswer reports whether the client asks for actions in the answer.
func wantsAnswer(r *http.Request) bool {
	switch r.URL.RawQuery {
	case "":
		return false
	case "actions=1":
		return true
	}
	a := r.URL.Query().Get("actions")
	return a == "1" || a == "true"
}

const keepMemory = 1 << 20 // bytes of a visit's buffers that are kept for the next

// forget drops what must not outlive the request, and memory that only an
// unusual request needs.
func (v *visit) forget() {
	v.door, v.request, v.key, v.inBody = nil, nil, nil, ""
	clear(v.entries)
	if cap(v.body)+cap(v.encoded) > keepMemory {
		v.body, v.encoded = nil, nil
	}
	if cap(v.answer) > keepMemory {
		v.answer = nil
	}
}
