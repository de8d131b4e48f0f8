package cli

import (
	"context"
	"fmt"
	"io"

	"github.com/kikubari/kikubari/internal/app"
)

type rebuildCmd struct {
	settings
	Warehouse bool `help:"Compute the rows of the warehouse too."`
	Write     bool `help:"Put what was computed in the place of what there is, which is kept with .before behind its name."`
}

// Run computes the state again, compares it and, if asked to, writes it.
func (c *rebuildCmd) Run(ctx context.Context, s Streams) error {
	config, err := c.load(s)
	if err != nil {
		return err
	}
	r, err := app.Rebuild(ctx, config, app.RebuildOptions{Warehouse: c.Warehouse, Write: c.Write}, s.Err)
	if err != nil {
		return err
	}
	printComputation(s.Out, &r.Computation)
	for _, t := range r.Tables {
		fmt.Fprintf(s.Out, "rows       %d %s\n", t.Is, t.Table)
	}
	compareState(s, r)
	compareRows(s, r)
	if r.Saved != 0 {
		fmt.Fprintf(s.Out, "Written, as of %s.\n", r.Saved)
		for _, name := range r.Before {
			fmt.Fprintf(s.Out, "What there was is %s.\n", name)
		}
		return nil
	}
	if !r.Same() {
		fmt.Fprintln(s.Err, "kikubari: nothing was changed; --write puts what was computed in its place")
		return errSaid
	}
	return nil
}

func compareState(s Streams, r *app.RebuildReport) {
	switch {
	case r.Lost != "":
		fmt.Fprintf(s.Out, "There is no state to compare with: %s.\n", r.Lost)
	case r.Computation.Same():
		fmt.Fprintln(s.Out, "The state that would be recovered is the same, byte for byte.")
	default:
		printDifference(s.Err, &r.Computation)
	}
}

func compareRows(s Streams, r *app.RebuildReport) {
	switch {
	case len(r.Tables) == 0:
		return
	case r.LostRows != "":
		fmt.Fprintf(s.Out, "There are no rows to compare with: %s.\n", r.LostRows)
		return
	}
	same := true
	for _, t := range r.Tables {
		if !t.SameRows {
			same = false
			fmt.Fprintf(s.Err, "kikubari: the rows of %s differ: there are %d, computed are %d\n", t.Table, t.Was, t.Is)
		}
	}
	if same {
		fmt.Fprintln(s.Out, "The rows of the warehouse are the same.")
	}
}

// printComputation says what was computed, from where, and how fast.
func printComputation(w io.Writer, r *app.Computation) {
	from := "the beginning"
	if r.Origin != 0 {
		from = "the checkpoint kept at " + r.Origin.String() + "; the log's beginning is gone"
	}
	fmt.Fprintf(w, "from       %s\nposition   %s\ncustomers  %d\nevents     %d in %.2f s, %.0f/s\nstate      %x\nshared     %x\noutbox     %x\n",
		from, r.Computed.Position, r.Computed.Customers, r.Events, r.Took.Seconds(), float64(r.Events)/r.Took.Seconds(),
		r.Computed.State, r.Computed.Shared, r.Computed.Outbox)
}

// printDifference says what would be recovered, and which customers differ.
func printDifference(w io.Writer, r *app.Computation) {
	fmt.Fprintf(w, "kikubari: the state that would be recovered differs: position %s, %d customers, state %x, shared %x, outbox %x\n",
		r.Recovered.Position, r.Recovered.Customers, r.Recovered.State, r.Recovered.Shared, r.Recovered.Outbox)
	for _, id := range r.Differ {
		fmt.Fprintln(w, " ", id)
	}
}
