package cx

// DecisionID names a decision. That on an event is a scattered form of the
// event's position and can be turned back into it.
type DecisionID uint64

// NewDecisionID returns the id of the decision on the entry at p.
func NewDecisionID(p Position) DecisionID { return DecisionID(mix(uint64(p))) }

// NewTimerDecisionID returns the id of the decision that a timer of c led to at
// p: timers of many customers may fire there.
func NewTimerDecisionID(p Position, c CustomerID) DecisionID {
	return DecisionID(mix(mix(uint64(p)) ^ uint64(c)))
}

// Position returns the position of the event that was judged. Of the decision of
// a timer it returns some number.
func (d DecisionID) Position() Position { return Position(unmix(uint64(d))) }

// String writes the id as clients see it: "d_" and 13 characters.
func (d DecisionID) String() string { return formatID("d_", uint64(d)) }

// Append appends what String returns.
func (d DecisionID) Append(dst []byte) []byte { return appendID(dst, "d_", uint64(d)) }

// ParseDecisionID reads what String wrote.
func ParseDecisionID(s string) (DecisionID, bool) {
	v, ok := parseID("d_", s)
	return DecisionID(v), ok
}

// Propensity is the probability, 0 to 1, that the person responds.
type Propensity float64

// Prior is what is believed of an action's propensity before anybody was asked:
// its mean, worth as many observations as Weight says. The zero Prior stands
// for one observation at a half.
type Prior struct{ Mean, Weight float64 }

// Gate is what stopped a candidate. The numbers are part of the format and not
// the order in which the gates are tried: that is package decide's.
type Gate uint8

// The gates.
const (
	Passed              Gate = 0
	GateTrigger         Gate = 1  // the action listens to something else
	GateConsent         Gate = 2  // the person's consent does not cover purpose and channel
	GateEligibility     Gate = 3  // the person may not have it
	GateApplicability   Gate = 4  // it makes no sense now
	GateSuitability     Gate = 5  // it is not in the person's interest
	GateActionCap       Gate = 6  // the action's own cap; the number is how often it was said
	GateSessionCap      Gate = 7  // the policy's cap per session over all actions
	GateDayCap          Gate = 8  // … per calendar day
	GateTotalCap        Gate = 9  // … for ever
	GateCooldown        Gate = 10 // dismissed lately; the number is the seconds left
	GateAlreadyShown    Gate = 11 // the same action is on screen already
	GateFloor           Gate = 12 // score or propensity below the floor: silence is better
	GatePlace           Gate = 13 // another action won the place; the number is the winner's score
	GateBackfill        Gate = 14 // a statistic it needs is not complete yet
	GatePersonal        Gate = 15 // it needs personal facts and the person is only claimed
	GateMissingVariable Gate = 16 // a variable of its text has no value
)

var gateNames = [...]string{
	"passed", "trigger", "consent", "eligibility", "applicability", "suitability", "action_cap",
	"session_cap", "day_cap", "total_cap", "cooldown", "already_shown", "floor", "place", "backfill", "personal", "missing_variable",
}

// String names the gate in snake_case.
func (g Gate) String() string {
	if int(g) < len(gateNames) {
		return gateNames[g]
	}
	return "unknown"
}

// Candidate is one action on offer and what became of it.
type Candidate struct {
	Action string
	Gate   Gate
	Number float64 // the gate's number: what it saw
	Won    bool

	Propensity Propensity
	Context    float64
	Value      float64
	Lever      float64
	Score      float64 // Propensity × Context × Value × Lever
}

// Trace is why a decision is as it is: every candidate, the gate that stopped
// it or the numbers that ranked it.
type Trace struct {
	Engine      string // version of the deciding code
	Definitions uint64 // sequence number of the published set
	Candidates  []Candidate
}

// Treatment is what one winning action says: ready to be shown.
type Treatment struct {
	Action  string
	Place   string
	Channel Channel
	Content []byte // raw JSON for the client
}

// Decision is the answer to "what now?" for one event.
type Decision struct {
	ID         DecisionID
	Customer   CustomerID
	At         Instant // log time
	Treatments []Treatment
}
