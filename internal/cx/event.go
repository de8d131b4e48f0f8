package cx

import (
	"encoding/binary"
	"errors"
	"strings"
	"unsafe"
)

// Workspace is the slug of one brand or site: lower-case letters, digits and
// dashes, 1 to 40 bytes. Every key, row and record carries it.
type Workspace string

// KeyID is the public short name of a write key, unique in the installation.
type KeyID string

// KeyKind says who holds a key and so what its word is worth.
type KeyKind uint8

// The kinds of key.
const (
	NoKey      KeyKind = iota
	BrowserKey         // public: anyone can read it from the page
	ServerKey          // secret: speaks for the company
	AdminKey           // may publish definitions and give commands
	ReadKey            // may look
)

var keyKindNames = [...]string{"none", "browser", "server", "admin", "read"}

// String names the kind.
func (k KeyKind) String() string { return keyKindNames[k] }

// ParseKeyKind reads what String wrote.
func ParseKeyKind(s string) (KeyKind, bool) {
	for i, n := range keyKindNames {
		if n == s && i > 0 {
			return KeyKind(i), true
		}
	}
	return NoKey, false
}

// EventType is the call the client made.
type EventType uint8

// The event types of the Segment specification.
const (
	Track EventType = iota + 1
	Identify
	Page
	Screen
	Group
	Alias
)

var eventTypeNames = [...]string{"", "track", "identify", "page", "screen", "group", "alias"}

// String names the type as it stands on the wire.
func (t EventType) String() string { return eventTypeNames[t] }

// ParseEventType reads what String wrote.
func ParseEventType(s string) (EventType, bool) {
	for i, n := range eventTypeNames {
		if n == s && i > 0 {
			return EventType(i), true
		}
	}
	return 0, false
}

// EventName is what happened: "Product Added". Calls without a name of their
// own get a fixed one: see NameOf.
type EventName string

// The names of events that have none of their own, and of those that the
// product's own clients report.
const (
	PageViewed     EventName = "Page Viewed"
	ScreenViewed   EventName = "Screen Viewed"
	Identified     EventName = "Identified"
	Grouped        EventName = "Grouped"
	Aliased        EventName = "Aliased"
	OrderCompleted EventName = "Order Completed"

	// What became of an on-site message; properties.decision_id says which.
	MessageShown     EventName = "Message Shown"
	MessageClicked   EventName = "Message Clicked"
	MessageDismissed EventName = "Message Dismissed"
)

// NameOf returns the name of an event of type t; track is the name that the
// client gave and is used for Track only.
func NameOf(t EventType, track string) EventName {
	switch t {
	case Page:
		return PageViewed
	case Screen:
		return ScreenViewed
	case Identify:
		return Identified
	case Group:
		return Grouped
	case Alias:
		return Aliased
	default:
		return EventName(track)
	}
}

// EventFlags are facts about an event that collect found out.
type EventFlags uint16

// The flags.
const (
	Verified    EventFlags = 1 << iota // UserID is vouched for: a server key, or a valid signature
	Historical                         // imported: keeps its time, folds, never decides, sends or answers
	Bot                                // a known robot
	Inactive                           // context.active is false: do not move "last seen"
	WantsAnswer                        // the client waits for actions
	TimeSet                            // the client gave a time (otherwise Time is ReceivedAt)
)

// Event is something that happened, as reported; it is never changed. Its
// strings and raw JSON alias the bytes it was decoded from.
type Event struct {
	Workspace Workspace
	Key       KeyID
	KeyKind   KeyKind
	Type      EventType
	Flags     EventFlags
	Name      EventName

	MessageID   string // as reported, or derived from the body when it was missing
	AnonymousID string
	UserID      string
	GroupID     string
	PreviousID  string // alias only

	Time       Instant // corrected for the client's clock
	Original   Instant // as the client said, 0 when it did not
	ReceivedAt Instant

	Consent    []byte // raw JSON object category -> bool, nil when the event carries none
	Locale     string // context.locale
	Properties []byte // raw JSON object: properties of track, page and screen; traits of identify and group
	Context    []byte // raw JSON object, may be nil
}

// Has reports whether all flags in f are set.
func (e *Event) Has(f EventFlags) bool { return e.Flags&f == f }

const eventCodec = 1

// AppendEvent encodes e and returns the extended dst. The encoding is what the
// journal keeps: version byte, fixed header, then length-prefixed fields.
func AppendEvent(dst []byte, e *Event) []byte {
	dst = append(dst, eventCodec, byte(e.Type), byte(e.KeyKind))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(e.Flags))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Time))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.Original))
	dst = binary.LittleEndian.AppendUint64(dst, uint64(e.ReceivedAt))
	for _, s := range [...]string{string(e.Workspace), string(e.Key), string(e.Name), e.MessageID, e.AnonymousID, e.UserID, e.GroupID, e.PreviousID, e.Locale} {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	for _, b := range [...][]byte{e.Consent, e.Properties, e.Context} {
		dst = binary.AppendUvarint(dst, uint64(len(b)))
		dst = append(dst, b...)
	}
	return dst
}

// ErrCodec is returned for bytes that this version cannot read.
var ErrCodec = errors.New("not an encoding of this version")

// DecodeEvent reads what AppendEvent wrote into e. The event aliases b, which
// must not change while e is in use. Nil raw fields come back nil.
func DecodeEvent(b []byte, e *Event) error {
	const fixed = 5 + 3*8
	if len(b) < fixed || b[0] != eventCodec || b[1] == 0 || int(b[1]) >= len(eventTypeNames) || int(b[2]) >= len(keyKindNames) {
		return ErrCodec
	}
	*e = Event{
		Type: EventType(b[1]), KeyKind: KeyKind(b[2]),
		Flags:      EventFlags(binary.LittleEndian.Uint16(b[3:])),
		Time:       Instant(binary.LittleEndian.Uint64(b[5:])),
		Original:   Instant(binary.LittleEndian.Uint64(b[13:])),
		ReceivedAt: Instant(binary.LittleEndian.Uint64(b[21:])),
	}
	b = b[fixed:]
	ok := true
	next := func() []byte {
		n, w := binary.Uvarint(b)
		if w <= 0 || n > uint64(len(b)-w) {
			ok, b = false, nil
			return nil
		}
		f := b[w : w+int(n) : w+int(n)]
		b = b[w+int(n):]
		if n == 0 {
			return nil
		}
		return f
	}
	str := func() string { f := next(); return unsafe.String(unsafe.SliceData(f), len(f)) }
	e.Workspace, e.Key, e.Name = Workspace(str()), KeyID(str()), EventName(str())
	e.MessageID, e.AnonymousID, e.UserID = str(), str(), str()
	e.GroupID, e.PreviousID, e.Locale = str(), str(), str()
	e.Consent, e.Properties, e.Context = next(), next(), next()
	if !ok || len(b) != 0 {
		return ErrCodec
	}
	return nil
}

// Clone returns a copy of e that aliases nothing.
func (e *Event) Clone() *Event {
	b := AppendEvent(make([]byte, 0, 64+len(e.Properties)+len(e.Context)), e)
	var c Event
	if err := DecodeEvent(b, &c); err != nil {
		panic("cx: an event does not survive its own codec: " + err.Error())
	}
	return &c
}

// PathParts splits a dotted path, "cart.total" -> ["cart", "total"].
func PathParts(path string) []string { return strings.Split(path, ".") }
