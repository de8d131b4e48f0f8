package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/fault"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// erasing has persons forgotten, one at a time.
type erasing struct {
	*App

	mu    sync.Mutex // held while somebody is erased
	files sync.Mutex // held, before mu, while files forget whoever was erased

	late  atomic.Int64           // how many persons some file holds for too long
	wrong atomic.Pointer[string] // and why; nil when there is none

	hidden struct { // what the log holds of erased persons
		sync.RWMutex
		tombstones
	}
}

// load reads the tombstones.
func (e *erasing) load(ctx context.Context) error {
	t, err := readTombstones(ctx, e.control)
	if err != nil {
		return err
	}
	e.hidden.Lock()
	defer e.hidden.Unlock()
	e.hidden.tombstones = t
	return nil
}

// hides reports whether an event at a position names somebody who was erased
// behind it.
func (e *erasing) hides(at cx.Position, ev *cx.Event) bool {
	e.hidden.RLock()
	defer e.hidden.RUnlock()
	return e.hidden.hides(at, ev)
}

// Erase makes erasing an api.Erasures. What it has begun is finished later, should
// it fail or the program end meanwhile.
func (e *erasing) Erase(ctx context.Context, who api.ToErase) (api.Erasure, error) {
	if err := e.alone(ctx); err != nil {
		return api.Erasure{}, err
	}
	defer e.mu.Unlock()
	if err := e.saved(ctx); err != nil {
		return api.Erasure{}, err
	}
	c, names, err := e.person(ctx, who.Workspace, who.Customer)
	if err != nil {
		return api.Erasure{}, err
	}
	c.Who, c.AskedAt, c.ID = who.Who, now(), "e_"+strings.ToLower(rand.Text()[:16])
	if who.DryRun {
		out := e.receipt(c)
		out.ID, out.State, out.AskedAt, out.Log, out.Stores = "", "dry_run", "", "kept", nil
		out.Rows, err = e.house.CountOf(ctx, c.Customers)
		return out, err
	}
	stones, err := e.mark(ctx, c, names)
	if err != nil {
		return api.Erasure{}, err
	}
	if err := e.control.AddErasure(ctx, c, stones); err != nil {
		return api.Erasure{}, err
	}
	fault.Point("erase.begun")
	err = e.carryOut(ctx, c)
	if err != nil && c.Position != 0 { // the person is forgotten; the rest is done by itself
		e.log.ErrorContext(ctx, "an erasure is not finished yet, it goes on by itself", slog.String("erasure", c.ID), slog.Any("error", err))
		err = nil
	}
	return e.receipt(c), err
}

// alone locks mu, for which a backup may keep one waiting long.
func (e *erasing) alone(ctx context.Context) error {
	for limit := time.Now().Add(20 * time.Second); !e.mu.TryLock(); {
		if time.Now().After(limit) {
			return cx.E(cx.Unavailable, "", "a backup is being made, or somebody else is being erased: try again when that has ended")
		}
		select {
		case <-time.After(10 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return nil
}

// mark makes tombstones of the names of a person, and drops refused input in which
// they stand.
func (e *erasing) mark(ctx context.Context, c *sqlite.Erasure, names []cx.Identity) ([]sqlite.Tombstone, error) {
	stones := make([]sqlite.Tombstone, len(names))
	values := make([]string, len(names))
	e.hidden.RLock()
	for i, n := range names {
		stones[i], values[i] = sqlite.Bury(e.hidden.salt, c.Workspace, n), n.Value
	}
	e.hidden.RUnlock()
	refused, err := e.control.EraseRefused(ctx, c.Workspace, values)
	c.Refused += refused
	return stones, err
}

// person returns whom an erasure is about and by which names the person is known.
func (e *erasing) person(ctx context.Context, w cx.Workspace, id cx.CustomerID) (*sqlite.Erasure, []cx.Identity, error) {
	id = e.shard.Current(id)
	var names []cx.Identity
	own := false
	err := e.shard.Inspect(ctx, id, func(c *cx.Customer, _ *definition.Set, _ cx.Statistics, _ cx.Instant) {
		own = c.Workspace == w
		for _, i := range c.Identities {
			names = append(names, cx.Identity{Namespace: i.Namespace, Value: strings.Clone(i.Value)})
		}
	})
	if err == nil && !own {
		err = cx.E(cx.NotFound, "", "there is no customer "+id.String())
	}
	if err != nil {
		return nil, nil, err
	}
	family, err := e.shard.Family(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	out := &sqlite.Erasure{Workspace: w, Customers: []cx.CustomerID{id}}
	for loser := range family {
		out.Customers = append(out.Customers, loser)
	}
	slices.Sort(out.Customers[1:])
	return out, names, nil
}

// carryOut does what is left to be done of an erasure.
func (e *erasing) carryOut(ctx context.Context, c *sqlite.Erasure) error {
	if c.Again && c.Position == 0 {
		if err := e.commandAgain(ctx, c); err != nil {
			return err
		}
	}
	if c.Position == 0 {
		if err := e.command(ctx, c, c.Customers[0]); err != nil {
			return err
		}
		fault.Point("erase.commanded")
	}
	if err := e.control.NoteErasure(ctx, c); err != nil {
		return err
	}
	if err := e.load(ctx); err != nil {
		return err
	}
	if err := e.saved(ctx); err != nil {
		return err
	}
	fault.Point("erase.saved")
	if err := e.state.Tidy(ctx); err != nil {
		return err
	}
	if err := e.sends.Erase(ctx, c.Customers); err != nil {
		return err
	}
	fault.Point("erase.unsent")
	if err := e.renewKept(ctx, c.Position); err != nil {
		return err
	}
	fault.Point("erase.after")
	c.DoneAt = now()
	return e.control.NoteErasure(ctx, c)
}

// command has the machine forget a customer.
func (e *erasing) command(ctx context.Context, c *sqlite.Erasure, id cx.CustomerID) error {
	done, err := e.shard.Command(ctx, &cx.Command{Kind: cx.CommandErase, Workspace: c.Workspace, Who: c.Who, Body: cx.AppendErase(nil, id)})
	if err != nil {
		return err
	}
	c.Position = done.Position
	return e.widen(ctx, c, &done)
}

// widen takes in whoever was merged with the person, and every name that came up,
// between the look at them and the command.
func (e *erasing) widen(ctx context.Context, c *sqlite.Erasure, done *pipeline.Commanded) error {
	for _, id := range done.Forgotten {
		if !slices.Contains(c.Customers, id) {
			c.Customers = append(c.Customers, id)
		}
	}
	stones, err := e.mark(ctx, c, done.Names)
	if err != nil {
		return err
	}
	return e.control.Bury(ctx, c.ID, stones)
}

// commandAgain has the machine forget everybody of an erasure whom a backup has
// brought back: they may not be one customer yet. When one of them is one with
// somebody else there, because they were told apart only later, it fails with kind
// Conflict.
func (e *erasing) commandAgain(ctx context.Context, c *sqlite.Erasure) error {
	for _, id := range c.Customers {
		who, names, err := e.person(ctx, c.Workspace, id)
		if cx.KindOf(err) == cx.NotFound {
			continue
		}
		if err != nil {
			return err
		}
		for _, other := range who.Customers {
			if !slices.Contains(c.Customers, other) {
				return cx.E(cx.Conflict, "", fmt.Sprintf("erasure %s: customer %v is one with %v here, who was not erased: un-merge the two (kikubari customer unmerge), and it goes on", c.ID, id, other))
			}
		}
		stones, err := e.mark(ctx, c, names)
		if err == nil {
			err = e.control.Bury(ctx, c.ID, stones)
		}
		if err == nil {
			err = e.command(ctx, c, who.Customers[0])
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// renewKept puts the present checkpoint in the place of those that were kept
// before a position: they hold whoever was erased there.
func (e *erasing) renewKept(ctx context.Context, at cx.Position) error {
	renewed := false
	for _, kept := range e.archive.Checkpoints() {
		if kept.Position >= at {
			continue
		}
		if !renewed {
			if err := e.keepNow(ctx); err != nil {
				return err
			}
			renewed = true
		}
		if err := e.archive.Forget(kept); err != nil {
			return err
		}
	}
	return nil
}

// finish carries out what was begun before.
func (e *erasing) finish(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	all, err := e.control.Erasures(ctx, access.Everywhere, "", 1<<20)
	for i := range all {
		if all[i].DoneAt != 0 {
			continue
		}
		if e := e.carryOut(ctx, &all[i]); e != nil {
			err = errors.Join(err, fmt.Errorf("an erasure that was begun is not finished: %w", e))
		}
	}
	return err
}

// Erasures makes erasing an api.Erasures.
func (e *erasing) Erasures(ctx context.Context, w cx.Workspace, id string, limit int) ([]api.Erasure, error) {
	all, err := e.control.Erasures(ctx, w, id, limit)
	if err == nil && id != "" && len(all) == 0 {
		err = cx.E(cx.NotFound, "", "there is no erasure "+id)
	}
	out := make([]api.Erasure, len(all))
	for i := range all {
		out[i] = e.receipt(&all[i])
	}
	return out, err
}

// receipt is what can be told of an erasure.
func (e *erasing) receipt(c *sqlite.Erasure) api.Erasure {
	out := api.Erasure{
		ID: c.ID, Workspace: string(c.Workspace), Who: string(c.Who), AskedAt: api.TimeOf(c.AskedAt), State: "running",
		Refused: c.Refused, Log: "hidden",
	}
	for _, id := range c.Customers {
		out.Customers = append(out.Customers, id.String())
	}
	if c.Position != 0 {
		out.Position = c.Position.String()
	}
	if c.DoneAt != 0 {
		out.State, out.ErasedAt = "erased", api.TimeOf(c.DoneAt)
	}
	out.Kept = c.Kept
	add := func(store string, done cx.Instant, by time.Duration) {
		s := api.ErasedStore{Store: store}
		if done != 0 {
			s.DoneAt = api.TimeOf(done)
		} else if by > 0 {
			s.Pending = api.TimeOf(c.AskedAt.Add(by))
		}
		out.Stores = append(out.Stores, s)
	}
	for _, store := range [...]string{"state", "outbox", "warehouse", "refused", "checkpoints"} {
		add(store, c.DoneAt, 0)
	}
	add("archive", c.ArchiveAt, e.config.EraseWithin)
	add("journal", c.JournalAt, e.config.EraseWithin)
	add("warehouse_file", c.FileAt, e.config.EraseWithin)
	if c.JournalAt != 0 {
		out.Log = "clean"
		if c.FileAt != 0 {
			out.CompletedAt = api.TimeOf(max(c.JournalAt, c.FileAt))
		}
	}
	return out
}
