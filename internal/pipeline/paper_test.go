package pipeline_test

import (
	"bytes"
	"context"
	"sync"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// paper is a journal in memory. Each append is a record, which is read as from
// storage.
type paper struct {
	clock *wall

	mu      sync.Mutex
	records []*journal.Record
	grew    chan struct{}

	// before and after, unless nil, are told of what is appended. What before does
	// not let through fails.
	before func([]cx.Entry) error
	after  func([]cx.Entry)
}

func newPaper(clock *wall) *paper { return &paper{clock: clock, grew: make(chan struct{})} }

func (p *paper) Append(ctx context.Context, entries []cx.Entry, _ any) (cx.Position, error) {
	if err := ctx.Err(); err != nil {
		return 0, err
	}
	if p.before != nil {
		if err := p.before(entries); err != nil {
			return 0, err
		}
	}
	p.mu.Lock()
	own := make([]cx.Entry, len(entries))
	for i, e := range entries {
		own[i] = cx.Entry{Kind: e.Kind, Payload: bytes.Clone(e.Payload)}
	}
	n := uint64(len(p.records))
	r := &journal.Record{Sequence: n + 1, Previous: n, Time: cx.InstantOf(p.clock.now()), Entries: own}
	p.records = append(p.records, r)
	close(p.grew)
	p.grew = make(chan struct{})
	p.mu.Unlock()
	if p.after != nil {
		p.after(entries)
	}
	return cx.At(r.Sequence, 0), nil
}

func (p *paper) Follow(ctx context.Context, from uint64, fn func(*journal.Record) error) error {
	for next := max(from, 1); ; next++ {
		r, err := p.await(ctx, next)
		if err == nil {
			err = fn(r)
		}
		if err != nil {
			return err
		}
	}
}

// await returns a record as soon as it is there.
func (p *paper) await(ctx context.Context, sequence uint64) (*journal.Record, error) {
	for {
		p.mu.Lock()
		records, grew := p.records, p.grew
		p.mu.Unlock()
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if sequence <= uint64(len(records)) {
			return records[sequence-1], nil
		}
		select {
		case <-grew:
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

func (p *paper) Last() (uint64, cx.Instant) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.records) == 0 {
		return 0, 0
	}
	return uint64(len(p.records)), p.records[len(p.records)-1].Time
}

// gated is a store whose checkpoints are held up while its gate is shut.
type gated struct {
	*sqlite.State
	mu   sync.Mutex
	open chan struct{} // closed while the gate is open
}

func newGated(s *sqlite.State) *gated {
	g := &gated{State: s, open: make(chan struct{})}
	close(g.open)
	return g
}

func (g *gated) shut() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.isOpen() {
		g.open = make(chan struct{})
	}
}

func (g *gated) letThrough() {
	g.mu.Lock()
	defer g.mu.Unlock()
	if !g.isOpen() {
		close(g.open)
	}
}

func (g *gated) isOpen() bool {
	select {
	case <-g.open:
		return true
	default:
		return false
	}
}

func (g *gated) Checkpoint(ctx context.Context, c *pipeline.Checkpoint) error {
	g.mu.Lock()
	open := g.open
	g.mu.Unlock()
	select {
	case <-open:
		return g.State.Checkpoint(ctx, c)
	case <-ctx.Done():
		return ctx.Err()
	}
}
