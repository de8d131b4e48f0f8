package pipeline

import (
	"context"
	"fmt"
	"sync"

	"github.com/kikubari/kikubari/internal/cx"
)

// outcomes hand what came of an entry to whoever appended it. They go by the
// entry's position, so it does not matter which of the two is there first, nor
// whether the machine took the entry live or read it from the stored journal.
type outcomes struct {
	mu     sync.Mutex
	asked  map[cx.Position]chan any
	recent [256]outcome // given while nobody had asked, in a ring
	next   int
}

type outcome struct {
	at    cx.Position
	value any
}

// give tells what came of the entry at a position.
func (o *outcomes) give(at cx.Position, value any) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if ask := o.asked[at]; ask != nil {
		delete(o.asked, at)
		ask <- value
		return
	}
	o.recent[o.next] = outcome{at, value}
	o.next = (o.next + 1) % len(o.recent)
}

// ask returns a channel that gets what came of the entry at a position.
func (o *outcomes) ask(at cx.Position) <-chan any {
	o.mu.Lock()
	defer o.mu.Unlock()
	ask := make(chan any, 1)
	for _, r := range o.recent {
		if r.at == at {
			ask <- r.value
			return ask
		}
	}
	if o.asked == nil {
		o.asked = map[cx.Position]chan any{}
	}
	o.asked[at] = ask
	return ask
}

// forget ends an ask.
func (o *outcomes) forget(at cx.Position) {
	o.mu.Lock()
	defer o.mu.Unlock()
	delete(o.asked, at)
}

// appendAndWait appends one entry and returns what came of it. When ctx ends
// after the entry is durable the error has kind Unavailable: it will take effect.
func appendAndWait[T any](ctx context.Context, s *Shard, op string, e cx.Entry) (out T, err error) {
	at, err := s.opts.Journal.Append(ctx, []cx.Entry{e}, nil)
	if err != nil {
		return out, err
	}
	defer s.outcomes.forget(at)
	select {
	case v := <-s.outcomes.ask(at):
		return v.(T), nil
	case <-s.failed:
		return out, s.failure
	case <-ctx.Done():
		return out, &cx.Error{Kind: cx.Unavailable, Op: op, Err: fmt.Errorf("it is in the journal but did not take effect in time; look again in a moment (%w)", ctx.Err())}
	}
}
