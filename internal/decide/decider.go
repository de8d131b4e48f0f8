package decide

import (
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/rule"
)

// Scorer knows how likely a response to an action is. It answers from state
// that is frozen between ticks; learn.Table is one.
type Scorer interface {
	Propensity(w cx.Workspace, action string, prior cx.Prior) cx.Propensity
}

// Input is everything a decision is made from.
type Input struct {
	ID      cx.DecisionID // cx.NewDecisionID of the entry being judged
	Message uint64        // Hash(write key, message id) of the event, 0 on a timer
	Scope   *rule.Scope   // event (nil on a timer), customer, statistics, log time, zone
	Entered []int         // slots of the segments entered in this step, in any order
	Offer   *Offer
	Policy  *Policy // nil is the zero Policy
	Scorer  Scorer
}

// Result is what came of one step. It is reused: its slices are valid until the
// next Decide or Refresh with it, but the Content of treatments and lines is
// never written to again.
type Result struct {
	Decision   cx.Decision    // treatments by place; ID 0 when nothing was triggered
	Candidates []cx.Candidate // one for each action on offer, by name
	Trace      []byte         // Candidates packed: see PackTrace
	Lines      []cx.Attention // what Reserve is to put into the ledger
	asked      []asked        // what the model said

	Updates  []cx.Treatment // from Refresh: what to show again or anew
	Withdraw []string       // from Refresh: "d_…/action" to take off the screen
}

// asked is one answer of the model: the propensity of the action with an index.
type asked struct {
	action     int
	propensity cx.Propensity
}

// Decider decides. It holds scratch memory of one lane and is ready to use when
// zero.
type Decider struct {
	hits      []hit
	struck    []int // actions with a hit, ascending
	passed    []int // those that passed the gates and the floor, ascending
	places    []place
	attention attention
	values    []cx.Value
	filled    []string
	content   []byte
	words     words

	candidates []cx.Candidate // of the running decision; they belong to its Result
	asked      []asked
}

// hit says whether an action was triggered.
type hit uint8

const (
	missed    hit = iota
	uncertain     // it hangs on a statistic that is being back-filled
	struck
)

// Decide judges one step and reports whether there was anything to decide: when
// no action was triggered it returns false at once and leaves out empty. The
// customer is not changed; call Reserve with out.Lines to make the decision
// count.
func (d *Decider) Decide(in *Input, out *Result) bool {
	out.clearDecision()
	if !d.trigger(in) {
		return false
	}
	d.attention.known = false
	d.candidates, d.asked, d.passed = out.Candidates[:0], out.asked[:0], d.passed[:0]
	d.candidates = append(d.candidates, in.Offer.silent...)
	slices.Sort(d.struck)
	for _, i := range d.struck {
		if d.judge(in, i, &d.candidates[i]); d.candidates[i].Gate == cx.Passed {
			d.passed = append(d.passed, i)
		}
	}
	d.arbitrate(in)
	d.put(in, out)
	return true
}

// trigger finds out which actions listen to what happened.
func (d *Decider) trigger(in *Input) (found bool) {
	if ev := in.Scope.Event; ev != nil {
		found = d.strike(in, in.Offer.byEvent[ev.Name], found)
		found = d.strike(in, in.Offer.always, found)
	}
	for _, slot := range in.Entered {
		found = d.strike(in, in.Offer.bySegment[slot], found)
	}
	return found
}

// strike evaluates hooks; found says whether one was hit before.
func (d *Decider) strike(in *Input, hooks []hook, found bool) bool {
	for _, h := range hooks {
		if !reachable(in, &in.Offer.actions[h.action]) {
			continue
		}
		t := holds(h.when, in.Scope)
		if t == rule.False {
			continue
		}
		if !found {
			d.hits, d.struck = grown(d.hits, len(in.Offer.actions)), d.struck[:0]
			found = true
		}
		if d.hits[h.action] == missed {
			d.struck = append(d.struck, h.action)
			d.hits[h.action] = uncertain
		}
		if t == rule.True {
			d.hits[h.action] = struck
		}
	}
	return found
}

// reachable reports whether an answer can get to the person at all: on site,
// only while they are there.
func reachable(in *Input, a *Action) bool {
	return in.Scope.Event != nil || a.Channel != cx.Web || in.Scope.Customer.InSession(in.Scope.Now)
}

// judge tries the gates for one triggered action and, when it passes, scores it.
func (d *Decider) judge(in *Input, i int, c *cx.Candidate) {
	if c.Gate, c.Number = d.gate(in, i); c.Gate != cx.Passed {
		return
	}
	d.score(in, i, c)
	c.Gate, c.Number = belowFloor(in, &in.Offer.actions[i], c)
}

// put writes the decision out.
func (d *Decider) put(in *Input, out *Result) {
	s := in.Scope
	out.Decision.ID, out.Decision.Customer = in.ID, s.Customer.ID
	out.Decision.At = s.Now
	for _, p := range d.places {
		if p.best >= 0 {
			d.say(in, out, p.best)
		}
	}
	out.Candidates, out.asked = d.candidates, d.asked
	out.Trace = PackTrace(out.Trace, &cx.Trace{Engine: Engine, Definitions: in.Offer.Definitions, Candidates: out.Candidates})
}

// say adds the treatment that action i won a place with, and its line.
func (d *Decider) say(in *Input, out *Result, i int) {
	a, s := &in.Offer.actions[i], in.Scope
	content := d.render(in, a)
	out.Decision.Treatments = append(out.Decision.Treatments, cx.Treatment{Action: a.Name, Place: a.Place, Channel: a.Channel, Content: content})
	line := cx.Attention{Decision: in.ID, Notice: in.Offer.terms[i].notice, State: cx.Outgoing, At: s.Now, Session: s.Customer.Session.Number}
	if a.Channel == cx.Web {
		line.State, line.End, line.Said = cx.Reserved, s.Now+Reservation, d.words.say(cx.Said{Message: in.Message, Content: content})
	}
	out.Lines = append(out.Lines, line)
}

// Reset empties r, keeping its memory: for a step in which nothing is decided.
func (r *Result) Reset() {
	r.clearDecision()
	r.Updates, r.Withdraw = r.Updates[:0], r.Withdraw[:0]
}

func (r *Result) clearDecision() {
	r.Decision = cx.Decision{Treatments: r.Decision.Treatments[:0]}
	r.Candidates, r.Trace, r.Lines, r.asked = r.Candidates[:0], r.Trace[:0], r.Lines[:0], r.asked[:0]
}

// holds evaluates a condition that may be absent.
func holds(p *rule.Program, s *rule.Scope) rule.Truth {
	if p == nil {
		return rule.True
	}
	return p.Eval(s)
}

// grown returns s with n zero elements.
func grown[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}
