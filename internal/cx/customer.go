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

// Seen is the mark of one received message, for de-duplication.
type Seen struct {
	Message uint64 // Hash(write key, message id)
	At      uint32 // log time in seconds since 1970
}

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

// AttentionState is how far one treatment got.
type AttentionState uint8

// The states. The numbers are part of the format.
const (
	Reserved  AttentionState = 1 // decided and answered, not yet reported as seen
	Shown     AttentionState = 2
	Clicked   AttentionState = 3
	Dismissed AttentionState = 4
	Released  AttentionState = 5 // never seen: does not count
	Withdrawn AttentionState = 6 // taken back because it no longer applies; counts if it was seen
)

var attentionNames = [...]string{"", "reserved", "shown", "clicked", "dismissed", "released", "withdrawn"}

// String names the state in snake_case.
func (s AttentionState) String() string {
	if int(s) < len(attentionNames) {
		return attentionNames[s]
	}
	return "unknown"
}

// Attention is one line of the ledger of attention: one treatment decided for a
// customer and its fate. Caps count lines in state Reserved, Shown, Clicked,
// Dismissed, and Withdrawn ones with a ShownAt.
type Attention struct {
	Decision DecisionID
	Action   string
	Place    string
	Channel  Channel
	State    AttentionState
	At       Instant // log time of the decision
	Until    Instant // Reserved: when the reservation ends
	ShownAt  Instant // log time of the exposure, 0 when not seen
	EndedAt  Instant // log time of click, dismissal or withdrawal
	Message  uint64  // Hash(write key, message id) of the event that was answered
	Session  uint32  // Visit.Number of the session in which it was decided
	Content  []byte  // what was answered, raw JSON; nil once it can no longer be repeated
}

// Counts reports whether the line counts towards caps.
func (a *Attention) Counts() bool {
	return a.State != Released && (a.State != Withdrawn || a.ShownAt != 0)
}

// Live reports whether the treatment is, as far as we know, still on screen or
// on its way there.
func (a *Attention) Live() bool { return a.State == Reserved || a.State == Shown }

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
