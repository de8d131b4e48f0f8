package decide

import (
	"slices"
	"sort"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/rule"
	"github.com/kikubari/kikubari/internal/template"
)

// Action is something we could do, compiled. A nil condition always holds.
type Action struct {
	Name        string
	Purpose     cx.Purpose
	Channel     cx.Channel
	Place       string // off site too: of what wants one place one wins
	Destination string // where it goes; "" on site

	Triggers   []Trigger
	Eligible   *rule.Program // the person may have it
	Applicable *rule.Program // it makes sense now
	Suitable   *rule.Program // it is in the person's interest
	Caps       Caps
	Cooldown   cx.Instant // how long it stays away after a dismissal
	Floor      Floor

	Prior   cx.Prior
	Context []Weight
	Value   float64 // what a response is worth, in the workspace's own unit
	Lever   float64 // per cent: those of its issue, its group and its own, added

	Live      bool // follows the customer while it is on screen: see Refresh
	Message   *template.Message
	Variables []*rule.Program // one for each of Message.Variables
	Personal  bool            // a variable shows a fact about the person
}

// Trigger is what an action listens to: an event, or entering a segment.
type Trigger struct {
	Event   cx.EventName  // "*" for every event; "" when it listens to a segment
	When    *rule.Program // must hold as well
	Segment int           // slot of the segment; used when Event is ""
}

// AnyEvent as a trigger's event stands for every event.
const AnyEvent cx.EventName = "*"

// Caps are how often something may be said; 0 is no limit. The day is the
// calendar day in the workspace's zone.
type Caps struct {
	Session, Day, Total uint32
}

// Floor is what a candidate must reach to be better than silence.
type Floor struct {
	Propensity cx.Propensity
	Score      float64
}

// Weight raises or lowers the context factor, in per cent, while When holds.
type Weight struct {
	When    *rule.Program
	Percent float64
}

// Policy is the contact policy over all actions together, but for those of
// purpose transactional, which neither ask it nor count. The zero Policy allows
// everything.
type Policy struct {
	Caps     Caps
	Cooldown cx.Instant // silence after a dismissal of any action
	Floor    Floor
}

// Terms are what holds for a workspace's whole offer.
type Terms struct {
	Definitions uint64            // sequence number of the published set
	Language    template.Language // for people whose locale is not known
	Allowed     []cx.Purpose      // allowed until a person says otherwise
}

// Offer is everything a workspace could do, indexed by what triggers it. It is
// immutable.
type Offer struct {
	Terms
	actions   []Action // by name
	names     []string
	terms     []terms        // of each action
	silent    []cx.Candidate // of each action, while nothing triggers it
	byNotice  map[cx.Notice]int
	byName    map[string]int
	byEvent   map[cx.EventName][]hook
	always    []hook
	bySegment map[int][]hook
}

// terms are what is known of an action before anybody is there.
type terms struct {
	notice  cx.Notice
	allowed bool // its purpose, until a person says otherwise
}

// hook is one trigger of one action.
type hook struct {
	action int
	when   *rule.Program
}

// NewOffer indexes actions, whose names differ; their order does not matter.
func NewOffer(t Terms, actions []Action) *Offer {
	o := &Offer{
		Terms: t, actions: append([]Action(nil), actions...), byName: make(map[string]int, len(actions)), byNotice: make(map[cx.Notice]int, len(actions)),
		byEvent: map[cx.EventName][]hook{}, bySegment: map[int][]hook{},
	}
	sort.Slice(o.actions, func(i, j int) bool { return o.actions[i].Name < o.actions[j].Name })
	for i := range o.actions {
		a := &o.actions[i]
		known := terms{notice: cx.NewNotice(a.Name, a.Place, a.Channel), allowed: slices.Contains(t.Allowed, a.Purpose)}
		o.names, o.terms = append(o.names, a.Name), append(o.terms, known)
		o.silent = append(o.silent, cx.Candidate{Action: a.Name, Gate: cx.GateTrigger})
		o.byName[a.Name], o.byNotice[known.notice] = i, i
		for _, t := range a.Triggers {
			o.listen(t, hook{i, t.When})
		}
	}
	return o
}

func (o *Offer) listen(t Trigger, h hook) {
	switch t.Event {
	case "":
		o.bySegment[t.Segment] = append(o.bySegment[t.Segment], h)
	case AnyEvent:
		o.always = append(o.always, h)
	default:
		o.byEvent[t.Event] = append(o.byEvent[t.Event], h)
	}
}

// Names returns the names of all actions, sorted. A packed trace counts in it.
func (o *Offer) Names() []string { return o.names }

// Action returns the action called name, nil when it is not on offer.
func (o *Offer) Action(name string) *Action { return o.at(o.index(name)) }

// at returns the action with index i, nil for -1.
func (o *Offer) at(i int) *Action {
	if i < 0 {
		return nil
	}
	return &o.actions[i]
}

func (o *Offer) index(name string) int {
	if i, ok := o.byName[name]; ok {
		return i
	}
	return -1
}

// indexOf returns the action that a line of the ledger is about, -1 when it is
// not on offer any more. It may have been said at another place then.
func (o *Offer) indexOf(n cx.Notice) int {
	if i, ok := o.byNotice[n]; ok {
		return i
	}
	return o.index(n.Action())
}
