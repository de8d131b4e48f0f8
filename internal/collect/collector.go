package collect

import (
	"bytes"
	"compress/gzip"
	"net/netip"

	"github.com/kikubari/kikubari/internal/cx"
)

// Sender is who sent a request, and what their workspace wants.
type Sender struct {
	Workspace   cx.Workspace
	Key         cx.KeyID
	Kind        cx.KeyKind // browser or server
	WriteKey    string     // set when the key was read from the body: events with another are refused
	Secret      []byte     // by which the workspace signs user ids; nil when it does not
	Redact      *Redaction // what the workspace does not keep; nil for the defaults
	Address     netip.Addr // where the request came from; the zero Addr when not known
	UserAgent   string     // the request's own
	WantsAnswer bool       // the client waits for actions
}

// Result is what became of a request. It aliases the body and the Collector's
// memory: it is valid until either is used again.
type Result struct {
	Events   []cx.Event // in the order in which they were sent
	Rejected []Note     // by index
	Altered  []Note     // by index; an event may have several
}

// Collector reads one request after another. Its memory is reused, so a pool
// of them serves many requests without allocation. The zero Collector is
// ready. It is not safe for concurrent use.
type Collector struct {
	scan       scanner
	call       Call
	from       Sender
	receivedAt cx.Instant
	drafts     []draft
	last       *draft // the event being read

	// Why the body is refused although it is JSON as far as it was read.
	refused   Reason
	refusedAt int

	// What the body says about all its events, raw.
	writeKey     []byte
	sentAt       []byte
	batchSent    reading // of sentAt
	shared       []byte  // the batch's context
	sharedFacts  facts
	sharedPairs  bool // it may hold addresses with parameters
	integrations []byte
	historical   bool
	badText      bool // somewhere in the body there is text that is not UTF-8

	result  Result
	context cx.Fields // of the event being read, when it is opened
	opened  bool
	fields  cx.Fields // scratch
	edits   []byte    // what had to be written anew
	address []byte    // the sender's address as a JSON string, shortened
	repeats map[cx.HashKey]int
	agents  agentMemory

	packed bytes.Reader
	plain  bytes.Buffer
	gzip   *gzip.Reader
}

// Parse reads one request with a Collector of its own.
func Parse(call Call, body []byte, from Sender, receivedAt cx.Instant) (Result, error) {
	c := new(Collector)
	if err := c.Open(call, body); err != nil {
		return Result{}, err
	}
	return c.Events(from, receivedAt)
}

// Open unpacks and validates the body of a request and finds the events in it.
// A body that cannot be taken is refused with a Refusal of kind Invalid. The
// Collector keeps using body until it is opened again.
func (c *Collector) Open(call Call, body []byte) error {
	c.reset(call)
	plain, err := c.unpack(body)
	if err != nil {
		return err
	}
	return call.Dialect.open(c, plain)
}

func (c *Collector) reset(call Call) {
	clear(c.result.Events)
	c.scan, c.call, c.from, c.last = scanner{}, call, Sender{}, nil
	c.drafts, c.refused, c.refusedAt = c.drafts[:0], "", 0
	c.writeKey, c.sentAt, c.shared, c.integrations = nil, nil, nil, nil
	c.sharedFacts, c.historical, c.badText = facts{}, false, false
	c.batchSent = reading{}
	c.edits, c.address = c.edits[:0], c.address[:0]
	c.result = Result{Events: c.result.Events[:0], Rejected: c.result.Rejected[:0], Altered: c.result.Altered[:0]}
	clear(c.repeats)
}

// Len returns how many events the open body holds.
func (c *Collector) Len() int { return len(c.drafts) }

// Raw returns event i of the open body as it was sent, nil when i is out of
// range.
func (c *Collector) Raw(i int) []byte {
	if i < 0 || i >= len(c.drafts) {
		return nil
	}
	return c.raw(c.drafts[i].whole)
}

// WriteKey returns the write key that the open body carries for all its events
// or on its first one, "" when it carries none.
func (c *Collector) WriteKey() string {
	if c.writeKey != nil || len(c.drafts) == 0 {
		return c.textOf(c.writeKey)
	}
	return c.str(c.drafts[0].writeKey)
}

// Events reads the events of the open body. When the body is a single event
// and that is refused, the request is: the error is a Refusal of kind Invalid.
// It may be called once for each Open.
func (c *Collector) Events(from Sender, receivedAt cx.Instant) (Result, error) {
	c.from, c.receivedAt = from, receivedAt
	if from.Address.IsValid() {
		c.address = appendAddress(c.address, from.Address)
	}
	c.sharedPairs = c.shared != nil && mayHoldPairs(c.shared)
	for i := range c.drafts {
		c.last = &c.drafts[i]
		why := c.take(i)
		if why == "" {
			continue
		}
		if !c.call.Batch() {
			return Result{}, refuse(why, "")
		}
		c.result.Rejected = append(c.result.Rejected, c.note(i, why))
	}
	return c.result, nil
}

func (c *Collector) note(i int, why Reason) Note {
	kind, _ := cx.ParseEventType(c.str(c.last.kind))
	if !c.call.Batch() {
		kind = c.call.Type
	}
	return Note{
		Index: i, Reason: why, Type: kind.String(),
		Name: c.str(c.last.event), MessageID: c.str(c.last.messageID),
	}
}

func (c *Collector) altered(i int, how Reason) {
	c.result.Altered = append(c.result.Altered, c.note(i, how))
}
