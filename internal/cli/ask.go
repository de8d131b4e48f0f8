package cli

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"

	"github.com/kikubari/kikubari/internal/app"
)

type sqlCmd struct {
	server
	Workspace string `placeholder:"NAME" help:"Whose rows; needed with a key of the installation to see one workspace only."`
	Format    string `enum:"table,csv,json" default:"table" help:"table, csv or json."`
	Query     string `arg:"" help:"One SELECT statement; - reads it from standard input."`
}

type table struct {
	Columns []struct {
		Name string `json:"name"`
		Type string `json:"type"`
	} `json:"columns"`
	Rows      [][]any `json:"rows"`
	Truncated bool    `json:"truncated"`
}

// Run asks the query and prints the rows.
func (c *sqlCmd) Run(ctx context.Context, s Streams) error {
	if c.Query == "-" {
		b, err := io.ReadAll(s.In)
		if err != nil {
			return err
		}
		c.Query = string(b)
	}
	query := url.Values{}
	if c.Workspace != "" {
		query.Set("workspace", c.Workspace)
	}
	var t table
	if err := c.call(ctx, http.MethodPost, "/api/v1/sql", query, map[string]string{"query": c.Query}, &t); err != nil {
		return err
	}
	if err := t.print(s.Out, c.Format); err != nil {
		return err
	}
	if t.Truncated {
		fmt.Fprintf(s.Err, "kikubari: only the first %d rows are shown; add a LIMIT or aggregate\n", len(t.Rows))
	}
	return nil
}

func (t *table) print(w io.Writer, format string) error {
	switch format {
	case "json":
		e := json.NewEncoder(w)
		for _, row := range t.Rows {
			o := make(map[string]any, len(row))
			for i, v := range row {
				o[t.Columns[i].Name] = v
			}
			if err := e.Encode(o); err != nil {
				return err
			}
		}
		return nil
	case "csv":
		out := csv.NewWriter(w)
		if err := out.Write(t.header()); err != nil {
			return err
		}
		for _, row := range t.Rows {
			if err := out.Write(cells(row)); err != nil {
				return err
			}
		}
		out.Flush()
		return out.Error()
	}
	out := tabwriter.NewWriter(w, 2, 8, 2, ' ', 0)
	fmt.Fprintln(out, strings.Join(t.header(), "\t"))
	for _, row := range t.Rows {
		fmt.Fprintln(out, strings.Join(cells(row), "\t"))
	}
	return out.Flush()
}

func (t *table) header() []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}

// cells shows the values of a row; numbers keep all their digits.
func cells(row []any) []string {
	out := make([]string, len(row))
	for i, v := range row {
		switch v := v.(type) {
		case nil:
		case string:
			out[i] = v
		default:
			b, err := json.Marshal(v)
			if err != nil {
				b = []byte(fmt.Sprint(v))
			}
			out[i] = string(b)
		}
	}
	return out
}

type applyCmd struct {
	server
	Dir       string `short:"f" required:"" type:"existingdir" placeholder:"DIR" help:"Directory with the YAML files of one workspace."`
	Workspace string `placeholder:"NAME" help:"Workspace to publish to; needed with a key of the installation unless the files name it."`
	Why       string `placeholder:"TEXT" help:"Why, for the record of changes."`
	Strict    bool   `help:"Unknown event fields are errors, not warnings."`
	DryRun    bool   `help:"Check only."`
	Wait      bool   `help:"Wait until every statistic that the set asks for is known and everybody is judged by it."`
}

// Run publishes every .yaml file of the directory as one set.
func (c *applyCmd) Run(ctx context.Context, s Streams) error {
	files, err := app.ReadDefinitions(os.DirFS(c.Dir))
	if err != nil {
		return fmt.Errorf("%s: %w", c.Dir, err)
	}
	var out struct {
		Workspace string   `json:"workspace"`
		Sequence  uint64   `json:"sequence"`
		Warnings  []string `json:"warnings"`
		Counts    struct {
			Segments int `json:"segments"`
			Actions  int `json:"actions"`
		} `json:"counts"`
	}
	query := url.Values{}
	if c.Workspace == "" {
		c.Workspace = app.WorkspaceOf(files)
	}
	if c.Workspace != "" {
		query.Set("workspace", c.Workspace)
	}
	in := map[string]any{"files": files}
	if c.Why != "" {
		in["why"] = c.Why
	}
	if c.Strict {
		in["strict"] = true
	}
	if c.DryRun {
		in["dry_run"] = true
	}
	if err := c.call(ctx, http.MethodPost, "/api/v1/definitions", query, in, &out); err != nil {
		return err
	}
	for _, w := range out.Warnings {
		fmt.Fprintln(s.Err, "warning:", w)
	}
	if c.DryRun {
		_, err = fmt.Fprintf(s.Out, "%s: %d segments and %d actions are good to publish\n", out.Workspace, out.Counts.Segments, out.Counts.Actions)
		return err
	}
	_, err = fmt.Fprintf(s.Out, "%s: published %d segments and %d actions as set %d\n", out.Workspace, out.Counts.Segments, out.Counts.Actions, out.Sequence)
	if err != nil {
		return err
	}
	return c.awaitBackfills(ctx, s)
}

type workspaceCmd struct {
	Create workspaceCreate `cmd:"" help:"Create a workspace."`
	List   workspaceList   `cmd:"" help:"List workspaces."`
}

type workspaceCreate struct {
	server
	Slug string `arg:"" help:"Lower-case letters, digits and dashes."`
	Name string `placeholder:"TEXT" help:"What people call it."`
	Why  string `placeholder:"TEXT" help:"Why, for the record of changes."`
}

// Run creates the workspace.
func (c *workspaceCreate) Run(ctx context.Context, s Streams) error {
	in := map[string]string{"slug": c.Slug, "name": c.Name}
	if c.Why != "" {
		in["why"] = c.Why
	}
	var out json.RawMessage
	if err := c.call(ctx, http.MethodPost, "/api/v1/workspaces", nil, in, &out); err != nil {
		return err
	}
	return printJSON(s.Out, out)
}

type workspaceList struct{ server }

// Run lists the workspaces.
func (c *workspaceList) Run(ctx context.Context, s Streams) error {
	var out json.RawMessage
	if err := c.call(ctx, http.MethodGet, "/api/v1/workspaces", nil, nil, &out); err != nil {
		return err
	}
	return printJSON(s.Out, out)
}

type keyCmd struct {
	Create keyCreate `cmd:"" help:"Create a key; its text is shown once."`
	List   keyList   `cmd:"" help:"List keys."`
	Revoke keyRevoke `cmd:"" help:"Take a key back."`
}

type keyCreate struct {
	server
	Workspace string `required:"" placeholder:"NAME" help:"Workspace it speaks for."`
	Kind      string `arg:"" enum:"browser,server,admin,read" help:"browser, server, admin or read."`
	Name      string `placeholder:"TEXT" help:"What people call it."`
	Text      string `placeholder:"TEXT" help:"Text of a browser key; generated when not given."`
	Why       string `placeholder:"TEXT" help:"Why, for the record of changes."`
}

// Run creates the key and prints it.
func (c *keyCreate) Run(ctx context.Context, s Streams) error {
	in := map[string]string{"workspace": c.Workspace, "kind": c.Kind}
	for k, v := range map[string]string{"name": c.Name, "text": c.Text, "why": c.Why} {
		if v != "" {
			in[k] = v
		}
	}
	var out json.RawMessage
	if err := c.call(ctx, http.MethodPost, "/api/v1/keys", nil, in, &out); err != nil {
		return err
	}
	return printJSON(s.Out, out)
}

type keyList struct{ server }

// Run lists the keys.
func (c *keyList) Run(ctx context.Context, s Streams) error {
	var out json.RawMessage
	if err := c.call(ctx, http.MethodGet, "/api/v1/keys", nil, nil, &out); err != nil {
		return err
	}
	return printJSON(s.Out, out)
}

type keyRevoke struct {
	server
	ID  string `arg:"" help:"Id of the key, k_…"`
	Why string `placeholder:"TEXT" help:"Why, for the record of changes."`
}

// Run revokes the key.
func (c *keyRevoke) Run(ctx context.Context, s Streams) error {
	var out json.RawMessage
	if err := c.call(ctx, http.MethodDelete, "/api/v1/keys/"+url.PathEscape(c.ID), url.Values{"why": {c.Why}}, nil, &out); err != nil {
		return err
	}
	return printJSON(s.Out, out)
}

func printJSON(w io.Writer, raw json.RawMessage) error {
	var v any
	if err := json.Unmarshal(raw, &v); err != nil {
		return err
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(v)
}
