package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"unicode"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/app"
	"github.com/kikubari/kikubari/internal/cx"
)

type journalCmd struct {
	Stat    journalStat    `cmd:"" help:"Say how much there is in journal and archive."`
	Tail    journalTail    `cmd:"" help:"Show the newest entries of the log, and follow them."`
	Archive journalArchive `cmd:"" help:"Archive now what the server does not need any more."`
}

// logSource is where the log is looked at: a running server, which wants an
// admin key of the installation, or a data directory without one.
type logSource struct {
	server
	Data string `placeholder:"DIR" help:"Look into this data directory instead of asking a server; none may run on it."`
}

// open opens the data directory.
func (l *logSource) open(ctx context.Context, s Streams) (*app.Logbook, error) {
	config, err := (&settings{Data: l.Data}).load(s)
	if err != nil {
		return nil, err
	}
	book, err := app.OpenLogbook(ctx, config, s.Err)
	if cx.KindOf(err) == cx.Conflict {
		err = fmt.Errorf("%w: a server runs on it, so ask that one: leave out --data and give --key", err)
	}
	return book, err
}

type journalStat struct {
	logSource
	JSON bool `name:"json" help:"Print one JSON object."`
}

// Run prints what there is.
func (c *journalStat) Run(ctx context.Context, s Streams) error {
	var stat api.LogStat
	if c.Data != "" {
		book, err := c.open(ctx, s)
		if err != nil {
			return err
		}
		defer book.Close()
		if stat, err = book.Stat(ctx); err != nil {
			return err
		}
	} else if err := c.call(ctx, http.MethodGet, "/api/v1/journal", nil, nil, &stat); err != nil {
		return err
	}
	return printStat(s.Out, &stat, c.JSON)
}

func printStat(w io.Writer, stat *api.LogStat, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(w).Encode(stat)
	}
	j, a := &stat.Journal, &stat.Archive
	fmt.Fprintf(w, "journal      records %d to %d, %s, %s free beyond the reserve\n", j.First, j.Last, size(j.Bytes), size(j.Free))
	fmt.Fprintf(w, "log time     %s\n", j.LogTime)
	if stat.Checkpoint != "" {
		fmt.Fprintf(w, "checkpoint   at %s\n", stat.Checkpoint)
	}
	if a.Last == 0 {
		fmt.Fprintf(w, "archive      nothing yet\n")
	} else {
		fmt.Fprintf(w, "archive      records %d to %d in %d files, %s\n", a.First, a.Last, a.Files, size(uint64(a.Bytes)))
	}
	if n := len(a.Checkpoints); n > 0 {
		fmt.Fprintf(w, "kept         checkpoints of %d days, %s to %s\n", n, a.Checkpoints[0].Day, a.Checkpoints[n-1].Day)
	}
	if a.Wrong != "" {
		fmt.Fprintf(w, "WRONG        %s\n", a.Wrong)
	}
	return nil
}

// size writes a number of bytes for people.
func size(bytes uint64) string {
	switch {
	case bytes >= 10<<30:
		return fmt.Sprintf("%d GB", bytes>>30)
	case bytes >= 10<<20:
		return fmt.Sprintf("%d MB", bytes>>20)
	case bytes >= 10<<10:
		return fmt.Sprintf("%d kB", bytes>>10)
	}
	return fmt.Sprintf("%d bytes", bytes)
}

type journalTail struct {
	logSource
	Number    int    `short:"n" default:"20" help:"How many of the newest entries."`
	Follow    bool   `short:"f" help:"Go on with those that come."`
	Workspace string `placeholder:"NAME" help:"Entries of one workspace only."`
	Full      bool   `help:"With properties, context and consent."`
	JSON      bool   `name:"json" help:"One JSON object a line."`
}

// Run prints entries until there are no more or, following, ctx ends.
func (c *journalTail) Run(ctx context.Context, s Streams) error {
	if c.Number < 1 || c.Number > 1000 {
		return errors.New("-n wants a number from 1 to 1000")
	}
	if c.Data != "" {
		return c.look(ctx, s)
	}
	query := url.Values{"limit": {strconv.Itoa(c.Number)}}
	if c.Workspace != "" {
		query.Set("workspace", c.Workspace)
	}
	if c.Full {
		query.Set("full", "true")
	}
	for {
		var page api.LogEntries
		err := c.call(ctx, http.MethodGet, "/api/v1/journal/entries", query, nil, &page)
		if c.Follow && over(ctx) {
			return nil // the way to end it
		}
		if err != nil {
			return err
		}
		if err := c.print(s.Out, page.Entries); err != nil || !c.Follow {
			return err
		}
		query.Set("after", page.Next)
		query.Set("wait", "5")
		query.Set("limit", "1000")
	}
}

// over reports whether ctx has ended.
func over(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return true
	default:
		return false
	}
}

// look prints the newest entries of a data directory.
func (c *journalTail) look(ctx context.Context, s Streams) error {
	if c.Follow {
		return errors.New("nothing comes into a data directory without a server: leave out --follow or --data")
	}
	book, err := c.open(ctx, s)
	if err != nil {
		return err
	}
	defer book.Close()
	w := access.Everywhere
	if c.Workspace != "" {
		w = cx.Workspace(c.Workspace)
	}
	page, err := book.Newest(ctx, api.EntriesAsked{Workspace: w, Limit: c.Number, Full: c.Full})
	if err != nil {
		return err
	}
	return c.print(s.Out, page.Entries)
}

func (c *journalTail) print(w io.Writer, entries []api.LogEntry) error {
	for i := range entries {
		var err error
		if c.JSON {
			err = json.NewEncoder(w).Encode(&entries[i])
		} else {
			_, err = io.WriteString(w, lineOf(&entries[i]))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// lineOf shows an entry as one line, and each raw value on a line of its own.
func lineOf(e *api.LogEntry) string {
	line := []string{fmt.Sprintf("%-12s %s %-11s", e.Position, e.LogTime, e.Kind)}
	for _, text := range [...]string{e.Workspace, e.Type} {
		if text != "" {
			line = append(line, visible(text))
		}
	}
	if e.Name != "" {
		line = append(line, strconv.Quote(e.Name))
	}
	for _, f := range [...][2]string{
		{"user", e.UserID}, {"anonymous", e.AnonymousID}, {"message", e.MessageID}, {"customer", e.Customer}, {"key", e.Key}, {"why", e.Why},
	} {
		if f[1] != "" {
			line = append(line, f[0]+"="+visible(f[1]))
		}
	}
	if e.Historical {
		line = append(line, "historical")
	}
	var out strings.Builder
	out.WriteString(strings.TrimRight(strings.Join(line, " "), " ") + "\n")
	for _, raw := range [...]struct {
		name string
		json api.Raw
	}{{"properties", e.Properties}, {"context", e.Context}, {"consent", e.Consent}} {
		if len(raw.json) > 0 {
			fmt.Fprintf(&out, "%13s%s %s\n", "", raw.name, strings.Map(onOneLine, string(raw.json)))
		}
	}
	return out.String()
}

// visible quotes what would not be seen as one word. What clients send does not
// get to steer a terminal.
func visible(s string) string {
	if strings.ContainsFunc(s, func(r rune) bool { return r == ' ' || r == '"' || !unicode.IsPrint(r) }) {
		return strconv.Quote(s)
	}
	return s
}

func onOneLine(r rune) rune {
	if unicode.IsControl(r) {
		return ' '
	}
	return r
}

type journalArchive struct {
	server
	Release bool `help:"Let the journal drop what is archived, whether it needs the room or not."`
}

// Run has the server archive.
func (c *journalArchive) Run(ctx context.Context, s Streams) error {
	var stat api.LogStat
	if err := c.call(ctx, http.MethodPost, "/api/v1/journal/archive", nil, map[string]bool{"release": c.Release}, &stat); err != nil {
		return err
	}
	return printStat(s.Out, &stat, false)
}
