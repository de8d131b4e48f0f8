package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"os"

	"github.com/kikubari/kikubari/internal/app"
)

type replayCmd struct {
	settings
	Decisions string `placeholder:"FILE" help:"Write every decision that the replay made to this file, one JSON object a line."`
}

// Run compares the recovered state with the state computed from the journal.
func (c *replayCmd) Run(ctx context.Context, s Streams) error {
	config, err := c.load(s)
	if err != nil {
		return err
	}
	r, err := app.Replay(ctx, config, s.Err)
	if err != nil {
		return err
	}
	if c.Decisions != "" {
		if err := writeDecisions(c.Decisions, r); err != nil {
			return err
		}
	}
	fmt.Fprintf(s.Out, "position   %s\ncustomers  %d\nevents     %d in %.2f s, %.0f/s\ndecisions  %d\nstate      %x\nshared     %x\n",
		r.Computed.Position, r.Computed.Customers, r.Events, r.Took.Seconds(), float64(r.Events)/r.Took.Seconds(), len(r.Decisions), r.Computed.State, r.Computed.Shared)
	if r.Same() {
		_, err := fmt.Fprintln(s.Out, "The state that would be recovered is the same, byte for byte.")
		return err
	}
	fmt.Fprintf(s.Err, "kikubari: the state that would be recovered differs: position %s, %d customers, state %x, shared %x\n",
		r.Recovered.Position, r.Recovered.Customers, r.Recovered.State, r.Recovered.Shared)
	for _, id := range r.Differ {
		fmt.Fprintln(s.Err, " ", id)
	}
	return errSaid
}

func writeDecisions(name string, r *app.ReplayReport) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	e := json.NewEncoder(f)
	for id, content := range r.Decisions {
		if err := e.Encode(map[string]string{"decision": id.String(), "content": content}); err != nil {
			return err
		}
	}
	return f.Close()
}
