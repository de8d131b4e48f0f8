package decide

import (
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/rule"
)

// score fills in the four factors of the candidate for action i and their
// product, taken from left to right: Pega's arbitration formula, in which levers
// add up and so do the weights of the context. What the model said is noted, so
// that it can be said again.
func (d *Decider) score(in *Input, i int, c *cx.Candidate) {
	a := &in.Offer.actions[i]
	c.Propensity = in.Scorer.Propensity(in.Scope.Customer.Workspace, a.Name, a.Prior)
	d.asked = append(d.asked, asked{i, c.Propensity})
	c.Context = contextOf(in, a)
	c.Value = a.Value
	c.Lever = factor(a.Lever)
	c.Score = product(c)
}

func product(c *cx.Candidate) float64 {
	pc := float64(float64(c.Propensity) * c.Context)
	return float64(float64(pc*c.Value) * c.Lever)
}

// contextOf adds up the weights whose conditions hold now.
func contextOf(in *Input, a *Action) float64 {
	percent := 0.0
	for _, w := range a.Context {
		if holds(w.When, in.Scope) == rule.True {
			percent += w.Percent
		}
	}
	return factor(percent)
}

// factor turns per cent into a factor that is never negative.
func factor(percent float64) float64 { return max(0, 1+percent/100) }

// belowFloor stops a candidate that is not better than silence: the number is
// the propensity or the score that was too low.
func belowFloor(in *Input, a *Action, c *cx.Candidate) (cx.Gate, float64) {
	p := in.policy().Floor
	if c.Propensity < max(a.Floor.Propensity, p.Propensity) {
		return cx.GateFloor, float64(c.Propensity)
	}
	if c.Score < max(a.Floor.Score, p.Score) {
		return cx.GateFloor, c.Score
	}
	return cx.Passed, 0
}

// place is one place of the page and who holds it.
type place struct {
	channel cx.Channel
	name    string
	best    int     // index of the best candidate, −1 for none
	held    bool    // something is on screen there already
	floor   float64 // score of what is on screen
}

// arbitrate lets one candidate win each place. What is on screen defends its
// place with its own score; on a tie it stays.
func (d *Decider) arbitrate(in *Input) {
	d.places = d.places[:0]
	for _, i := range d.passed {
		p := d.place(in, i)
		if p.best < 0 || d.better(i, p.best) {
			p.best = i
		}
	}
	d.defend(in)
	for _, i := range d.passed {
		d.settle(&d.candidates[i], i, d.place(in, i))
	}
	for i := range d.places {
		if p := &d.places[i]; !d.candidates[p.best].Won {
			p.best = -1
		}
	}
}

// settle marks candidate i as the winner of p or as beaten there.
func (d *Decider) settle(c *cx.Candidate, i int, p *place) {
	best := d.candidates[p.best].Score
	switch {
	case p.held && best <= p.floor:
		c.Gate, c.Number = cx.GatePlace, p.floor
	case i == p.best:
		c.Won = true
	default:
		c.Gate, c.Number = cx.GatePlace, best
	}
}

// better reports whether candidate i beats j: higher score, then higher value,
// then name.
func (d *Decider) better(i, j int) bool {
	a, b := &d.candidates[i], &d.candidates[j]
	if a.Score != b.Score {
		return a.Score > b.Score
	}
	if a.Value != b.Value {
		return a.Value > b.Value
	}
	return a.Action < b.Action
}

// defend scores what is on screen in the places that are contested.
func (d *Decider) defend(in *Input) {
	if len(d.places) == 0 {
		return // the ledger may not have been read
	}
	for i, line := range d.attention.visible {
		a := &in.Offer.actions[i]
		if line == 0 || !d.defends(in, i, &in.Scope.Customer.Ledger[line-1]) {
			continue
		}
		for j := range d.places {
			if p := &d.places[j]; p.name == a.Place && p.channel == a.Channel {
				c := cx.Candidate{}
				d.score(in, i, &c)
				p.floor, p.held = max(p.floor, c.Score), true
			}
		}
	}
}

// defends reports whether what is on screen may stay there.
func (d *Decider) defends(in *Input, i int, l *cx.Attention) bool {
	a := &in.Offer.actions[i]
	return consents(in, i) && (!a.Live || d.stillApplies(in, a, l))
}

// place finds the place of candidate i, adding it when it is new. Places come
// in the order of the first action that wants them.
func (d *Decider) place(in *Input, i int) *place {
	a := &in.Offer.actions[i]
	for j := range d.places {
		if p := &d.places[j]; p.name == a.Place && p.channel == a.Channel {
			return p
		}
	}
	d.places = append(d.places, place{channel: a.Channel, name: a.Place, best: -1})
	return &d.places[len(d.places)-1]
}
