package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"unicode"
	"unicode/utf8"

	"github.com/kikubari/kikubari/internal/app"
)

// ofWorkspace asks about one workspace; "" leaves it to the key.
func ofWorkspace(name string) url.Values {
	query := url.Values{}
	if name != "" {
		query.Set("workspace", name)
	}
	return query
}

type exportCmd struct {
	server
	Out       string `short:"o" required:"" type:"path" placeholder:"DIR" help:"Directory to write to; made when there is none."`
	Workspace string `placeholder:"NAME" help:"Whose set; needed with a key of the installation while there are several."`
	Set       uint64 `placeholder:"N" help:"Number of an earlier set; without it, the set in force."`
	Force     bool   `help:"Replace and remove .yaml files that are in the directory already."`
}

// Run writes a set as files such that applying the directory publishes the same
// set again.
func (c *exportCmd) Run(ctx context.Context, s Streams) error {
	query := ofWorkspace(c.Workspace)
	if c.Set > 0 {
		query.Set("set", strconv.FormatUint(c.Set, 10))
	}
	var set struct {
		Workspace string               `json:"workspace"`
		Sequence  uint64               `json:"sequence"`
		Files     []app.DefinitionFile `json:"files"`
	}
	if err := c.call(ctx, http.MethodGet, "/api/v1/definitions/files", query, nil, &set); err != nil {
		return err
	}
	if err := os.MkdirAll(c.Out, 0o755); err != nil {
		return err
	}
	dir, err := os.OpenRoot(c.Out) // no file name leads out of it
	if err != nil {
		return err
	}
	defer dir.Close()
	replaced, others, err := inTheWay(dir, set.Files)
	if err != nil {
		return err
	}
	if !c.Force && len(replaced)+len(others) > 0 {
		return fmt.Errorf("%s has .yaml files of its own: %s; choose an empty directory, or let --force replace and remove them", c.Out, shortly(append(replaced, others...)))
	}
	for _, name := range replaced {
		fmt.Fprintln(s.Out, "replaced", name)
	}
	if err := writeFiles(dir, set.Files); err != nil {
		return err
	}
	for _, name := range others {
		if err := dir.Remove(name); err != nil {
			return err
		}
		fmt.Fprintln(s.Out, "removed", name)
	}
	_, err = fmt.Fprintf(s.Out, "%s: set %d written to %s, %d files; comments are not kept in sets\n", set.Workspace, set.Sequence, c.Out, len(set.Files))
	return err
}

// inTheWay returns the definition files in dir that an export would replace with
// another text, and those that do not belong to it: applying the directory would
// publish them too.
func inTheWay(dir *os.Root, files []app.DefinitionFile) (replaced, others []string, err error) {
	texts := map[string]string{}
	for _, f := range files {
		texts[f.Name] = f.Text
	}
	err = fs.WalkDir(dir.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !slices.Contains([]string{".yaml", ".yml"}, path.Ext(name)) {
			return err
		}
		text, ours := texts[name]
		if !ours {
			others = append(others, name)
			return nil
		}
		b, err := dir.ReadFile(name)
		if err == nil && string(b) != text {
			replaced = append(replaced, name)
		}
		return err
	})
	return replaced, others, err
}

func writeFiles(dir *os.Root, files []app.DefinitionFile) error {
	for _, f := range files {
		name := filepath.FromSlash(f.Name)
		if err := dir.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			return err
		}
		if err := dir.WriteFile(name, []byte(f.Text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// shortly lists a few names.
func shortly(names []string) string {
	if n := len(names); n > 5 {
		return fmt.Sprintf("%s and %d more", strings.Join(names[:4], ", "), n-4)
	}
	return strings.Join(names, ", ")
}

type diffCmd struct {
	server
	Sets      []uint64 `arg:"" optional:"" name:"set" help:"Numbers of two sets; one alone is compared with the set in force."`
	Set       []uint64 `placeholder:"N" help:"The same: --set A --set B. With -f, the set to compare the files with."`
	Dir       string   `short:"f" type:"existingdir" placeholder:"DIR" help:"Compare with the files in this directory: what would applying them change?"`
	Workspace string   `placeholder:"NAME" help:"Whose sets; needed with a key of the installation unless the files name it."`
	Strict    bool     `help:"Unknown event fields in the files are errors, not warnings."`
	JSON      bool     `name:"json" help:"Print JSON."`
}

// Help says what the exit code means.
func (c *diffCmd) Help() string {
	return "The exit code is 0 when nothing differs, 1 when something does and 2 when they cannot be compared; then nothing but a message on standard error is printed."
}

// comparison is what the server says about two sets.
type comparison struct {
	Workspace string   `json:"workspace"`
	From      uint64   `json:"from"`
	To        uint64   `json:"to"`
	Equal     bool     `json:"equal"`
	Summary   string   `json:"summary"`
	Warnings  []string `json:"warnings"`
	Documents []struct {
		Kind   string `json:"kind"`
		Name   string `json:"name"`
		Change string `json:"change"`
		Fields []struct {
			Path string          `json:"path"`
			Old  json.RawMessage `json:"old"`
			New  json.RawMessage `json:"new"`
		} `json:"fields"`
	} `json:"documents"`
}

// Run prints what differs and fails when anything does.
func (c *diffCmd) Run(ctx context.Context, s Streams) error {
	equal, err := c.compare(ctx, s)
	switch {
	case err != nil:
		return &codedError{exitTrouble, err}
	case !equal:
		return errSaid
	}
	return nil
}

// compare prints what differs and reports whether nothing does.
func (c *diffCmd) compare(ctx context.Context, s Streams) (equal bool, err error) {
	in, err := c.question()
	if err != nil {
		return false, err
	}
	var raw json.RawMessage
	if err := c.call(ctx, http.MethodPost, "/api/v1/definitions/diff", ofWorkspace(c.Workspace), in, &raw); err != nil {
		return false, err
	}
	var found comparison
	if err := json.Unmarshal(raw, &found); err != nil {
		return false, err
	}
	if c.JSON {
		return found.Equal, printJSON(s.Out, raw)
	}
	return found.Equal, found.print(s)
}

// question is the body of the request: which sets or files are compared.
func (c *diffCmd) question() (map[string]any, error) {
	sets, in := slices.Concat(c.Sets, c.Set), map[string]any{}
	if slices.Contains(sets, 0) {
		return nil, errors.New("sets are counted from 1; kikubari history lists them")
	}
	most := 2
	if c.Dir != "" {
		most = 1
	}
	switch {
	case len(sets) > most && c.Dir != "":
		return nil, errors.New("files are compared with one set; give at most one number")
	case len(sets) > most:
		return nil, errors.New("two sets are compared; give at most two numbers")
	case len(sets) == 0 && c.Dir == "":
		return nil, errors.New("say what to compare: kikubari diff -f DIR, or kikubari diff A B with the numbers of two sets")
	}
	for i, n := range sets {
		in[[...]string{"from", "to"}[i]] = n
	}
	if c.Dir == "" {
		return in, nil
	}
	files, err := app.ReadDefinitions(os.DirFS(c.Dir))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Dir, err)
	}
	if c.Workspace == "" {
		c.Workspace = app.WorkspaceOf(files)
	}
	in["files"] = files
	if c.Strict {
		in["strict"] = true
	}
	return in, nil
}

// print says what differs, grouped by document.
func (d *comparison) print(s Streams) error {
	for _, w := range d.Warnings {
		fmt.Fprintln(s.Err, "warning:", w)
	}
	var out bytes.Buffer
	from, to := fmt.Sprintf("set %d", d.From), fmt.Sprintf("set %d", d.To)
	if d.From == 0 {
		from = "nothing published"
	}
	if d.To == 0 {
		to = "files"
	}
	fmt.Fprintf(&out, "%s: %s -> %s: %s\n", d.Workspace, from, to, d.Summary)
	for _, doc := range d.Documents {
		fmt.Fprintf(&out, "%-8s %s %s\n", doc.Change, doc.Kind, doc.Name)
		for _, f := range doc.Fields {
			before, after := shownPair(f.Old, f.New)
			if utf8.RuneCountInString(f.Path+before+after) > 100 {
				fmt.Fprintf(&out, "    %s:\n         %s\n      -> %s\n", f.Path, before, after)
				continue
			}
			fmt.Fprintf(&out, "    %s: %s -> %s\n", f.Path, before, after)
		}
	}
	_, err := s.Out.Write(out.Bytes())
	return err
}

// shownPair words an old and a new value so that they never look the same: texts
// as they are, or between quotes when that would hide a difference.
func shownPair(before, after json.RawMessage) (string, string) {
	a, b := shownValue(before, false), shownValue(after, false)
	if a == b {
		return shownValue(before, true), shownValue(after, true)
	}
	return a, b
}

// shownValue words one value. The line end after a block of text is not shown,
// unless exact.
func shownValue(raw json.RawMessage, exact bool) string {
	if raw == nil {
		return "(not set)"
	}
	var text string
	if json.Unmarshal(raw, &text) != nil || string(raw) == "null" {
		return string(raw)
	}
	plain := text
	if !exact {
		plain = strings.TrimSuffix(text, "\n")
	}
	hidden := func(r rune) bool { return !unicode.IsPrint(r) && r != '\u3000' }
	if exact || plain == "" || plain != strings.TrimSpace(plain) || strings.ContainsFunc(plain, hidden) {
		return strconv.Quote(text)
	}
	return plain
}

type historyCmd struct {
	server
	Workspace string `placeholder:"NAME" help:"Whose sets; needed with a key of the installation while there are several."`
	Limit     int    `default:"20" placeholder:"N" help:"How many at most."`
	JSON      bool   `name:"json" help:"Print JSON."`
}

// Run lists the published sets, newest first.
func (c *historyCmd) Run(ctx context.Context, s Streams) error {
	query := ofWorkspace(c.Workspace)
	query.Set("limit", strconv.Itoa(c.Limit))
	var raw json.RawMessage
	if err := c.call(ctx, http.MethodGet, "/api/v1/definitions", query, nil, &raw); err != nil {
		return err
	}
	if c.JSON {
		return printJSON(s.Out, raw)
	}
	var list struct {
		Published []struct {
			Sequence uint64 `json:"sequence"`
			At       string `json:"at"`
			Who      string `json:"who"`
			Why      string `json:"why"`
			Summary  string `json:"summary"`
			Counts   struct {
				Segments int `json:"segments"`
				Actions  int `json:"actions"`
			} `json:"counts"`
		} `json:"published"`
	}
	if err := json.Unmarshal(raw, &list); err != nil {
		return err
	}
	if len(list.Published) == 0 {
		_, err := fmt.Fprintln(s.Out, "nothing is published yet; kikubari apply does it")
		return err
	}
	out := tabwriter.NewWriter(s.Out, 2, 8, 2, ' ', 0)
	fmt.Fprintln(out, "SET\tAT\tWHO\tSEGMENTS\tACTIONS\tCHANGED\tWHY")
	for _, p := range list.Published {
		at, _, _ := strings.Cut(p.At, ".")
		if at != p.At {
			at += "Z"
		}
		fmt.Fprintf(out, "%d\t%s\t%s\t%d\t%d\t%s\t%s\n", p.Sequence, at, p.Who, p.Counts.Segments, p.Counts.Actions, p.Summary, oneLine(p.Why))
	}
	return out.Flush()
}

// oneLine keeps a text from breaking a table.
func oneLine(s string) string { return strings.Join(strings.Fields(s), " ") }

type rollbackCmd struct {
	server
	Set       uint64 `arg:"" help:"Number of the set to go back to."`
	Workspace string `placeholder:"NAME" help:"Whose set; needed with a key of the installation while there are several."`
	Why       string `placeholder:"TEXT" help:"Why, for the record of changes."`
	DryRun    bool   `help:"Check, and show what it would change."`
}

// Run publishes an earlier set again, as a new one.
func (c *rollbackCmd) Run(ctx context.Context, s Streams) error {
	in := map[string]any{"set": c.Set}
	if c.Why != "" {
		in["why"] = c.Why
	}
	if c.DryRun {
		in["dry_run"] = true
	}
	var out struct {
		Workspace string   `json:"workspace"`
		Sequence  uint64   `json:"sequence"`
		Warnings  []string `json:"warnings"`
	}
	if err := c.call(ctx, http.MethodPost, "/api/v1/definitions/rollback", ofWorkspace(c.Workspace), in, &out); err != nil {
		return err
	}
	for _, w := range out.Warnings {
		fmt.Fprintln(s.Err, "warning:", w)
	}
	if !c.DryRun {
		_, err := fmt.Fprintf(s.Out, "%s: set %d published: the same as set %d\n", out.Workspace, out.Sequence, c.Set)
		return err
	}
	var found comparison
	if err := c.call(ctx, http.MethodPost, "/api/v1/definitions/diff", ofWorkspace(c.Workspace), map[string]any{"to": c.Set}, &found); err != nil {
		return err
	}
	if err := found.print(s); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.Out, "\nset %d is good to publish again; nothing is changed yet\n", c.Set)
	return err
}
