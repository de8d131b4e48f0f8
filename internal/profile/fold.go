package profile

import (
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// Clamp is how far before its receipt a live event may say it happened; it is
// taken to have happened no earlier.
const Clamp = 7 * cx.Day

// LateAfter is the lateness beyond which an event folds but opens no session and
// triggers nothing.
const LateAfter = 5 * cx.Minute

// longestAppend is longer than an event ever waits between its receipt and its
// record.
const longestAppend = cx.Minute

// Spill finds marks of received messages that were moved out of memory.
type Spill interface {
	// Seen returns when the message was received, in seconds since 1970; ok is
	// false when no mark of it was spilled.
	Seen(id cx.CustomerID, message uint64) (at uint32, ok bool)
}

// Folder folds events into customers. It belongs to one lane: it keeps scratch
// memory and must not be used by two goroutines at once. The zero Folder is
// ready.
type Folder struct {
	turn uint64 // counts Apply, View, Trim and Merge: what was cached for another turn is stale

	event        *cx.Event
	fields       cx.Fields
	opened       bool
	currency     cx.Currency
	currencyRead bool
	columns      []columnValues
	left, right  [][]byte
	today, then  span
	cell, stats  []byte
	compact      []byte

	change  cx.Change
	spilled []cx.Seen
	notes   []Note
	view    view
}

// Outcome is what folding one event did. Its slices are valid until the
// Folder's next Apply or Merge.
type Outcome struct {
	Duplicate      bool       // received before: nothing changed
	Late           bool       // over five minutes late, or historical: triggers nothing
	Flooding       bool       // the customer is flooding: decide nothing
	SessionStarted bool       // the event opened a session
	Time           cx.Instant // when the event happened, as it was folded
	Change         cx.Change
	Spilled        []cx.Seen // marks to keep in the store from now on
	Notes          []Note    // what of the event was not taken
}

// Note says that a part of an event was not taken, and why.
type Note struct {
	Reason string // trait_too_large, too_many_traits, bad_trait_name
	Name   string // of the trait
}

// occurrence is the event at hand with what the fold found out about it.
type occurrence struct {
	*cx.Event
	position cx.Position
	at       cx.Instant // when it happened
	now      cx.Instant // log time
	zone     *time.Location
	session  cx.Instant // start of the session it belongs to, 0 for none
	late     bool
}

// Message is the mark by which a message is known again: a hash of write key
// and message id.
func Message(ev *cx.Event) uint64 { return cx.Hash(string(ev.Key), ev.MessageID) }

// Apply folds ev, the entry at position at, into c at log time now: it drops a
// message received before, notices a flood, finds the session, and takes
// consent, traits and statistics. spill may be nil while nothing was spilled.
// c keeps nothing of ev's memory.
func (f *Folder) Apply(p *Plan, c *cx.Customer, ev *cx.Event, at cx.Position, now cx.Instant, spill Spill) Outcome {
	f.begin(ev)
	mark := cx.NewSeen(Message(ev), seconds(now))
	_, _, imported := ev.ImportLine() // known by its number, not by a mark
	if !imported && duplicate(c, mark, spill) {
		return Outcome{Duplicate: true, Flooding: c.Flags&cx.Flooding != 0}
	}
	if c.CreatedAt == 0 {
		c.CreatedAt = now
		f.change.All = true
	}
	if !imported {
		f.remember(c, mark)
	}
	if !ev.Has(cx.Historical) {
		countRate(c, mark.At)
	}
	if ev.Has(cx.Bot) {
		c.Flags |= cx.Robot
	}
	e := occurrence{Event: ev, position: at, at: timeOf(ev, now), now: now, zone: p.settings.Zone}
	e.late = ev.Has(cx.Historical) || now-e.at > LateAfter
	started := f.visit(p, c, &e)
	f.foldConsent(p, c, &e)
	f.foldTraits(c, &e)
	f.foldStatistics(p, c, &e)
	return Outcome{
		Late: e.late, Flooding: c.Flags&cx.Flooding != 0, SessionStarted: started, Time: e.at,
		Change: f.change, Spilled: f.spilled, Notes: f.notes,
	}
}

// Fields returns the opened properties of the event last applied.
func (f *Folder) Fields() cx.Fields {
	f.open()
	return f.fields
}

func (f *Folder) begin(ev *cx.Event) {
	f.turn++
	f.event, f.opened, f.currencyRead = ev, false, false
	f.change.Reset()
	f.spilled, f.notes = f.spilled[:0], f.notes[:0]
}

func (f *Folder) open() {
	if !f.opened && f.event != nil {
		f.fields = cx.ParseFields(f.fields[:0], f.event.Properties)
		f.opened = true
	}
}

// timeOf is when ev happened: never after log time, and for a live event at
// most seven days before it. An event without a time happened at log time.
//
// A live event that was received long before log time was received by a clock
// that has gone back: log time stands still until the clock has caught up. Then
// only the age that the event had when it was received is believed.
func timeOf(ev *cx.Event, now cx.Instant) cx.Instant {
	t := ev.Time
	if t == 0 {
		return now
	}
	if ev.Has(cx.Historical) {
		return min(t, now)
	}
	if back := now - ev.ReceivedAt; ev.ReceivedAt != 0 && back > longestAppend {
		t += back
	}
	return min(max(t, now-Clamp), now)
}
