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

// Run compares the recovered state with the state computed from archive and
// journal.
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
	printComputation(s.Out, &r.Computation)
	fmt.Fprintf(s.Out, "decisions  %d\n", len(r.Decisions))
	if r.Same() {
		_, err := fmt.Fprintln(s.Out, "The state that would be recovered is the same, byte for byte.")
		return err
	}
	printDifference(s.Err, &r.Computation)
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
