package cx

import "unique"

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

	// Of what goes out by other channels than the page.
	Outgoing  AttentionState = 7  // decided, its fate not known yet
	Delivered AttentionState = 8  // the receiver has it
	Failed    AttentionState = 9  // never arrived: does not count
	Unsure    AttentionState = 10 // tried, and nobody knows whether it arrived: counts
)

var attentionNames = [...]string{"", "reserved", "shown", "clicked", "dismissed", "released", "withdrawn", "outgoing", "delivered", "failed", "unsure"}

// String names the state in snake_case.
func (s AttentionState) String() string {
	if int(s) < len(attentionNames) {
		return attentionNames[s]
	}
	return "unknown"
}

// Attention is one line of the ledger of attention: one treatment decided for a
// customer and its fate. Caps count every line but Released and Failed ones, and
// Withdrawn ones without a ShownAt. A customer keeps many lines, so
// they are small: what most of them have in common is told by a Notice, and what
// was answered goes when it can no longer be repeated.
type Attention struct {
	Decision DecisionID
	Notice
	At      Instant // log time of the decision
	ShownAt Instant // log time of the exposure, 0 when not seen
	End     Instant // Reserved: when the reservation runs out; else log time of click, dismissal, withdrawal, release or of knowing the fate, 0 while it is shown or on its way
	Said    *Said   // nil once it can no longer be repeated; never changed
	Session uint32  // Visit.Number of the session in which it was decided
	State   AttentionState
}

// Said is what was answered to an event.
type Said struct {
	Message uint64 // Hash(write key, message id) of the event, 0 for none
	Content []byte // raw JSON
}

// Notice is an action at a place of a channel. Equal notices are one value in
// memory and can be compared with ==. The zero Notice has no names.
type Notice struct{ names unique.Handle[notice] }

type notice struct {
	action, place string
	channel       Channel
}

// NewNotice returns the notice of these names, which it does not hold on to.
func NewNotice(action, place string, channel Channel) Notice {
	if action == "" && place == "" && channel == "" {
		return Notice{}
	}
	return Notice{unique.Make(notice{action, place, channel})}
}

// Action returns the name of the action.
func (n Notice) Action() string { return n.value().action }

// Place returns the place, "" off site.
func (n Notice) Place() string { return n.value().place }

// Channel returns the channel.
func (n Notice) Channel() Channel { return n.value().channel }

func (n Notice) value() notice {
	if n == (Notice{}) {
		return notice{}
	}
	return n.names.Value()
}

// Equal is ==.
func (n Notice) Equal(o Notice) bool { return n == o }

// Counts reports whether the line counts towards caps.
func (a *Attention) Counts() bool {
	return a.State != Released && a.State != Failed && (a.State != Withdrawn || a.ShownAt != 0)
}

// Live reports whether the treatment is, as far as we know, still on screen or
// on its way there.
func (a *Attention) Live() bool { return a.State == Reserved || a.State == Shown }
