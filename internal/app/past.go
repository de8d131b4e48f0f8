package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/kikubari/kikubari/internal/archive"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// past is the log as it is folded again.
type past struct {
	*archive.Log
	keep func(ctx context.Context) error // keeps a checkpoint now; nil when there is no machine that runs
}

// Origin makes past a pipeline.History.
func (p past) Origin(ctx context.Context, from uint64) (o pipeline.Origin, err error) {
	first, _, err := p.First(ctx)
	if err != nil {
		return o, err
	}
	if first == 1 && from <= 1 {
		return pipeline.Origin{From: 1}, nil
	}
	c, ok := keptFrom(p.Log, max(first, from))
	if !ok && from == 0 && p.keep != nil {
		if err := p.keep(ctx); err != nil {
			return o, fmt.Errorf("keep a checkpoint to begin with: %w", err)
		}
		c, ok = keptFrom(p.Log, first)
	}
	switch sequence := c.Position.Sequence(); {
	case !ok && from == 0:
		return o, cx.E(cx.NotFound, "back-fill", fmt.Sprintf("the log begins at record %d, and no checkpoint from there on is kept to begin with", first))
	case !ok || from != 0 && from != sequence:
		return o, cx.E(cx.NotFound, "back-fill", fmt.Sprintf("statistics would have to be folded from record %d of the log, and that, or the checkpoint kept there, is gone: restore the archive's oldest files, or begin with a checkpoint in which they are known", from))
	default:
		o = pipeline.Origin{From: sequence, Restore: func(path string) error { return p.Archive.Restore(c, path) }}
	}
	err = p.Read(ctx, o.From, o.From, func(r *journal.Record) error {
		o.Since = r.Time
		return errEnough
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return o, err
}

// keptFrom returns the oldest kept checkpoint from which a log goes on that begins
// at a record.
func keptFrom(l *archive.Log, first uint64) (archive.Checkpoint, bool) {
	for _, c := range l.Archive.Checkpoints() {
		if c.Position.Sequence() >= first {
			return c, true
		}
	}
	return archive.Checkpoint{}, false
}
