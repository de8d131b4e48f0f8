package pipeline

import (
	"fmt"
	"slices"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/profile"
)

// Unmerges knows what un-merges carry of persons who have been erased. It is what
// blank needs to know of them.
type Unmerges struct {
	Erased func(cx.CustomerID) bool // whether a customer was, sooner or later
}

// Names calls found for every name in the body of an un-merge; theirs says that it
// is a name of somebody who was erased.
func (x Unmerges) Names(body []byte, found func(name string, theirs bool)) error {
	u, err := decodeUnmerge(body)
	if err != nil {
		return fmt.Errorf("un-merge: %w", err)
	}
	for _, p := range u.Parts {
		for _, n := range p.Customer.Identities {
			found(n.Value, x.Erased(p.Customer.ID))
		}
	}
	for i := range u.Facts {
		if f := &u.Facts[i]; !x.about(f) {
			for _, n := range [...]cx.Identity{f.Identity, f.Lead} {
				found(n.Value, false)
			}
			for _, state := range [...][]byte{f.WinnerBefore, f.LoserBefore} {
				c, err := profile.DecodeCustomer(state)
				if err != nil {
					return fmt.Errorf("un-merge: %w", err)
				}
				for _, n := range c.Identities {
					found(n.Value, false)
				}
			}
		}
	}
	return nil
}

// about reports whether a merge was of somebody who was erased: it goes with them.
func (x Unmerges) about(f *MergeFact) bool { return x.Erased(f.Winner) || x.Erased(f.Loser) }

// Blank returns a body of an un-merge in which of whoever was erased there is only
// who they are, with a token in the place of every name that has one. The other
// customers in it are what they were.
func (x Unmerges) Blank(body []byte, token func(name string) (string, bool)) ([]byte, error) {
	u, err := decodeUnmerge(body)
	if err != nil {
		return nil, fmt.Errorf("un-merge: %w", err)
	}
	if !slices.ContainsFunc(u.Parts, func(p profile.UnmergedPart) bool { return x.Erased(p.Customer.ID) }) &&
		!slices.ContainsFunc(u.Facts, func(f MergeFact) bool { return x.about(&f) }) {
		return body, nil
	}
	for i := range u.Parts {
		if p := &u.Parts[i]; x.Erased(p.Customer.ID) {
			p.Customer, p.Marks = bare(p.Customer, token), nil
		}
	}
	for i := range u.Facts {
		f := &u.Facts[i]
		if !x.about(f) {
			continue
		}
		f.Identity, f.Lead = pseudonym(f.Identity, token), pseudonym(f.Lead, token)
		for _, state := range [...]*[]byte{&f.WinnerBefore, &f.LoserBefore} {
			c, err := profile.DecodeCustomer(*state)
			if err != nil {
				return nil, fmt.Errorf("un-merge: %w", err)
			}
			*state = profile.AppendCustomer(nil, bare(c, token))
		}
	}
	return encodeUnmerge(u), nil
}

// bare returns a customer of whom only the names are known.
func bare(c *cx.Customer, token func(string) (string, bool)) *cx.Customer {
	out := &cx.Customer{ID: c.ID, Workspace: c.Workspace, CreatedAt: c.CreatedAt, Flags: c.Flags}
	for _, n := range c.Identities {
		out.Identities = append(out.Identities, pseudonym(n, token))
	}
	return out
}

func pseudonym(n cx.Identity, token func(string) (string, bool)) cx.Identity {
	if t, ok := token(n.Value); ok {
		n.Value = t
	}
	return n
}
