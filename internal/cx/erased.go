package cx

import (
	"encoding/binary"
)

// Erased is what stays of an event in its place once its person was erased and
// the log rewritten: what others depend on, and nothing that was said. Its
// strings alias the bytes it was decoded from.
type Erased struct {
	Workspace Workspace
	KeyKind   KeyKind
	Type      EventType
	Flags     EventFlags // Verified and Historical only

	Job  string // of the import that the event was a line of, "" when it was none
	Line uint64

	// Whom the event named, each in the form in which names are compared. One that
	// others are named by too stands as it was; any other is a random token, the
	// same for the same name.
	UserID       string
	LineUserID   string
	Mail         string
	Phone        string
	AnonymousID  string
	PreviousID   string
	Pseudonymous ErasedNames // which of them are tokens

	Taught Lesson
}

// ErasedNames is a set of the names that an erased event has.
type ErasedNames uint8

// The names, in the order of Erased.
const (
	ErasedUserID ErasedNames = 1 << iota
	ErasedLineUserID
	ErasedMail
	ErasedPhone
	ErasedAnonymousID
	ErasedPreviousID
)

// Names returns the names of e, in the order of ErasedNames.
func (e *Erased) Names() [6]*string {
	return [...]*string{&e.UserID, &e.LineUserID, &e.Mail, &e.Phone, &e.AnonymousID, &e.PreviousID}
}

// Lesson is what one report taught about an action. The zero Lesson is none.
type Lesson struct {
	Action    string
	Exposed   bool // it was seen for the first time
	Responded bool // it was clicked for the first time
}

const erasedCodec = 1

// AppendErased encodes e as the payload of an EntryErased.
func AppendErased(dst []byte, e *Erased) []byte {
	dst = append(dst, erasedCodec, byte(e.Type), byte(e.KeyKind))
	dst = binary.LittleEndian.AppendUint16(dst, uint16(e.Flags))
	lesson := byte(0)
	if e.Taught.Exposed {
		lesson |= 1
	}
	if e.Taught.Responded {
		lesson |= 2
	}
	dst = append(dst, byte(e.Pseudonymous), lesson)
	dst = binary.AppendUvarint(dst, e.Line)
	dst = AppendBytes(AppendBytes(dst, e.Workspace), e.Job)
	for _, name := range e.Names() {
		dst = AppendBytes(dst, *name)
	}
	return AppendBytes(dst, e.Taught.Action)
}

// DecodeErased reads what AppendErased wrote into e, which aliases b. It fails
// with ErrCodec on anything else.
func DecodeErased(b []byte, e *Erased) error {
	const fixed = 7
	if len(b) < fixed || b[0] != erasedCodec || b[1] == 0 || int(b[1]) >= len(eventTypeNames) || int(b[2]) >= len(keyKindNames) ||
		b[5] >= 1<<6 || b[6] >= 1<<2 {
		return ErrCodec
	}
	*e = Erased{
		Type: EventType(b[1]), KeyKind: KeyKind(b[2]), Flags: EventFlags(binary.LittleEndian.Uint16(b[3:])),
		Pseudonymous: ErasedNames(b[5]), Taught: Lesson{Exposed: b[6]&1 != 0, Responded: b[6]&2 != 0},
	}
	r := NewReader(b[fixed:])
	e.Line = r.Uvarint()
	e.Workspace, e.Job = Workspace(r.Alias()), r.Alias()
	for _, name := range e.Names() {
		*name = r.Alias()
	}
	e.Taught.Action = r.Alias()
	return r.End()
}
