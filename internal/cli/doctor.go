package cli

import (
	"context"
	"fmt"

	"github.com/kikubari/kikubari/internal/app"
)

type doctorCmd struct {
	settings
}

// Run prints what the doctor finds and fails when something is wrong.
func (c *doctorCmd) Run(ctx context.Context, s Streams) error {
	config, err := c.load(s)
	if err != nil {
		return err
	}
	ill := false
	for _, f := range app.Doctor(ctx, config) {
		mark := "ok  "
		if !f.OK {
			mark, ill = "BAD ", true
		}
		fmt.Fprintf(s.Out, "%s %-16s %s\n", mark, f.What, f.Text)
	}
	if ill {
		return errSaid
	}
	return nil
}
