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
	"text/tabwriter"
)

type customerCmd struct {
	Show    customerShow    `cmd:"" help:"Show all that is known of a customer."`
	Merge   customerMerge   `cmd:"" help:"Make two customers one."`
	Unmerge customerUnmerge `cmd:"" help:"Undo a merge: both are again, each with what was told by it since."`

	Quarantine quarantineCmd `cmd:"" help:"Values seen on too many users, which link nobody any more."`
}

// inWorkspace is part of every command about customers.
type inWorkspace struct {
	server
	Workspace string `placeholder:"NAME" help:"Needed with a key of the installation."`
}

func (c *inWorkspace) query() url.Values {
	q := url.Values{}
	if c.Workspace != "" {
		q.Set("workspace", c.Workspace)
	}
	return q
}

type customerShow struct {
	inWorkspace
	ID        string `arg:"" optional:"" help:"Id of the customer, c_…; or name one by an identity."`
	User      string `placeholder:"ID" help:"Who has this user id."`
	Claimed   string `placeholder:"ID" help:"Who claimed this user id in a browser."`
	Mail      string `placeholder:"ADDRESS" help:"Who has this mail address, where it may merge customers."`
	Phone     string `placeholder:"NUMBER" help:"Who has this phone number, where it may merge customers."`
	Line      string `placeholder:"ID" help:"Who has this LINE user id."`
	Anonymous string `placeholder:"ID" help:"Who has this anonymous id."`
	JSON      bool   `name:"json" help:"As JSON."`
}

type shownIdentity struct {
	Namespace string `json:"namespace"`
	Value     string `json:"value"`
}

func (i shownIdentity) String() string { return i.Namespace + " " + i.Value }

// shownCustomer is what is shown of a customer, in the order in which it is.
type shownCustomer struct {
	ID         string          `json:"id"`
	CreatedAt  string          `json:"created_at"`
	LastSeen   string          `json:"last_seen"`
	Identities []shownIdentity `json:"identities"`
	Segments   []string        `json:"segments"`
	Session    struct {
		Number  uint32 `json:"number"`
		Events  uint32 `json:"events"`
		Start   string `json:"start"`
		Running bool   `json:"running"`
	} `json:"session"`
	Traits []struct {
		Name  string          `json:"name"`
		Value json.RawMessage `json:"value"`
		At    string          `json:"at"`
	} `json:"traits"`
	Consent []struct {
		Purpose string `json:"purpose"`
		Channel string `json:"channel"`
		Allowed bool   `json:"allowed"`
		At      string `json:"at"`
	} `json:"consent"`
	Statistics []struct {
		Statistic string          `json:"statistic"`
		Value     json.RawMessage `json:"value"`
		Unknown   bool            `json:"unknown"`
		Filling   *int            `json:"filling"`
		Since     string          `json:"since"`
	} `json:"statistics"`
	Ledger []struct {
		Decision string `json:"decision"`
		Action   string `json:"action"`
		Place    string `json:"place"`
		State    string `json:"state"`
		At       string `json:"at"`
	} `json:"ledger"`
}

type shownSide struct {
	ID         string          `json:"id"`
	Identities []shownIdentity `json:"identities"`
}

type shownMerge struct {
	Position string         `json:"position"`
	At       string         `json:"at"`
	Reason   string         `json:"reason"`
	Link     *shownIdentity `json:"link"`
	Winner   shownSide      `json:"winner"`
	Loser    shownSide      `json:"loser"`
	Undone   string         `json:"undone"`
}

// Run asks for the customer and the merges that made it, and prints both.
func (c *customerShow) Run(ctx context.Context, s Streams) error {
	path, query, err := c.where()
	if err != nil {
		return err
	}
	var raw json.RawMessage
	if err := c.call(ctx, http.MethodGet, path, query, nil, &raw); err != nil {
		return err
	}
	var who shownCustomer
	if err := json.Unmarshal(raw, &who); err != nil {
		return err
	}
	var merges struct {
		Merges json.RawMessage `json:"merges"`
	}
	if err := c.call(ctx, http.MethodGet, "/api/v1/customers/"+url.PathEscape(who.ID)+"/merges", c.query(), nil, &merges); err != nil {
		return err
	}
	if c.JSON {
		both, err := json.Marshal(map[string]json.RawMessage{"customer": raw, "merges": merges.Merges})
		if err != nil {
			return err
		}
		return printJSON(s.Out, both)
	}
	var list []shownMerge
	if err := json.Unmarshal(merges.Merges, &list); err != nil {
		return err
	}
	return who.print(s.Out, list)
}

// where returns the path and the query that ask for the customer.
func (c *customerShow) where() (path string, query url.Values, err error) {
	query = c.query()
	named := 0
	for _, by := range [...]shownIdentity{
		{"user_id", c.User}, {"claimed_user_id", c.Claimed}, {"mail", c.Mail}, {"phone", c.Phone}, {"line_user_id", c.Line}, {"anonymous_id", c.Anonymous},
	} {
		if by.Value != "" {
			named++
			query.Set("namespace", by.Namespace)
			query.Set("value", by.Value)
		}
	}
	switch {
	case c.ID != "" && named == 0:
		return "/api/v1/customers/" + url.PathEscape(c.ID), query, nil
	case c.ID == "" && named == 1:
		return "/api/v1/customers/lookup", query, nil
	}
	return "", nil, errors.New("name one customer: by id, or by --user, --claimed, --mail, --phone, --line or --anonymous")
}

func (c *shownCustomer) print(out io.Writer, merges []shownMerge) error {
	w := tabwriter.NewWriter(out, 2, 8, 2, ' ', 0)
	seen := "not active yet"
	if c.LastSeen != "" {
		seen = "last seen " + c.LastSeen
	}
	fmt.Fprintf(w, "%s\tsince %s, %s\n", c.ID, c.CreatedAt, seen)
	for _, i := range c.Identities {
		fmt.Fprintf(w, "identity\t%s\n", i)
	}
	for _, name := range c.Segments {
		fmt.Fprintf(w, "segment\t%s\n", name)
	}
	if c.Session.Number > 0 {
		state := "ended"
		if c.Session.Running {
			state = "running"
		}
		fmt.Fprintf(w, "session\tnumber %d, %s, since %s, %d events\n", c.Session.Number, state, c.Session.Start, c.Session.Events)
	}
	for _, t := range c.Traits {
		fmt.Fprintf(w, "trait\t%s = %s\n", t.Name, t.Value)
	}
	for _, g := range c.Consent {
		answer, channel := "refused", ""
		if g.Allowed {
			answer = "allowed"
		}
		if g.Channel != "" {
			channel = " by " + g.Channel
		}
		fmt.Fprintf(w, "consent\t%s%s %s at %s\n", g.Purpose, channel, answer, g.At)
	}
	for _, x := range c.Statistics {
		switch {
		case x.Filling != nil:
			fmt.Fprintf(w, "statistic\t%s: back-filling %d %%\n", x.Statistic, *x.Filling)
		case x.Unknown:
			fmt.Fprintf(w, "statistic\t%s cannot be known\n", x.Statistic)
		case x.Since != "":
			fmt.Fprintf(w, "statistic\t%s = %s, counted since %s\n", x.Statistic, x.Value, x.Since)
		default:
			fmt.Fprintf(w, "statistic\t%s = %s\n", x.Statistic, x.Value)
		}
	}
	for _, l := range c.Ledger {
		fmt.Fprintf(w, "said\t%s %s at %s, %s at %s\n", l.Decision, l.Action, l.Place, l.State, l.At)
	}
	for _, m := range merges {
		fmt.Fprintf(w, "merge\t%s\n", m)
	}
	return w.Flush()
}

func (m shownMerge) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s at %s: %s (%s) took %s (%s), by %s", m.Position, m.At, m.Winner.ID, m.Winner.names(), m.Loser.ID, m.Loser.names(), m.Reason)
	if m.Link != nil {
		fmt.Fprintf(&b, ", both had %s", m.Link)
	}
	if m.Undone != "" {
		fmt.Fprintf(&b, "; undone at %s", m.Undone)
	}
	return b.String()
}

func (m *shownSide) names() string {
	names := make([]string, len(m.Identities))
	for i, n := range m.Identities {
		names[i] = n.String()
	}
	if len(names) == 0 {
		return "nobody yet"
	}
	return strings.Join(names, ", ")
}

type customerMerge struct {
	inWorkspace
	A   string `arg:"" help:"Id of a customer, c_…"`
	B   string `arg:"" help:"Id of the other."`
	Why string `required:"" placeholder:"TEXT" help:"Why, for the record of changes."`
}

// Run merges the two and says who they are now.
func (c *customerMerge) Run(ctx context.Context, s Streams) error {
	var done struct {
		Customer string `json:"customer"`
		Position string `json:"position"`
	}
	in := map[string]string{"with": c.B, "why": c.Why}
	if err := c.call(ctx, http.MethodPost, "/api/v1/customers/"+url.PathEscape(c.A)+"/merge", c.query(), in, &done); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.Out, "%s and %s are %s now, merged at %s\n", c.A, c.B, done.Customer, done.Position)
	return err
}

type customerUnmerge struct {
	inWorkspace
	ID     string `arg:"" help:"Id of the customer, c_…"`
	Merge  string `placeholder:"POSITION" help:"Which merge, as customer show names it; the last one when not given."`
	From   string `placeholder:"ID" help:"Instead: the merge with this customer."`
	Why    string `required:"" placeholder:"TEXT" help:"Why, for the record of changes."`
	DryRun bool   `help:"Only say what would come of it."`
	Yes    bool   `help:"Do not ask."`
}

type unmerged struct {
	Merge     string `json:"merge"`
	Position  string `json:"position"`
	Customers []struct {
		shownSide
		Moved  int `json:"moved"`
		Traits []struct {
			Name  string          `json:"name"`
			Value json.RawMessage `json:"value"`
		} `json:"traits"`
	} `json:"customers"`
}

// Run shows what would come of it, asks, and undoes the merge.
func (c *customerUnmerge) Run(ctx context.Context, s Streams) error {
	found, err := c.ask(ctx, true)
	if err != nil {
		return err
	}
	if err := found.print(s.Out); err != nil || c.DryRun {
		return err
	}
	if !c.Yes {
		fmt.Fprint(s.Err, "Undo the merge? [y/N] ")
		answer, err := bufio.NewReader(s.In).ReadString('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return err
		}
		if answer = strings.ToLower(strings.TrimSpace(answer)); answer != "y" && answer != "yes" {
			return errors.New("nothing is changed")
		}
	}
	c.Merge = found.Merge // the one that was shown
	done, err := c.ask(ctx, false)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(s.Out, "undone at %s\n", done.Position)
	return err
}

func (c *customerUnmerge) ask(ctx context.Context, dry bool) (*unmerged, error) {
	in := map[string]any{"dry_run": dry, "why": c.Why}
	if c.Merge != "" {
		in["merge"] = c.Merge
	}
	if c.From != "" {
		in["from"] = c.From
	}
	out := new(unmerged)
	err := c.call(ctx, http.MethodPost, "/api/v1/customers/"+url.PathEscape(c.ID)+"/unmerge", c.query(), in, out)
	return out, err
}

func (u *unmerged) print(out io.Writer) error {
	w := tabwriter.NewWriter(out, 2, 8, 2, ' ', 0)
	fmt.Fprintf(w, "the merge at %s\n", u.Merge)
	for _, c := range u.Customers {
		fmt.Fprintf(w, "%s\t%s; %d events since are its own again\n", c.ID, c.names(), c.Moved)
		for _, t := range c.Traits {
			fmt.Fprintf(w, "\ttrait %s = %s\n", t.Name, t.Value)
		}
	}
	return w.Flush()
}

type quarantineCmd struct {
	List    quarantineList    `cmd:"" help:"List the values in quarantine."`
	Release quarantineRelease `cmd:"" help:"Make one an ordinary value again."`
}

type quarantineList struct{ inWorkspace }

// Run lists the values in quarantine.
func (c *quarantineList) Run(ctx context.Context, s Streams) error {
	var out struct {
		Quarantined []struct {
			shownIdentity
			At       string   `json:"at"`
			Seen     []string `json:"seen"`
			Customer string   `json:"customer"`
		} `json:"quarantined"`
	}
	if err := c.call(ctx, http.MethodGet, "/api/v1/customers/quarantine", c.query(), nil, &out); err != nil {
		return err
	}
	w := tabwriter.NewWriter(s.Out, 2, 8, 2, ' ', 0)
	for _, q := range out.Quarantined {
		fmt.Fprintf(w, "%s\tsince %s\tof its own: %s\tseen on %s\n", q.shownIdentity, q.At, q.Customer, strings.Join(q.Seen, ", "))
	}
	return w.Flush()
}

type quarantineRelease struct {
	inWorkspace
	Namespace string `arg:"" enum:"line_user_id,mail,phone,anonymous_id" help:"line_user_id, mail, phone or anonymous_id."`
	Value     string `arg:"" help:"The value."`
	Why       string `required:"" placeholder:"TEXT" help:"Why, for the record of changes."`
}

// Run releases the value.
func (c *quarantineRelease) Run(ctx context.Context, s Streams) error {
	in := map[string]string{"namespace": c.Namespace, "value": c.Value, "why": c.Why}
	if err := c.call(ctx, http.MethodPost, "/api/v1/customers/quarantine/release", c.query(), in, nil); err != nil {
		return err
	}
	_, err := fmt.Fprintf(s.Out, "%s %s is an ordinary value again\n", c.Namespace, c.Value)
	return err
}
