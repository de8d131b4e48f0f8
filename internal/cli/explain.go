package cli

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"text/tabwriter"
)

type explainCmd struct {
	server
	Decision  string `arg:"" help:"Id of the decision, d_…"`
	Workspace string `placeholder:"NAME" help:"Needed with a key of the installation."`
}

// countedSince is a part of an action's rule that does not count everything.
type countedSince struct {
	Action string `json:"action"`
	What   string `json:"what"`
	Since  string `json:"since"`
}

type explainedCandidate struct {
	Action     string  `json:"action"`
	Gate       string  `json:"gate"`
	Number     float64 `json:"number"`
	Won        bool    `json:"won"`
	Propensity float64 `json:"propensity"`
	Context    float64 `json:"context"`
	Value      float64 `json:"value"`
	Lever      float64 `json:"lever"`
	Score      float64 `json:"score"`
}

// Run shows what was decided and why, decides again from what was stored, and
// says whether that gives the same.
func (c *explainCmd) Run(ctx context.Context, s Streams) error {
	query := url.Values{}
	if c.Workspace != "" {
		query.Set("workspace", c.Workspace)
	}
	var d struct {
		Decision    string               `json:"decision"`
		Customer    string               `json:"customer"`
		Event       string               `json:"event"`
		At          string               `json:"at"`
		Definitions uint64               `json:"definitions"`
		Engine      string               `json:"engine"`
		Candidates  []explainedCandidate `json:"candidates"`
		Filling     *int                 `json:"filling"`
		Counted     []countedSince       `json:"counted"`
		Explain     struct {
			Engine     string               `json:"engine"`
			Same       bool                 `json:"same"`
			Candidates []explainedCandidate `json:"candidates"`
		} `json:"explain"`
	}
	if err := c.call(ctx, http.MethodGet, "/api/v1/decisions/"+url.PathEscape(c.Decision), query, nil, &d); err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "%s for %s on %q at %s, by set %d and engine %s\n\n", d.Decision, d.Customer, d.Event, d.At, d.Definitions, d.Engine)
	if err := printCandidates(s, d.Candidates); err != nil {
		return err
	}
	switch {
	case d.Filling == nil:
	case *d.Filling < 100:
		fmt.Fprintf(s.Out, "\nbackfill: back-filling %d %%\n", *d.Filling)
	default:
		fmt.Fprintln(s.Out, "\nbackfill: what was not known then is known by now")
	}
	if len(d.Counted) > 0 {
		fmt.Fprintln(s.Out)
	}
	for _, c := range d.Counted {
		fmt.Fprintf(s.Out, "%s: %s is counted since %s\n", c.Action, c.What, c.Since)
	}
	if d.Explain.Same {
		_, err := fmt.Fprintf(s.Out, "\nDecided again from what was stored, engine %s: the same, number for number.\n", d.Explain.Engine)
		return err
	}
	fmt.Fprintf(s.Out, "\nDecided again from what was stored, engine %s says otherwise:\n\n", d.Explain.Engine)
	return printCandidates(s, d.Explain.Candidates)
}

func printCandidates(s Streams, list []explainedCandidate) error {
	w := tabwriter.NewWriter(s.Out, 2, 8, 2, ' ', 0)
	fmt.Fprintln(w, "\taction\tgate\tnumber\tpropensity\tcontext\tvalue\tlever\tscore")
	for _, c := range list {
		mark := ""
		if c.Won {
			mark = "won"
		}
		if c.Score == 0 && !c.Won {
			fmt.Fprintf(w, "%s\t%s\t%s\t%g\t\t\t\t\t\n", mark, c.Action, c.Gate, c.Number)
			continue
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%g\t%.4f\t%g\t%g\t%g\t%.4f\n", mark, c.Action, c.Gate, c.Number, c.Propensity, c.Context, c.Value, c.Lever, c.Score)
	}
	return w.Flush()
}
