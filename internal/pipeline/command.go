package pipeline

import (
	"context"
	"fmt"

	"github.com/kikubari/kikubari/internal/cx"
)

// Commanded is what came of an operator's command.
type Commanded struct {
	Position cx.Position
	At       cx.Instant // log time
	Err      error      // why the machine did nothing; every replay does nothing there too

	Forgotten []cx.CustomerID // by an erasure: who it was at last, and all that were merged into it
	Names     []cx.Identity   // by which they were known
}

// Command appends c and returns when it has taken effect: what is asked of the
// machine from then on sees it. A command that the machine refuses fails with
// the reason and changes nothing. One that is durable but was not seen to take
// effect before ctx ended has kind Unavailable: it will.
func (s *Shard) Command(ctx context.Context, c *cx.Command) (Commanded, error) {
	d, err := appendAndWait[Commanded](ctx, s, c.Kind.String(), cx.Entry{Kind: cx.EntryCommand, Payload: cx.AppendCommand(nil, c)})
	if err != nil {
		return d, err
	}
	return d, d.Err
}

// command takes one command from the journal.
func (s *Shard) command(at cx.Position, payload []byte) error {
	c, err := cx.DecodeCommand(payload)
	if err != nil {
		return fmt.Errorf("command at %v: %w", at, err)
	}
	s.sinceTick++
	c.Workspace = s.intern(c.Workspace)
	if s.opts.reduced.foreign(c.Workspace) {
		return nil
	}
	switch c.Kind {
	case cx.CommandMerge:
		err = s.commandMerge(at, &c)
	case cx.CommandUnmerge:
		return s.commandUnmerge(at, &c)
	case cx.CommandErase:
		err = s.commandErase(at, &c)
	case cx.CommandBackfill:
		return s.commandBackfill(at, &c)
	case cx.CommandRelease:
		err = s.release(at, &c)
	case cx.CommandResend:
		err = s.commandResend(at, &c)
	default:
		return fmt.Errorf("command at %v: this version does not know %s: run a newer one", at, c.Kind)
	}
	if err != nil {
		s.outcomes.give(at, Commanded{Position: at, At: s.now, Err: err})
	}
	return nil
}

// commandMerge makes two customers one. Which of them wins follows the rule of
// every merge. It is refused when one of them is not there: it was erased.
func (s *Shard) commandMerge(at cx.Position, c *cx.Command) error {
	a, b, err := cx.DecodePair(c.Body)
	if err != nil {
		return err
	}
	for _, id := range [...]cx.CustomerID{a, b} {
		if !s.resolver.Knows(id) {
			return cx.E(cx.NotFound, "merge", "there is no customer "+id.String())
		}
	}
	m, ok := s.resolver.Join(a, b)
	if !ok {
		return cx.E(cx.Conflict, "merge", fmt.Sprintf("%s and %s are one customer already", a, b))
	}
	s.partedMoved = true // they may have been kept apart
	s.stir(m.Winner)
	s.stir(m.Loser)
	hand := &handoff{loser: make(chan given, 1)}
	s.order(order{kind: orderGive, at: at, customer: m.Loser, hand: hand, about: c.Workspace})
	s.order(order{kind: orderTake, at: at, customer: m.Winner, hand: hand, about: c.Workspace, merge: &m, commanded: true})
	return nil
}

// commanded tells whoever gave a command that it has taken effect on the lane.
func (w *worker) commanded(o *order) {
	if o.commanded {
		w.shard.outcomes.give(o.at, Commanded{Position: o.at, At: w.scope.Now})
	}
}
