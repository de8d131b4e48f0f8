package decide

import (
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/template"
)

// Settle notes in the ledger of c how a delivery of decision id ended. It
// reports whether that was news: the fate of a line is told once.
func Settle(c *cx.Customer, id cx.DecisionID, action string, how cx.DeliveryState, now cx.Instant) bool {
	for i := len(c.Ledger) - 1; i >= 0; i-- {
		l := &c.Ledger[i]
		if l.Decision != id || l.State != cx.Outgoing || l.Action() != action {
			continue
		}
		switch how {
		case cx.DeliverySent:
			end(l, cx.Delivered, now)
		case cx.DeliveryUnknown:
			end(l, cx.Unsure, now)
		case cx.DeliveryFailed, cx.DeliveryWithheld:
			end(l, cx.Failed, now)
		default:
			return false
		}
		return true
	}
	return false
}

// Resend notes in the ledger of c that a delivery of decision id that has ended
// is on its way again. It reports false, and changes nothing, when that one has
// arrived or is on its way. A line that is no longer kept is nothing to note.
func Resend(c *cx.Customer, id cx.DecisionID, action string) bool {
	for i := len(c.Ledger) - 1; i >= 0; i-- {
		l := &c.Ledger[i]
		if l.Decision != id || l.Action() != action {
			continue
		}
		if l.State != cx.Failed && l.State != cx.Unsure {
			return false
		}
		l.State, l.End = cx.Outgoing, 0
		return true
	}
	return true
}

// address writes what action a sends, d.values filled in, into scratch memory
// that is valid until the next write:
//
//	{"type":"action.NAME","timestamp":…,"data":{"id":…,"workspace":…,"customer":…,"decision":…,"action":…,"purpose":…,"event":…,"body":{…}}}
//
// timestamp is log time; event is left out where time alone led to the decision.
func (d *Decider) address(in *Input, a *Action) []byte {
	s, lang := in.Scope, languageOf(in)
	d.filled = grown(d.filled, len(a.Variables))
	a.Message.Fill(d.filled, d.values, lang)
	b := d.content[:0]
	b = append(b, `{"type":`...)
	b = template.AppendString(b, "action."+a.Name)
	b = append(b, `,"timestamp":"`...)
	b = s.Now.Time().UTC().AppendFormat(b, time.RFC3339Nano)
	b = append(b, `","data":{"id":"`...)
	b = cx.NewSendKey(in.ID, s.Now, a.Name, a.Destination).Append(b)
	b = append(b, `","workspace":`...)
	b = template.AppendString(b, string(s.Customer.Workspace))
	b = append(b, `,"customer":"`...)
	b = s.Customer.ID.Append(b)
	b = append(b, `","decision":"`...)
	b = in.ID.Append(b)
	b = append(b, `","action":`...)
	b = template.AppendString(b, a.Name)
	b = append(b, `,"purpose":`...)
	b = template.AppendString(b, string(a.Purpose))
	if s.Event != nil {
		b = append(b, `,"event":`...)
		b = template.AppendString(b, string(s.Event.Name))
	}
	b = append(b, `,"body":`...)
	b = a.Message.AppendBody(b, d.values, d.filled)
	b = append(b, "}}"...)
	d.content = b
	return b
}
