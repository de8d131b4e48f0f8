package pipeline

import (
	"context"
	"encoding/binary"
	"fmt"
	"log/slog"
	"maps"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/profile"
	"github.com/kikubari/kikubari/internal/rule"
)

// Publication is a set of definitions that takes effect at one position.
type Publication struct {
	Workspace cx.Workspace
	Who       cx.KeyID
	Why       string
	Canonical []byte // definition.Canonical of its documents

	Sequence uint64 // given by the machine: 1, 2, 3 … over all workspaces
	Position cx.Position
	At       cx.Instant // log time
}

const publicationCodec = 1

// EncodePublication returns the payload of the journal entry that publishes p.
func EncodePublication(p *Publication) []byte {
	dst := []byte{publicationCodec}
	for _, s := range [...]string{string(p.Workspace), string(p.Who), p.Why, string(p.Canonical)} {
		dst = binary.AppendUvarint(dst, uint64(len(s)))
		dst = append(dst, s...)
	}
	return dst
}

// DecodePublication reads what EncodePublication wrote. The publication aliases
// nothing. It fails with cx.ErrCodec on anything else.
func DecodePublication(b []byte) (p Publication, err error) {
	if len(b) == 0 || b[0] != publicationCodec {
		return p, cx.ErrCodec
	}
	r := reader{cx.NewReader(b[1:])}
	p.Workspace, p.Who, p.Why, p.Canonical = cx.Workspace(r.Text()), cx.KeyID(r.Text()), r.Text(), []byte(r.Text())
	return p, r.End()
}

// Review is how closely a set is looked at before it is published.
type Review struct {
	Schema rule.Schema // what events have looked like so far; nil checks nothing
	Strict bool        // what would be a warning is a problem
}

// Publish checks the documents against what is in force and puts them in force
// as the workspace's whole set. It returns when every later event is judged by
// them. Problems, if any, are all returned, and then nothing is published.
func (s *Shard) Publish(ctx context.Context, p Publication, docs []definition.Document, r Review) (Publication, *definition.Set, []definition.Problem, error) {
	set, problems, err := s.Check(p.Workspace, docs, r)
	if err != nil || len(problems) > 0 {
		return p, nil, problems, err
	}
	if p.Canonical, err = definition.Canonical(docs); err != nil {
		return p, nil, nil, err
	}
	if p, err = appendAndWait[Publication](ctx, s, "publish", cx.Entry{Kind: cx.EntryDefinitions, Payload: EncodePublication(&p)}); err != nil {
		return p, nil, nil, err
	}
	if p.Sequence == 0 {
		return p, nil, nil, cx.E(cx.Internal, "publish", "the machine could not build a set that had been checked")
	}
	return p, set, nil, nil
}

// Check builds the documents as Publish would, without publishing them.
func (s *Shard) Check(ws cx.Workspace, docs []definition.Document, r Review) (*definition.Set, []definition.Problem, error) {
	state := s.published.Load()
	b := definition.Builder{Registry: state.workspace(ws).registry.Clone(), Schema: r.Schema, Strict: r.Strict}
	set, problems := b.Build(docs, state.sequence+1)
	if len(problems) == 0 && set.Workspace != ws {
		return nil, nil, cx.E(cx.Invalid, "publish", fmt.Sprintf("these definitions are of workspace %q, the key speaks for %q", set.Workspace, ws))
	}
	return set, problems, nil
}

// publish puts the set of a journal entry in force. It is a barrier: events
// before it are judged by the old set, events after it by the new one.
func (s *Shard) publish(at cx.Position, payload []byte) {
	p, err := DecodePublication(payload)
	p.Position, p.At = at, s.now
	if err == nil {
		err = s.enforce(&p)
	}
	if err != nil {
		// It was checked by the version that wrote it. Staying with the old set is
		// what every replay by this version does too.
		p.Sequence = 0
		s.opts.Log.Error("a published set cannot be built by this version; the earlier one stays in force",
			slog.String("workspace", string(p.Workspace)), slog.String("position", at.String()), slog.Any("error", err))
	} else if s.opts.Published != nil {
		s.opts.Published(p)
	}
	s.outcomes.give(at, p)
}

// enforce builds the set and makes it part of the state.
func (s *Shard) enforce(p *Publication) error {
	if s.opts.reduced.foreign(p.Workspace) {
		return nil
	}
	p.Sequence = s.state.sequence + 1
	old := s.state.workspace(p.Workspace)
	w, err := buildWorkspace(s.intern(p.Workspace), p.Canonical, old.registry.Clone(), p.Sequence)
	if err != nil {
		return err
	}
	next := *s.state
	next.sequence = p.Sequence
	next.backfill = w.inherit(old, p.Position, next.active(w.name), next.backfill)
	s.opts.reduced.confine(w)
	next.workspaces = make(map[cx.Workspace]*workspace, len(s.state.workspaces)+1)
	maps.Copy(next.workspaces, s.state.workspaces)
	next.workspaces[w.name] = w
	s.resolver.Configure(w.name, w.settings)
	s.stirWorkspace(w.name)
	s.setState(&next)
	s.unsaved = true
	s.restless.Store(true)
	return nil
}

// buildWorkspace compiles a set from its canonical form.
func buildWorkspace(name cx.Workspace, canonical []byte, registry *definition.Registry, sequence uint64) (*workspace, error) {
	docs, err := definition.ParseCanonical(canonical)
	if err != nil {
		return nil, err
	}
	set, problems := definition.Build(docs, registry, sequence)
	if len(problems) > 0 {
		return nil, definition.AsError(problems)
	}
	return newWorkspace(name, set, canonical, registry), nil
}

func newWorkspace(name cx.Workspace, set *definition.Set, canonical []byte, registry *definition.Registry) *workspace {
	w := &workspace{name: name, set: set, canonical: canonical, registry: registry}
	w.settings = profile.Settings{
		Zone: set.Settings.Zone, Currency: set.Settings.Currency, MergeOn: set.Settings.MergeOn,
		Purposes: map[string]cx.Purpose{},
	}
	for _, c := range set.Settings.Categories {
		w.settings.Purposes[c.Name] = c.Purpose
	}
	w.prepare()
	w.interest = interestOf(set.Offer)
	return w
}

// Rebuild compiles an earlier set of a workspace from its canonical form. Slots
// are never given anew, so today's registry fits every earlier set.
func (s *Shard) Rebuild(w cx.Workspace, canonical []byte, sequence uint64) (*definition.Set, error) {
	ws, err := buildWorkspace(w, canonical, s.published.Load().workspace(w).registry.Clone(), sequence)
	if err != nil {
		return nil, err
	}
	return ws.set, nil
}
