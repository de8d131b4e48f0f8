package app

import (
	"context"
	"log/slog"
	"time"

	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/profile"
)

// identities answers who is who, from the machine, and has it put right.
type identities struct{ *App }

// Find makes identities an api.Identities.
func (i identities) Find(_ context.Context, w cx.Workspace, id cx.Identity) (cx.CustomerID, error) {
	given := id.Value
	switch id.Namespace {
	case cx.Mail:
		id.Value = profile.Mail(id.Value)
	case cx.Phone:
		id.Value = profile.Phone(id.Value)
	case cx.UserID, cx.ClaimedUserID, cx.LineUserID, cx.AnonymousID:
	}
	if id.Value == "" {
		return 0, cx.E(cx.Invalid, "", given+" is no "+id.Namespace.String()+": a phone number begins with + and its country")
	}
	found := i.shard.Lookup(w, id)
	if found == 0 {
		return 0, cx.E(cx.NotFound, "", "nobody has the "+id.Namespace.String()+" "+id.Value+i.instead(w, id))
	}
	return found, nil
}

// instead says what to look for where nobody has an identity.
func (i identities) instead(w cx.Workspace, id cx.Identity) string {
	switch id.Namespace {
	case cx.Mail, cx.Phone:
		return "; customers are found by it only where the workspace's merge_on lists " + id.Namespace.String()
	case cx.UserID:
		if claims := i.shard.Lookup(w, cx.Identity{Namespace: cx.ClaimedUserID, Value: id.Value}); claims != 0 {
			return "; " + claims.String() + " claims it: a browser said so, and neither a server nor a signature has confirmed it"
		}
	case cx.ClaimedUserID:
		if has := i.shard.Lookup(w, cx.Identity{Namespace: cx.UserID, Value: id.Value}); has != 0 {
			return "; " + has.String() + " has it as user_id"
		}
	case cx.LineUserID, cx.AnonymousID:
	}
	return ""
}

// Merges makes identities an api.Identities.
func (i identities) Merges(ctx context.Context, w cx.Workspace, id cx.CustomerID) ([]api.Merge, error) {
	if err := i.ofWorkspace(ctx, w, id); err != nil {
		return nil, err
	}
	if err := i.shard.Flush(ctx); err != nil {
		return nil, err
	}
	facts, err := i.shard.Merges(ctx, id)
	if err != nil {
		return nil, err
	}
	out := make([]api.Merge, len(facts))
	for n := range facts {
		if out[n], err = mergeOf(&facts[n]); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func mergeOf(f *pipeline.MergeFact) (m api.Merge, err error) {
	m = api.Merge{Position: f.Position.String(), At: api.TimeOf(f.At), Reason: f.Reason}
	if f.Identity.Namespace != 0 {
		m.Link = &api.Identity{Namespace: f.Identity.Namespace.String(), Value: f.Identity.Value}
	}
	if f.Undone != 0 {
		m.Undone = f.Undone.String()
	}
	if m.Winner, err = sideBefore(f.Winner, f.WinnerBefore); err != nil {
		return m, err
	}
	m.Loser, err = sideBefore(f.Loser, f.LoserBefore)
	return m, err
}

func sideBefore(id cx.CustomerID, state []byte) (api.MergedSide, error) {
	c, err := profile.DecodeCustomer(state)
	if err != nil {
		return api.MergedSide{}, err
	}
	return api.MergedSide{ID: id.String(), Identities: identitiesOf(c)}, nil
}

func identitiesOf(c *cx.Customer) []api.Identity {
	out := make([]api.Identity, len(c.Identities))
	for i, n := range c.Identities {
		out[i] = api.Identity{Namespace: n.Namespace.String(), Value: n.Value}
	}
	return out
}

// ofWorkspace fails with kind NotFound unless the workspace has the customer.
func (i identities) ofWorkspace(ctx context.Context, w cx.Workspace, ids ...cx.CustomerID) error {
	for _, id := range ids {
		own := false
		err := i.shard.Inspect(ctx, i.shard.Current(id), func(c *cx.Customer, _ *definition.Set, _ cx.Statistics, _ cx.Instant) { own = c.Workspace == w })
		if err != nil {
			return err
		}
		if !own {
			return cx.E(cx.NotFound, "", "there is no customer "+id.String())
		}
	}
	return nil
}

// commandWithin is how long an operator waits for the machine.
const commandWithin = 30 * time.Second

// Merge makes identities an api.Identities.
func (i identities) Merge(ctx context.Context, m api.ToMerge) (api.Merged, error) {
	ctx, cancel := context.WithTimeout(ctx, commandWithin)
	defer cancel()
	if err := i.ofWorkspace(ctx, m.Workspace, m.A, m.B); err != nil {
		return api.Merged{}, err
	}
	done, err := i.shard.Command(ctx, &cx.Command{
		Kind: cx.CommandMerge, Workspace: m.Workspace, Who: m.Who, Why: m.Why, Body: cx.AppendPair(nil, m.A, m.B),
	})
	if err != nil {
		return api.Merged{}, err
	}
	return api.Merged{Customer: i.shard.Current(m.A).String(), Position: done.Position.String(), At: api.TimeOf(done.At)}, nil
}

// Unmerge makes identities an api.Identities.
func (i identities) Unmerge(ctx context.Context, u api.ToUnmerge) (api.Unmerged, error) {
	ctx, cancel := context.WithTimeout(ctx, commandWithin)
	defer cancel()
	if err := i.ofWorkspace(ctx, u.Workspace, u.Customer); err != nil {
		return api.Unmerged{}, err
	}
	done, err := i.shard.Unmerge(ctx, i.house, pipeline.ToUnmerge(u))
	if err != nil {
		return api.Unmerged{}, err
	}
	out := api.Unmerged{Merge: done.Fact.Position.String(), At: api.TimeOf(done.At)}
	if done.Position != 0 {
		out.Position = done.Position.String()
	}
	now := i.shard.Progress().Time
	for _, p := range done.Found.Parts {
		out.Customers = append(out.Customers, unmergedSide(done, p.Customer, now))
	}
	return out, nil
}

func unmergedSide(done *pipeline.Undone, c *cx.Customer, now cx.Instant) api.UnmergedSide {
	full := customerOf(c, done.Set, new(profile.Folder).View(done.Plan, c, now), now)
	side := api.UnmergedSide{
		MergedSide: api.MergedSide{ID: full.ID, Identities: identitiesOf(c)},
		LastSeen:   full.LastSeen, Traits: full.Traits, Consent: full.Consent, Statistics: full.Statistics,
	}
	for _, e := range done.Found.Events {
		if e.Customer == c.ID {
			side.Moved++
		}
	}
	return side
}

// Quarantined makes identities an api.Identities.
func (i identities) Quarantined(_ context.Context, w cx.Workspace) ([]api.Quarantined, error) {
	var out []api.Quarantined
	for _, x := range i.shard.Quarantined(w) {
		q := api.Quarantined{
			Identity: api.Identity{Namespace: x.Identity.Namespace.String(), Value: x.Identity.Value},
			At:       api.TimeOf(x.Identity.Since), Position: x.Since.String(), Customer: x.Own.String(),
		}
		for _, id := range x.Seen {
			q.Seen = append(q.Seen, id.String())
		}
		out = append(out, q)
	}
	return out, nil
}

// Release makes identities an api.Identities.
func (i identities) Release(ctx context.Context, r api.ToRelease) (api.Released, error) {
	ctx, cancel := context.WithTimeout(ctx, commandWithin)
	defer cancel()
	done, err := i.shard.Release(ctx, r.Workspace, r.Identity, r.Who, r.Why)
	return api.Released{Position: done.Position.String(), At: api.TimeOf(done.At)}, err
}

// undoQuarantined undoes what values linked before they came into quarantine. At
// the start it looks at all of them: the program may have ended in between.
func (a *App) undoQuarantined(ctx context.Context) {
	looked := map[cx.HashKey]cx.Position{}
	seen := 0
	ticker := time.NewTicker(time.Second)
	defer ticker.Stop()
	for {
		select {
		case <-ticker.C:
		case <-ctx.Done():
			return
		}
		n := a.shard.Quarantines()
		if n == seen || !a.caught.Load() {
			continue
		}
		seen = n
		for _, w := range a.keys.Ring().Workspaces() {
			for _, x := range a.shard.Quarantined(w.Slug) {
				key := x.Identity.Hash(x.Workspace)
				if looked[key] == x.Since {
					continue
				}
				undone, err := a.shard.UndoLinks(ctx, a.house, x)
				if err != nil {
					seen = -1 // look again
					if ctx.Err() == nil {
						a.log.WarnContext(ctx, "what a value in quarantine had linked could not be undone yet", slog.String("namespace", x.Identity.Namespace.String()), slog.Any("error", err))
					}
					continue
				}
				looked[key] = x.Since
				a.log.InfoContext(ctx, "a value was seen on too many users: it links nobody any more",
					slog.String("workspace", string(x.Workspace)), slog.String("namespace", x.Identity.Namespace.String()), slog.Int("users", len(x.Seen)), slog.Int("merges_undone", undone))
			}
		}
	}
}
