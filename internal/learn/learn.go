// Package learn turns what people did with our messages into propensities. For
// now the model is one smoothed response rate an action; Table is the seam:
// whatever answers Propensity from frozen state can take its place.
//
// The table is shared between customers, so it is frozen between two ticks: a
// lane reads the frozen Table and writes a private Delta, and at the tick the
// deltas are folded. Counts add up the same in any order.
package learn

import "github.com/kikubari/kikubari/internal/cx"

// Rate counts what became of one action: how often it was seen for the first
// time, and how often that led to a first response.
type Rate struct {
	Exposures uint64
	Responses uint64
}

// Plus returns the counts of both.
func (r Rate) Plus(o Rate) Rate {
	return Rate{Exposures: r.Exposures + o.Exposures, Responses: r.Responses + o.Responses}
}

// Propensity returns the smoothed response rate
//
//	(mean·weight + responses) / (weight + exposures)
//
// which for the zero Prior is (0.5 + responses) / (1 + exposures), the estimate
// of Pega's adaptive models. It lies strictly between 0 and 1 when the prior's
// mean does. Responses without an exposure count as seen.
func (r Rate) Propensity(prior cx.Prior) cx.Propensity {
	if prior.Weight <= 0 {
		prior = cx.Prior{Mean: 0.5, Weight: 1}
	}
	seen := float64(max(r.Exposures, r.Responses))
	hoped := float64(prior.Mean * prior.Weight)
	return cx.Propensity((hoped + float64(r.Responses)) / (prior.Weight + seen))
}

// Key names one action of one workspace.
type Key struct {
	Workspace cx.Workspace
	Action    string
}

func (k Key) less(o Key) bool {
	if k.Workspace != o.Workspace {
		return k.Workspace < o.Workspace
	}
	return k.Action < o.Action
}
