package decide

import (
	"bytes"
	"fmt"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/rule"
)

// Explanation is a decision made again.
type Explanation struct {
	Engine     string         // version of the code that decided today
	Same       bool           // today's trace is byte for byte the recorded one
	Then       cx.Trace       // as recorded
	Now        cx.Trace       // as today's code says
	Says       []cx.Treatment // what today's code would answer
	Conditions []Condition    // what every rule of the triggered actions saw, by action
}

// Part says what a rule of an action is for.
type Part string

// The parts of an action that are rules, in the order in which they are asked.
const (
	PartTrigger    Part = "trigger"
	PartEligible   Part = "eligible"
	PartApplicable Part = "applicable"
	PartSuitable   Part = "suitable"
	PartContext    Part = "context"
	PartVariable   Part = "variable"
)

// Condition is one rule of one action and what it saw.
type Condition struct {
	Action string     `json:"action"`
	Part   Part       `json:"part"`
	Name   string     `json:"name,omitempty"` // PartVariable: the variable's
	Rule   *rule.Node `json:"rule"`
}

// Explain decides again from in, whose ID, Entered and Scorer it takes from s, as
// well as the customer's ledger, and compares the result with the trace that was
// recorded. The caller fills in the scope from s.Customer, s.Event and s.Now, and
// offer and policy from the set with sequence s.Definitions.
func Explain(s *Stored, in Input, recorded []byte) (*Explanation, error) {
	then, err := UnpackTrace(recorded, in.Offer.Names())
	if err != nil {
		return nil, fmt.Errorf("explain %s: %w", s.ID, err)
	}
	in.ID, in.Entered, in.Scorer = s.ID, s.Entered, memory{s, in.Offer}
	scope, customer := *in.Scope, *in.Scope.Customer
	customer.Ledger = s.Ledger(in.Offer)
	scope.Customer, in.Scope = &customer, &scope
	var d Decider
	var out Result
	d.Decide(&in, &out)
	now := cx.Trace{Engine: Engine, Definitions: in.Offer.Definitions, Candidates: out.Candidates}
	return &Explanation{
		Engine: Engine, Same: bytes.Equal(out.Trace, recorded), Then: then, Now: now,
		Says: out.Decision.Treatments, Conditions: conditionsOf(&in, out.Candidates),
	}, nil
}

// conditionsOf explains the rules of all candidates that were triggered.
func conditionsOf(in *Input, candidates []cx.Candidate) (out []Condition) {
	for i := range candidates {
		if candidates[i].Gate == cx.GateTrigger {
			continue
		}
		a := &in.Offer.actions[i]
		add := func(p Part, name string, r *rule.Program) {
			if r != nil {
				out = append(out, Condition{a.Name, p, name, r.Explain(in.Scope)})
			}
		}
		for _, t := range a.Triggers {
			add(PartTrigger, "", t.When)
		}
		add(PartEligible, "", a.Eligible)
		add(PartApplicable, "", a.Applicable)
		add(PartSuitable, "", a.Suitable)
		for _, w := range a.Context {
			add(PartContext, "", w.When)
		}
		for j, v := range a.Variables {
			add(PartVariable, a.Message.Variables[j].Name, v)
		}
	}
	return out
}
