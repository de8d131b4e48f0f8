package cli

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"text/tabwriter"
	"time"
)

type sendsCmd struct {
	List   sendsList   `cmd:"" default:"withargs" help:"List what is on its way to destinations, and what did not arrive."`
	Pause  sendsPause  `cmd:"" help:"Make no attempts until sends are resumed."`
	Resume sendsResume `cmd:"" help:"Go on sending."`
	Retry  sendsRetry  `cmd:"" help:"Try what waits for its next attempt now, or send again what did not arrive."`
}

// sendsServer is a server that a command asks about the sends of a workspace.
type sendsServer struct {
	server
	Workspace string `placeholder:"NAME" help:"Which workspace; all of them with a key of the installation and without this."`
}

type sendsList struct {
	sendsServer
	Destination string `placeholder:"NAME" help:"Only what goes there."`
	State       string `enum:",queued,trying,sent,failed,unknown,withheld" default:"" placeholder:"STATE" help:"Only queued, trying, sent, failed, unknown or withheld ones."`
	Limit       int    `default:"50" help:"How many at most."`
	JSON        bool   `name:"json" help:"One JSON object, for programs."`
}

type send struct {
	Send, Destination, Action, Customer, State, Reason string
	Attempts                                           uint32
	DecidedAt                                          time.Time `json:"decided_at"`
	DueAt                                              time.Time `json:"due_at"`
}

// Run lists sends.
func (c *sendsList) Run(ctx context.Context, s Streams) error {
	q := ofWorkspace(c.Workspace)
	q.Set("limit", strconv.Itoa(c.Limit))
	for name, value := range map[string]string{"destination": c.Destination, "state": c.State} {
		if value != "" {
			q.Set(name, value)
		}
	}
	var raw json.RawMessage
	if err := c.call(ctx, http.MethodGet, "/api/v1/sends", q, nil, &raw); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s.Out, raw)
	}
	var out struct {
		Paused bool
		Sends  []send
	}
	if err := json.Unmarshal(raw, &out); err != nil {
		return err
	}
	if out.Paused {
		fmt.Fprintln(s.Out, "Sends are paused; kikubari sends resume goes on.")
	}
	if len(out.Sends) == 0 {
		_, err := fmt.Fprintln(s.Out, "Nothing waits, and nothing failed.")
		return err
	}
	w := tabwriter.NewWriter(s.Out, 2, 8, 2, ' ', 0)
	fmt.Fprintln(w, "SEND\tSTATE\tDESTINATION\tACTION\tCUSTOMER\tDECIDED\tATTEMPTS\tNEXT\tREASON")
	for _, x := range out.Sends {
		next := "-"
		if !x.DueAt.IsZero() {
			next = x.DueAt.UTC().Format(time.DateTime)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\t%s\t%d\t%s\t%s\n", x.Send, x.State, x.Destination, x.Action, x.Customer,
			x.DecidedAt.UTC().Format(time.DateTime), x.Attempts, next, cmp.Or(x.Reason, "-"))
	}
	return w.Flush()
}

type sendsPause struct {
	sendsServer
	Why string `placeholder:"TEXT" help:"Why, for the record of changes."`
}

// Run pauses sends.
func (c *sendsPause) Run(ctx context.Context, s Streams) error {
	return c.set(ctx, s, "pause", c.Why)
}

type sendsResume struct {
	sendsServer
	Why string `placeholder:"TEXT" help:"Why, for the record of changes."`
}

// Run resumes sends.
func (c *sendsResume) Run(ctx context.Context, s Streams) error {
	return c.set(ctx, s, "resume", c.Why)
}

func (o *sendsServer) set(ctx context.Context, s Streams, what, why string) error {
	var out struct {
		Workspace string
		Paused    bool
	}
	if err := o.call(ctx, http.MethodPost, "/api/v1/sends/"+what, ofWorkspace(o.Workspace), because(why), &out); err != nil {
		return err
	}
	state := "are sent again"
	if out.Paused {
		state = "are paused: they wait, and what is not sent in time is given up"
	}
	whose := "sends of workspace " + out.Workspace
	if out.Workspace == "*" {
		whose = "all sends"
	}
	_, err := fmt.Fprintln(s.Out, whose, state)
	return err
}

func because(why string) map[string]any {
	in := map[string]any{}
	if why != "" {
		in["why"] = why
	}
	return in
}

type sendsRetry struct {
	sendsServer
	Destination string    `placeholder:"NAME" help:"Only what goes there."`
	State       string    `enum:",failed,unknown" default:"" placeholder:"STATE" help:"Send again what ended as failed or as unknown."`
	Since       time.Time `placeholder:"TIME" help:"With --state: only what ended since, such as 2026-11-24T03:00:00Z."`
	Yes         bool      `help:"Send again also what may have arrived."`
	Send        []string  `arg:"" optional:"" help:"Only these, s_…; those that ended as failed or unknown are sent again."`
	Why         string    `placeholder:"TEXT" help:"Why, for the record of changes."`
}

// retried is what came of one request.
type retried struct {
	Retried, Resent int
	Refused         []string
	More            bool
}

// Run makes what waits due now, or sends again what has ended.
func (c *sendsRetry) Run(ctx context.Context, s Streams) error {
	in := because(c.Why)
	for name, value := range map[string]string{"destination": c.Destination, "state": c.State} {
		if value != "" {
			in[name] = value
		}
	}
	if !c.Since.IsZero() {
		in["since"] = c.Since.Format(time.RFC3339Nano)
	}
	if c.Yes {
		in["may_repeat"] = true
	}
	var all retried
	if len(c.Send) == 0 {
		if err := c.ask(ctx, in, &all); err != nil {
			return err
		}
	}
	for _, key := range c.Send {
		in["send"] = key
		if err := c.ask(ctx, in, &all); err != nil {
			return err
		}
	}
	for _, why := range all.Refused {
		fmt.Fprintln(s.Out, "not sent:", why)
	}
	if c.State == "" && all.Resent == 0 {
		_, err := fmt.Fprintf(s.Out, "%d are tried now\n", all.Retried)
		return err
	}
	_, err := fmt.Fprintf(s.Out, "%d are sent again\n", all.Retried+all.Resent)
	return err
}

// ask asks until nothing more is left, and adds to all.
func (c *sendsRetry) ask(ctx context.Context, in map[string]any, all *retried) error {
	for {
		var out retried
		if err := c.call(ctx, http.MethodPost, "/api/v1/sends/retry", ofWorkspace(c.Workspace), in, &out); err != nil {
			return err
		}
		all.Retried, all.Resent, all.Refused = all.Retried+out.Retried, all.Resent+out.Resent, append(all.Refused, out.Refused...)
		if !out.More || out.Resent == 0 {
			return nil // those that are refused would be refused again
		}
	}
}

type destinationCmd struct {
	List   destinationList   `cmd:"" help:"List the published destinations, and how they do."`
	Secret destinationSecret `cmd:"" help:"Show what signs for a destination, or make it anew."`
}

type destinationList struct{ sendsServer }

// Run lists destinations.
func (c *destinationList) Run(ctx context.Context, s Streams) error {
	var out struct {
		Destinations []struct {
			Name, URL                string
			Waiting, Failed, Unknown int
			Open                     bool
			TriedAt                  time.Time `json:"tried_at"`
		}
	}
	if err := c.call(ctx, http.MethodGet, "/api/v1/destinations", ofWorkspace(c.Workspace), nil, &out); err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.Out, 2, 8, 2, ' ', 0)
	fmt.Fprintln(w, "DESTINATION\tURL\tWAITING\tFAILED\tUNKNOWN\tANSWERS")
	for _, d := range out.Destinations {
		answers := "yes"
		if d.Open {
			answers = "no, tried again at " + d.TriedAt.UTC().Format(time.DateTime)
		}
		fmt.Fprintf(w, "%s\t%s\t%d\t%d\t%d\t%s\n", d.Name, d.URL, d.Waiting, d.Failed, d.Unknown, answers)
	}
	return w.Flush()
}

type destinationSecret struct {
	sendsServer
	Name   string `arg:"" help:"Name of the destination."`
	Rotate bool   `help:"Make a new secret; for 24 hours the one before signs too."`
	Why    string `placeholder:"TEXT" help:"Why, for the record of changes."`
}

// Run prints the secret.
func (c *destinationSecret) Run(ctx context.Context, s Streams) error {
	in := because(c.Why)
	if c.Rotate {
		in["rotate"] = true
	}
	var out struct{ Secret string }
	if err := c.call(ctx, http.MethodPost, "/api/v1/destinations/"+url.PathEscape(c.Name)+"/secret", ofWorkspace(c.Workspace), in, &out); err != nil {
		return err
	}
	_, err := fmt.Fprintln(s.Out, out.Secret)
	return err
}
