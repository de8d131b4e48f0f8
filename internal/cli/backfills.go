package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"text/tabwriter"
	"time"
)

type backfillsCmd struct {
	server
	Workspace string `placeholder:"NAME" help:"Whose; needed with a key of the installation."`
	JSON      bool   `name:"json" help:"Print JSON."`
}

// backfill is one, as the server tells it.
type backfill struct {
	Number     uint64   `json:"number"`
	Statistics []string `json:"statistics"`
	Percent    int      `json:"percent"`
	Known      string   `json:"known"`
	Since      string   `json:"since"`
	Judged     int      `json:"judged"`
}

// Run lists the back-fills that run or wait, and those whose customers are still
// being judged again.
func (c *backfillsCmd) Run(ctx context.Context, s Streams) error {
	var raw json.RawMessage
	if err := c.call(ctx, http.MethodGet, "/api/v1/backfills", ofWorkspace(c.Workspace), nil, &raw); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s.Out, raw)
	}
	var list []backfill
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	if len(list) == 0 {
		_, err := fmt.Fprintln(s.Out, "nothing is being back-filled")
		return err
	}
	w := tabwriter.NewWriter(s.Out, 2, 8, 2, ' ', 0)
	for i := range list {
		b := &list[i]
		fmt.Fprintf(w, "%d\t%s\t%s\n", b.Number, b.state(), strings.Join(b.Statistics, "\n\t\t"))
	}
	return w.Flush()
}

func (b *backfill) state() string {
	state := fmt.Sprintf("%d %%", b.Percent)
	if b.Known != "" {
		state = fmt.Sprintf("known; %d %% of the customers judged again", b.Judged)
	}
	if b.Since != "" {
		state += ", counted since " + b.Since
	}
	return state
}

// awaitBackfills says what the set that was just published has still to wait for
// and, if asked to, waits until all of it is known and everybody judged.
func (c *applyCmd) awaitBackfills(ctx context.Context, s Streams) error {
	said, since := "", ""
	for {
		var list []backfill
		if err := c.call(ctx, http.MethodGet, "/api/v1/backfills", ofWorkspace(c.Workspace), nil, &list); err != nil {
			return err
		}
		if len(list) == 0 {
			if said != "" {
				_, err := fmt.Fprintln(s.Out, "all statistics are known"+since)
				return err
			}
			return nil
		}
		for i := range list {
			if list[i].Since != "" {
				since = "; what is new is counted since " + list[i].Since + ", for the log before that is not kept"
			}
		}
		if now := sumOf(list); now != said {
			fmt.Fprintln(s.Out, now)
			said = now
		}
		if !c.Wait {
			_, err := fmt.Fprintln(s.Out, "until then rules that use them are unknown; kikubari backfills shows how far they are")
			return err
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// sumOf says in a line how far back-fills are.
func sumOf(list []backfill) string {
	statistics, least, judged := 0, 100, 100
	for _, b := range list {
		if b.Known == "" {
			statistics += len(b.Statistics)
			least = min(least, b.Percent)
		} else {
			judged = min(judged, b.Judged)
		}
	}
	switch statistics {
	case 0:
		return fmt.Sprintf("the new statistics are known; %d %% of the customers are judged again", judged)
	case 1:
		return fmt.Sprintf("1 statistic is being back-filled: %d %%", least)
	}
	return fmt.Sprintf("%d statistics are being back-filled: %d %%", statistics, least)
}
