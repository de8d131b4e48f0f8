package cx

import "strconv"

// SendKey names a delivery for ever: every attempt carries it, so that a receiver
// can tell a repetition, and every replay gives the same one.
type SendKey [2]uint64

// NewSendKey returns the key of what a decision made at log time at sends by an
// action to a destination. The time keeps the keys of two installations apart,
// whose decisions have the same ids.
func NewSendKey(d DecisionID, at Instant, action, destination string) SendKey {
	return SendKey(Hash128(d.String(), strconv.FormatInt(int64(at), 36), action, destination))
}

// String writes the key as receivers see it: "s_" and 26 characters.
func (k SendKey) String() string { return string(k.Append(nil)) }

// Append appends what String returns.
func (k SendKey) Append(dst []byte) []byte { return appendID(appendID(dst, "s_", k[0]), "", k[1]) }

// ParseSendKey reads what String wrote.
func ParseSendKey(s string) (SendKey, bool) {
	const half = 2 + 13
	if len(s) != half+13 {
		return SendKey{}, false
	}
	high, ok := parseID("s_", s[:half])
	low, ok2 := parseID("", s[half:])
	return SendKey{high, low}, ok && ok2
}

// Delivery is one treatment on its way to one customer by a channel other than
// the page.
type Delivery struct {
	Key         SendKey
	Position    Position // of the entry that was judged, or had it sent again
	At          Instant  // log time there
	Workspace   Workspace
	Customer    CustomerID
	Decision    DecisionID
	Action      string
	Purpose     Purpose
	Channel     Channel
	Destination string // a destination document of the workspace
	Payload     []byte // what is sent, ready; empty in an outbox when it is sent again
}

// DeliveryState is how far a delivery has come.
type DeliveryState uint8

// The states. The numbers are part of the format.
const (
	DeliveryQueued   DeliveryState = 1 // waits for its first attempt or the next
	DeliveryTrying   DeliveryState = 2 // an attempt is under way, or was when the program ended
	DeliverySent     DeliveryState = 3 // the receiver has it
	DeliveryFailed   DeliveryState = 4 // the receiver does not have it and will not get it
	DeliveryUnknown  DeliveryState = 5 // an attempt was made, nobody knows its end, and none follows
	DeliveryWithheld DeliveryState = 6 // never tried: it came up when old events were judged again
)

var deliveryNames = [...]string{"", "queued", "trying", "sent", "failed", "unknown", "withheld"}

// DeliveryStates lists every state.
var DeliveryStates = []DeliveryState{DeliveryQueued, DeliveryTrying, DeliverySent, DeliveryFailed, DeliveryUnknown, DeliveryWithheld}

// String names the state in snake_case.
func (s DeliveryState) String() string {
	if int(s) < len(deliveryNames) && s > 0 {
		return deliveryNames[s]
	}
	return "none"
}

// ParseDeliveryState reads what String wrote.
func ParseDeliveryState(name string) (DeliveryState, bool) {
	for _, s := range DeliveryStates {
		if s.String() == name {
			return s, true
		}
	}
	return 0, false
}

// Settled reports whether no attempt follows.
func (s DeliveryState) Settled() bool { return s >= DeliverySent && s <= DeliveryWithheld }
