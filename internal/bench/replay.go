package bench

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// metricFolded counts the events folded since the start: once the server is
// ready and nobody sends anything, those it replayed.
const metricFolded = "kikubari_folded_total"

// replay loads the server, kills it at full load, and measures how long it
// takes to be back: first from its last checkpoint, then from the journal
// alone. What was acknowledged before the kill must be stored after it.
func (r *Result) replay(ctx context.Context, o Options, t *target) error {
	if err := r.killUnderLoad(ctx, o, t); err != nil {
		return err
	}
	ready, err := t.restart(ctx, o)
	if err != nil {
		return err
	}
	r.ReadySeconds = round(ready.Seconds())
	if err := r.replayed(ctx, t); err != nil {
		return err
	}
	if err := r.verifyAtLeast(ctx, t); err != nil {
		return err
	}
	t.own.kill()
	if err := forget(t.data); err != nil {
		return err
	}
	if ready, err = t.restart(ctx, o); err != nil {
		return fmt.Errorf("rebuild from the journal: %w", err)
	}
	r.RebuildSeconds = round(ready.Seconds())
	r.RebuildPerSecond = round(float64(r.Stored) / ready.Seconds())
	return r.verifyAtLeast(ctx, t)
}

// killUnderLoad kills the server half-way through a closed loop. That the load
// fails then is what is wanted.
func (r *Result) killUnderLoad(ctx context.Context, o Options, t *target) error {
	s := newSpan(time.Now(), 0, 2*o.Duration, grace)
	senders, err := t.senders(ctx, o, s, NewShop(o.Seed, o.Customers).Visitors)
	if err != nil {
		return err
	}
	defer disconnect(senders)
	loading, end := context.WithCancel(ctx)
	dead := make(chan error, 1)
	go func() {
		err := pause(ctx, o.Duration)
		t.own.kill()
		end()
		dead <- err
	}()
	_ = closedLoop(loading, senders) // ends with the server
	r.load(total(senders), o.Duration)
	r.Abandoned = 0 // not acknowledged, so not promised
	return <-dead
}

// restart starts the server again and returns how long it took to be ready.
func (t *target) restart(ctx context.Context, o Options) (time.Duration, error) {
	from := time.Now()
	err := t.launch(ctx, o)
	return time.Since(from), err
}

// replayed reads how much the server had to replay. The rate counts the whole
// start, opening the engines included.
func (r *Result) replayed(ctx context.Context, t *target) error {
	m, err := t.metrics(ctx)
	if err != nil {
		return err
	}
	r.Replayed = uint64(sum(m, metricFolded))
	r.ReplayPerSecond = round(float64(r.Replayed) / r.ReadySeconds)
	return nil
}

// verifyAtLeast waits until everything acknowledged is stored. There may be
// more: events that were durable when the server died before it could answer.
func (r *Result) verifyAtLeast(ctx context.Context, t *target) error {
	n, err := t.catchUp(ctx, r.Acked)
	if err != nil {
		return err
	}
	if r.Stored = n; n < r.Acked {
		return fmt.Errorf("%d events were acknowledged before the kill and %d are stored", r.Acked, n)
	}
	return nil
}

// forget removes the state and the warehouse of a data directory and leaves the
// journal and who may say what.
func forget(data string) error {
	entries, err := os.ReadDir(data)
	if err != nil {
		return err
	}
	var failed error
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), "state.db") || strings.HasPrefix(e.Name(), "warehouse.duckdb") {
			if err := os.RemoveAll(filepath.Join(data, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
				failed = errors.Join(failed, err)
			}
		}
	}
	return failed
}
