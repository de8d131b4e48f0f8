package collect

import (
	"errors"

	"github.com/kikubari/kikubari/internal/cx"
)

// Reason says in one word why input was refused or altered. It is part of the
// answer that clients get.
type Reason string

// Why a whole request is refused.
const (
	RequestTooLarge Reason = "request_too_large"
	TooManyEvents   Reason = "too_many_events"
	InvalidGzip     Reason = "invalid_gzip"
	InvalidForm     Reason = "invalid_form"
	InvalidJSON     Reason = "invalid_json"
	NoBatch         Reason = "no_batch"
)

// Why one event is refused; a request that is one event is refused with it.
const (
	TooLarge          Reason = "too_large"
	TooDeep           Reason = "too_deep"
	InvalidUTF8       Reason = "invalid_utf8"
	NotAnObject       Reason = "not_an_object"
	UnknownType       Reason = "unknown_type"
	NoEventName       Reason = "no_event_name"
	NameTooLong       Reason = "name_too_long"
	NoID              Reason = "no_user_anon_id"
	NoGroupID         Reason = "no_group_id"
	NoPreviousID      Reason = "no_previous_id"
	InvalidID         Reason = "invalid_id"
	IDTooLong         Reason = "id_too_long"
	MessageIDTooLong  Reason = "message_id_too_long"
	InvalidProperties Reason = "invalid_properties"
	InvalidTraits     Reason = "invalid_traits"
	OtherWriteKey     Reason = "other_write_key"
)

// How an event that was taken differs from what was sent.
const (
	JunkID          Reason = "junk_id"
	InvalidTime     Reason = "invalid_time"
	TimeClamped     Reason = "time_clamped"
	InvalidContext  Reason = "invalid_context"
	InvalidConsent  Reason = "invalid_consent"
	InvalidAddress  Reason = "invalid_ip"
	BadSignature    Reason = "bad_signature"
	NotHistorical   Reason = "not_historical"
	RedactedMembers Reason = "redacted"
)

var advice = map[Reason]string{
	RequestTooLarge: "a request may have at most 500 KB, unpacked and with the batch's context counted for each event: send smaller batches",
	TooManyEvents:   "a request may hold at most 2,500 events: send smaller batches",
	InvalidGzip:     "the body begins like gzip but cannot be unpacked: compress it again",
	InvalidForm:     "the body begins with data= but no base64 text follows: send JSON instead",
	InvalidJSON:     "the body is not valid JSON",
	NoBatch:         `the body must be an object with the events in "batch"`,

	TooLarge:          "an event may have at most 32 KB: send less",
	TooDeep:           "an event may be nested at most 64 levels deep: flatten it",
	InvalidUTF8:       "text must be UTF-8: convert it before sending",
	NotAnObject:       "an event must be a JSON object",
	UnknownType:       "type must be track, identify, page, screen, group or alias",
	NoEventName:       `a track call needs a text in "event"`,
	NameTooLong:       "the name of an event may have at most 200 bytes",
	NoID:              "an event needs a userId or an anonymousId that stands for somebody",
	NoGroupID:         `a group call needs a "groupId"`,
	NoPreviousID:      `an alias call needs a "previousId"`,
	InvalidID:         "ids and names must be text or numbers without control characters",
	IDTooLong:         "ids may have at most 200 bytes",
	MessageIDTooLong:  "messageId may have at most 100 bytes",
	InvalidProperties: "properties must be an object",
	InvalidTraits:     "traits must be an object",
	OtherWriteKey:     "all events of a request must carry the same writeKey: send one request for each key",

	JunkID:          "an id that stands for nobody, such as null or guest, was left out",
	InvalidTime:     "a time could not be read and was left out: send ISO 8601, such as 2026-01-31T09:30:00.000Z",
	TimeClamped:     "the time was not within the seven days before receipt and was moved to the nearest end",
	InvalidContext:  "context must be an object, without another context in it; what is not was left out",
	InvalidConsent:  "context.consent.categoryPreferences must be an object of true and false; the rest was left out",
	InvalidAddress:  "context.ip is not an IP address and was left out",
	BadSignature:    "the signature does not fit the userId: sign it with HMAC-SHA-256 and the workspace's secret, in hex",
	NotHistorical:   "only a server key may import history; the event was taken as a live one",
	RedactedMembers: "members that the workspace does not keep were removed",
}

// Advice says to a person what r means and what to do about it.
func (r Reason) Advice() string {
	if s, ok := advice[r]; ok {
		return s
	}
	return string(r)
}

// Note is a remark about one event of a request: why it was refused, or how
// what was taken differs from what was sent. Its texts alias the body.
type Note struct {
	Index     int // of the event in its request
	Reason    Reason
	Type      string // as far as known
	Name      string
	MessageID string
}

// Refusal is why a whole request was refused. It comes wrapped in a cx.Error
// of kind Invalid.
//
//nolint:errname // the product's word: what is refused is kept and shown as that
type Refusal struct {
	Reason Reason
	Detail string // where in the body, for a person; may be empty
}

// Error gives the advice and, where known, the place.
func (r *Refusal) Error() string {
	if r.Detail == "" {
		return r.Reason.Advice()
	}
	return r.Reason.Advice() + ": " + r.Detail
}

func refuse(r Reason, detail string) error {
	return &cx.Error{Kind: cx.Invalid, Err: &Refusal{Reason: r, Detail: detail}}
}

// ReasonOf returns the reason of the Refusal in err's chain, "" when there is
// none.
func ReasonOf(err error) Reason {
	if r, ok := errors.AsType[*Refusal](err); ok {
		return r.Reason
	}
	return ""
}
