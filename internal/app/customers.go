package app

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
)

// customers answers what is known of people now, from the lanes.
type customers struct{ *App }

// Recent makes customers an api.Customers.
func (c customers) Recent(ctx context.Context, w cx.Workspace, n int) ([]api.CustomerSummary, error) {
	events, err := c.house.Recent(ctx, w, 20*n)
	if err != nil {
		return nil, err
	}
	var out []api.CustomerSummary
	known := map[string]bool{}
	for _, e := range events {
		if len(out) == n {
			break
		}
		id, ok := cx.ParseCustomerID(e.Customer)
		if !ok || known[e.Customer] {
			continue
		}
		full, err := c.Customer(ctx, w, id)
		if cx.KindOf(err) == cx.NotFound && err != nil {
			continue // the row is newer than the checkpoint of a restart
		} else if err != nil {
			return nil, err
		}
		known[e.Customer] = true
		if !known[full.ID] || full.ID == e.Customer {
			known[full.ID] = true
			full.LastEvent = e.Name
			out = append(out, full.CustomerSummary)
		}
	}
	slices.SortStableFunc(out, func(a, b api.CustomerSummary) int { return cmp.Compare(b.LastSeen, a.LastSeen) })
	return out, nil
}

// Customer makes customers an api.Customers.
func (c customers) Customer(ctx context.Context, w cx.Workspace, id cx.CustomerID) (out api.Customer, err error) {
	seen, theirs := false, w
	look := func(who *cx.Customer, set *definition.Set, stats cx.Statistics, now cx.Instant) {
		if seen = w == who.Workspace || w == access.Everywhere; seen {
			out, theirs = customerOf(who, set, stats, now), who.Workspace
		}
	}
	for { // again when it was merged between the question and the answer
		current := c.shard.Current(id)
		if err = c.shard.Inspect(ctx, current, look); cx.KindOf(err) != cx.NotFound || c.shard.Current(id) == current {
			break
		}
	}
	if err == nil && seen {
		c.noteBackfills(theirs, out.Statistics)
	}
	if err == nil && !seen {
		err = cx.E(cx.NotFound, "", "there is no customer "+id.String())
	}
	return out, err
}

// customerOf copies what a page shows of a customer.
func customerOf(c *cx.Customer, set *definition.Set, stats cx.Statistics, now cx.Instant) api.Customer {
	out := api.Customer{CustomerSummary: api.CustomerSummary{
		ID: c.ID.String(), LastSeen: api.TimeOf(c.LastSeen), Segments: set.Segments.Names(c),
		Session: api.Visit{Number: c.Session.Number, Events: c.Session.Events, Start: api.TimeOf(c.Session.Start), Running: c.InSession(now)},
	}, CreatedAt: api.TimeOf(c.CreatedAt)}
	for _, i := range c.Identities {
		out.Identities = append(out.Identities, api.Identity{Namespace: i.Namespace.String(), Value: i.Value})
	}
	for _, t := range c.Traits {
		if len(t.Raw) > 0 {
			out.Traits = append(out.Traits, api.Trait{Name: t.Name, Value: json.RawMessage(slices.Clone(t.Raw)), At: api.TimeOf(t.At)})
		}
	}
	for _, g := range c.Consent {
		out.Consent = append(out.Consent, api.Grant{Purpose: string(g.Purpose), Channel: string(g.Channel), Allowed: g.Allowed, At: api.TimeOf(g.At)})
	}
	for _, s := range set.Statistics {
		v := stats.Value(s.Slot)
		out.Statistics = append(out.Statistics, api.Statistic{Statistic: s.Spec.String(), Value: plain(v), Unknown: v.Kind == cx.Unknown})
	}
	for i := range c.Ledger {
		l := &c.Ledger[i]
		out.Ledger = append(out.Ledger, api.Attention{
			Decision: l.Decision.String(), Action: l.Action(), Place: l.Place(), State: l.State.String(), At: api.TimeOf(l.At), ShownAt: api.TimeOf(l.ShownAt),
		})
	}
	return out
}

// plain turns a value into what encodes as the obvious JSON. It copies, because
// the value may alias memory of a lane.
func plain(v cx.Value) any {
	switch v.Kind {
	case cx.Bool:
		return v.IsTrue()
	case cx.Number:
		return v.Float()
	case cx.Text:
		return string([]byte(v.Str()))
	case cx.Time:
		return v.Instant().String()
	case cx.List, cx.Map:
		return json.RawMessage(v.Str())
	default:
		return nil
	}
}
