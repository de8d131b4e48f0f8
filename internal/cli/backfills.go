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
	Left       int      `json:"left_seconds"`
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
	state := fmt.Sprintf("%d %%", b.Percent) + left(b.Left)
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
	said, since := sum{}, ""
	for {
		var list []backfill
		if err := c.call(ctx, http.MethodGet, "/api/v1/backfills", ofWorkspace(c.Workspace), nil, &list); err != nil {
			return err
		}
		if len(list) == 0 {
			if said != (sum{}) {
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
		if now := sumOf(list); now.state != said.state {
			fmt.Fprintln(s.Out, now.state+left(now.left))
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

// sum is how far back-fills are, in a line.
type sum struct {
	state string
	left  int // seconds, 0 when that cannot be told
}

func sumOf(list []backfill) (out sum) {
	statistics, least, judged := 0, 100, 100
	for _, b := range list {
		if b.Known == "" {
			statistics += len(b.Statistics)
			least = min(least, b.Percent)
			out.left = max(out.left, b.Left)
		} else {
			judged = min(judged, b.Judged)
		}
	}
	switch statistics {
	case 0:
		out.state = fmt.Sprintf("the new statistics are known; %d %% of the customers are judged again", judged)
	case 1:
		out.state = fmt.Sprintf("1 statistic is being back-filled: %d %%", least)
	default:
		out.state = fmt.Sprintf("%d statistics are being back-filled: %d %%", statistics, least)
	}
	return out
}

// left says how much time is left, "" when that cannot be told.
func left(seconds int) string {
	switch {
	case seconds == 0:
		return ""
	case seconds < 90:
		return fmt.Sprintf(", about %d s left", seconds)
	case seconds < 90*60:
		return fmt.Sprintf(", about %d min left", (seconds+30)/60)
	}
	return fmt.Sprintf(", about %d h left", (seconds+30*60)/3600)
}
