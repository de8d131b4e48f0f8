package cli

import (
	"context"
	"time"

	"github.com/kikubari/kikubari/internal/bench"
)

type benchCmd struct {
	Mode        string        `enum:"closed,open,rules,memory,replay,floor,backfill" default:"closed" help:"closed, open, rules, memory, replay, floor or backfill."`
	Target      string        `placeholder:"HOST:PORT" help:"A running server; without one a server of our own is started on a fresh directory."`
	WriteKey    string        `placeholder:"KEY" help:"Write key for the target."`
	Key         string        `env:"KIKUBARI_KEY" placeholder:"KEY" help:"Read or admin key for the target, to ask what it stored."`
	PID         int           `placeholder:"N" help:"Process of the target, to read its CPU time and memory."`
	Data        string        `placeholder:"DIR" help:"Directory of our own server; a temporary one by default."`
	Connections int           `placeholder:"N" help:"Connections at once."`
	Batch       int           `placeholder:"N" help:"Events a request."`
	Rate        float64       `placeholder:"N" help:"open: requests a second; backfill: requests a second beside it."`
	Events      int           `placeholder:"N" help:"backfill: events to fold."`
	Duration    time.Duration `placeholder:"D" help:"Measured time."`
	WarmUp      time.Duration `placeholder:"D" help:"Time before it."`
	Customers   int           `placeholder:"N" help:"Customers in the model."`
	Seed        uint64        `placeholder:"N" help:"Seed of the visitor model."`
	Actions     bool          `help:"Ask for the decision in the answer."`
	Floor       bool          `help:"Measure a bare append and fdatasync loop just before."`
	JSON        bool          `help:"Print one line of JSON."`
	Serve       []string      `placeholder:"ARG" help:"More arguments for our own server, such as --set=key=value."`
}

// Run measures.
func (c *benchCmd) Run(ctx context.Context, s Streams) error {
	_, err := bench.Run(ctx, bench.Options{
		Mode: bench.Mode(c.Mode), Target: c.Target, Key: c.WriteKey, Admin: c.Key, PID: c.PID, Args: c.Serve, Data: c.Data,
		Connections: c.Connections, Batch: c.Batch, Rate: c.Rate, Events: c.Events, Duration: c.Duration, WarmUp: c.WarmUp,
		Customers: c.Customers, Seed: c.Seed, Actions: c.Actions, WithFloor: c.Floor, JSON: c.JSON,
	}, s.Out)
	return err
}
