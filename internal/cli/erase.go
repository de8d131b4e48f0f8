package cli

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

type eraseCmd struct {
	person
	Why    string `placeholder:"TEXT" help:"Why, for the record of changes, which is kept for ever: name nobody in it."`
	DryRun bool   `help:"Only say whom, and how much there is."`
	Yes    bool   `help:"Do not ask."`
}

// shownErasure is the receipt of an erasure.
type shownErasure struct {
	ID        string   `json:"id"`
	Workspace string   `json:"workspace"`
	Customers []string `json:"customers"`
	State     string   `json:"state"`
	ErasedAt  string   `json:"erased_at"`
	Rows      int64    `json:"rows"`
}

// Run has a person forgotten, after a last question.
func (c *eraseCmd) Run(ctx context.Context, s Streams) error {
	id, err := c.resolve(ctx)
	if err != nil {
		return err
	}
	path := "/api/v1/customers/" + url.PathEscape(id) + "/erase"
	var found shownErasure
	if err := c.call(ctx, http.MethodPost, path, c.query(), map[string]any{"dry_run": true}, &found); err != nil {
		return err
	}
	fmt.Fprintf(s.Out, "Customer %s of workspace %s; merged into it: %d; rows in the warehouse: %d.\n", found.Customers[0], found.Workspace, len(found.Customers)-1, found.Rows)
	if c.DryRun {
		return nil
	}
	if !c.Yes {
		fmt.Fprint(s.Out, "This cannot be undone. Type the customer's id to erase this person: ")
		line, err := bufio.NewReader(s.In).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if strings.TrimSpace(line) != found.Customers[0] {
			return errors.New("nothing was erased: that is not the id; --yes does not ask for it")
		}
	}
	in := map[string]any{}
	if c.Why != "" {
		in["why"] = c.Why
	}
	var done shownErasure
	if err := c.call(ctx, http.MethodPost, path, c.query(), in, &done); err != nil {
		return err
	}
	if done.ErasedAt == "" {
		_, err = fmt.Fprintf(s.Out, "The person is forgotten, and what is left to be done is done by itself; the receipt, kikubari erasures %s, says how far it is.\n", done.ID)
		return err
	}
	_, err = fmt.Fprintf(s.Out, "Erased at %s; the receipt is kikubari erasures %s. It says when the files of journal and archive are clean too; backups made before still hold the person.\n", done.ErasedAt, done.ID)
	return err
}

type erasuresCmd struct {
	inWorkspace
	ID string `arg:"" optional:"" help:"Id of one erasure, e_…"`
}

// Run prints the receipts of erasures.
func (c *erasuresCmd) Run(ctx context.Context, s Streams) error {
	path := "/api/v1/erasures"
	if c.ID != "" {
		path += "/" + url.PathEscape(c.ID)
	}
	var out json.RawMessage
	if err := c.call(ctx, http.MethodGet, path, c.query(), nil, &out); err != nil {
		return err
	}
	return printJSON(s.Out, out)
}
