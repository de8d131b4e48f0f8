package cx

// Customer is what the events so far add up to. Only its lane touches it.
// Slices are kept sorted as their comments say, so that equal customers have
// equal encodings.
type Customer struct {
	ID        CustomerID
	Workspace Workspace
	CreatedAt Instant // log time
	LastSeen  Instant // event time of the latest active event
	Flags     CustomerFlags
	SpilledAt uint32 // with SpillSeen: At of the newest mark that was spilled

	Identities []Identity // by namespace, then value
	Traits     []Trait    // by name
	Consent    Consent
	Session    Visit // the running session, or the last one when it has ended
	Previous   Visit // the session before that

	Stats    []byte      // statistics, packed; package profile reads and writes them
	Seen     []Seen      // message ids of the last 24 hours, oldest first
	Segments []uint64    // bit i: is in the segment with slot i; no trailing zero words
	Judged   uint64      // sequence of the published set that Segments was last evaluated against
	Filled   uint64      // number of the last back-fill whose statistics it has taken over
	Unknown  []int       // slots of statistics that cannot be known for this customer, ascending
	Ledger   []Attention // what we said to this person, oldest first
	Tallies  []Tally     // counts of lines that left the ledger, by action
	Timers   []Timer     // by due time, then kind, then reference

	Rate Rate // how fast events come, to notice a flood
}

// CustomerFlags are lasting facts about a customer.
type CustomerFlags uint8

// The flags.
const (
	Flooding  CustomerFlags = 1 << iota // over 50 events a second for 10 seconds: folded, not decided
	SpillSeen                           // some of the last 24 hours' message ids are in the store
	Robot                               // known by an event from a bot
)

// Trait is one fact kept about a customer.
type Trait struct {
	Name  string
	Raw   []byte  // raw JSON value
	At    Instant // event time of the event that told it
	By    Position
	Level KeyKind // who told it: a browser's word does not overrule a server's
}

// Visit is the span of one session. The zero Visit is none.
type Visit struct {
	Start, End Instant // times of its first and latest event
	Number     uint32  // 1 for the customer's first session
	Events     uint32
}

// SessionGap is the silence that ends a session.
const SessionGap = 30 * Minute

// Seen is the mark of one received message, for de-duplication. Its message is
// cut in two, because a customer has many and each is to take 12 bytes.
type Seen struct {
	Low, High uint32 // of Hash(write key, message id)
	At        uint32 // log time in seconds since 1970
}

// NewSeen returns the mark of a message received at the given second.
func NewSeen(message uint64, at uint32) Seen {
	return Seen{Low: uint32(message), High: uint32(message >> 32), At: at}
}

// Message returns Hash(write key, message id).
func (s Seen) Message() uint64 { return uint64(s.High)<<32 | uint64(s.Low) }

// Rate counts events in whole seconds of log time.
type Rate struct {
	Second uint32 // the second being counted
	Count  uint16 // events in it
	Hot    uint8  // how many seconds in a row, up to the one before Second, were above the limit
	Quiet  uint8  // how many seconds in a row were at or below it; stops at its need
}

// TimerKind says what a timer is for. The numbers are part of the format.
type TimerKind uint8

// The kinds of timer.
const (
	TimerSegments TimerKind = 1 // something that a segment depends on changes by time alone
	TimerRelease  TimerKind = 2 // a reservation runs out; Ref is the decision
	TimerSession  TimerKind = 3 // the session ends by silence
)

// Timer is something to be done with a customer at a time.
type Timer struct {
	Due  Instant
	Kind TimerKind
	Ref  uint64
}

// InSegment reports whether the bit of slot is set.
func (c *Customer) InSegment(slot int) bool {
	return slot>>6 < len(c.Segments) && c.Segments[slot>>6]&(1<<(slot&63)) != 0
}

// Identity returns the first value in namespace n, or "".
func (c *Customer) Identity(n Namespace) string {
	for i := range c.Identities {
		if c.Identities[i].Namespace == n {
			return c.Identities[i].Value
		}
	}
	return ""
}

// Known reports whether the company has vouched for who this is.
func (c *Customer) Known() bool { return c.Identity(UserID) != "" }

// Claimed reports whether the customer is known only by an unsigned claim:
// nothing personal may be shown to whoever makes it.
func (c *Customer) Claimed() bool { return !c.Known() && c.Identity(ClaimedUserID) != "" }

// Trait returns the trait called name, or Missing.
func (c *Customer) Trait(name string) Value {
	lo, hi := 0, len(c.Traits)
	for lo < hi {
		mid := (lo + hi) / 2
		if c.Traits[mid].Name < name {
			lo = mid + 1
		} else {
			hi = mid
		}
	}
	if lo < len(c.Traits) && c.Traits[lo].Name == name {
		return ParseValue(c.Traits[lo].Raw)
	}
	return Value{}
}

// InSession reports whether a session is running at now.
func (c *Customer) InSession(now Instant) bool {
	return c.Session.Start != 0 && now < c.Session.End+SessionGap
}

// Change says what one step altered in a customer, so that only the rules that
// depend on it are looked at again.
type Change struct {
	Slots   []uint64 // bit i: the statistic with slot i may have another value
	Traits  []string // names of traits that changed
	Session bool     // a session started or ended
	Consent bool
	Links   bool // identities were added or a merge took place
	All     bool // everything may have changed: look at every rule
}

// Touch marks a statistic slot as changed.
func (c *Change) Touch(slot int) {
	for slot>>6 >= len(c.Slots) {
		c.Slots = append(c.Slots, 0)
	}
	c.Slots[slot>>6] |= 1 << (slot & 63)
}

// Touched reports whether the statistic slot is marked.
func (c *Change) Touched(slot int) bool {
	return c.All || slot>>6 < len(c.Slots) && c.Slots[slot>>6]&(1<<(slot&63)) != 0
}

// Reset forgets everything, keeping the memory.
func (c *Change) Reset() {
	clear(c.Slots)
	*c = Change{Slots: c.Slots[:0], Traits: c.Traits[:0]}
}
