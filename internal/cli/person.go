package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"strings"
)

// person is who a command is about.
type person struct {
	inWorkspace
	ID        string `arg:"" optional:"" help:"Id of the customer, c_…; or name one by an identity."`
	User      string `placeholder:"ID" help:"Who has this user id."`
	Claimed   string `placeholder:"ID" help:"Who claimed this user id in a browser."`
	Mail      string `placeholder:"ADDRESS" help:"Who has this mail address, where it may merge customers."`
	Phone     string `placeholder:"NUMBER" help:"Who has this phone number, where it may merge customers."`
	Line      string `placeholder:"ID" help:"Who has this LINE user id."`
	Anonymous string `placeholder:"ID" help:"Who has this anonymous id."`
}

// resolve returns the customer's id.
func (p *person) resolve(ctx context.Context) (string, error) {
	show := customerShow{inWorkspace: p.inWorkspace, ID: p.ID, User: p.User, Claimed: p.Claimed, Mail: p.Mail, Phone: p.Phone, Line: p.Line, Anonymous: p.Anonymous}
	path, query, err := show.where()
	if err != nil {
		return "", err
	}
	var who foundCustomer
	err = p.call(ctx, http.MethodGet, path, query, nil, &who)
	return who.ID, err
}

// foundCustomer is all that is wanted of a customer who is looked up.
type foundCustomer struct {
	ID string `json:"id"`
}

type personCmd struct {
	person
	Output string `short:"o" placeholder:"FILE" help:"Where to write it; standard output when not given."`
	Why    string `placeholder:"TEXT" help:"Why, for the record of changes."`
}

// Run writes everything that is kept about a person.
func (c *personCmd) Run(ctx context.Context, s Streams) (err error) {
	id, err := c.resolve(ctx)
	if err != nil {
		return err
	}
	q := c.query()
	if c.Why != "" {
		q.Set("why", c.Why)
	}
	if c.Output == "" {
		return c.download(ctx, "/api/v1/customers/"+url.PathEscape(id)+"/export", q, s.Out)
	}
	f, err := os.OpenFile(c.Output, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	err = errors.Join(c.download(ctx, "/api/v1/customers/"+url.PathEscape(id)+"/export", q, f), f.Close())
	if err != nil {
		return errors.Join(err, os.Remove(c.Output))
	}
	_, err = fmt.Fprintf(s.Out, "Everything that is kept about %s is in %s.\n", id, c.Output)
	return err
}

// download writes an answer of any size to out, and fails unless it is whole JSON.
func (s *server) download(ctx context.Context, path string, query url.Values, out io.Writer) error {
	if s.Key == "" {
		return errors.New("no key: give --key or set KIKUBARI_KEY; the first start of the server printed the admin key")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, strings.TrimSuffix(s.Server, "/")+path+"?"+query.Encode(), nil)
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+s.Key)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return fmt.Errorf("no answer from %s: is the server running? (%w)", s.Server, err)
	}
	defer res.Body.Close()
	if res.StatusCode >= 400 {
		b, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
		if err != nil {
			return err
		}
		return refusal(res.StatusCode, b)
	}
	if _, err := io.Copy(out, res.Body); err != nil {
		return fmt.Errorf("the answer broke off, try again: %w", err)
	}
	return nil
}
