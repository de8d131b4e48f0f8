package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

// grace is how long after the load the last retries may go on.
const grace = 30 * time.Second

// Run measures what o says and writes the result to w. The Result is also
// returned with an error that says what was wrong with it: events that were
// acknowledged and not stored, requests that were given up. It leaves no
// process and, unless told to keep it, no directory behind.
func Run(ctx context.Context, o Options, w io.Writer) (Result, error) {
	o, err := o.withDefaults()
	if err != nil {
		return Result{}, err
	}
	r := Result{Mode: o.Mode}
	if o.WithFloor && o.Mode != Floor {
		if err := r.floor(ctx, o.Data, 3*time.Second); err != nil {
			return r, err
		}
	}
	switch o.Mode {
	case Rules:
		err = r.rules(ctx, o.Customers, o.Duration)
	case Floor:
		err = r.floor(ctx, o.Data, o.Duration)
	default:
		err = r.server(ctx, o)
	}
	return r, errors.Join(err, r.write(w, o.JSON))
}

// server runs the modes that need one.
func (r *Result) server(ctx context.Context, o Options) (err error) {
	r.Connections, r.Batch, r.Customers, r.Seed, r.Actions = o.Connections, o.Batch, o.Customers, o.Seed, o.Actions
	if o.Mode == Open || o.Mode == Backfill {
		r.Rate = o.Rate
	}
	t, err := aim(ctx, o)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(t.blame(err), t.close()) }()
	switch o.Mode {
	case Memory:
		return r.memory(ctx, o, t)
	case Replay:
		return r.replay(ctx, o, t)
	case Backfill:
		return r.backfill(ctx, o, t)
	default:
		return r.measure(ctx, o, t)
	}
}

// target is the server that is measured.
type target struct {
	*control
	address string
	key     string // write key
	pid     int
	own     *process // nil when it is somebody else's
	data    string
	remove  bool // data at the end
}

// aim finds the target that o names, or starts one.
func aim(ctx context.Context, o Options) (*target, error) {
	if o.Target != "" {
		return &target{control: newControl(o.Target, o.Admin), address: o.Target, key: o.Key, pid: o.PID}, nil
	}
	t := &target{data: o.Data}
	if t.data == "" {
		dir, err := os.MkdirTemp("", "kikubari-bench-")
		if err != nil {
			return nil, fmt.Errorf("make a directory for the server: %w", err)
		}
		t.data, t.remove = dir, true
	}
	if err := t.launch(ctx, o); err != nil {
		return nil, errors.Join(err, t.close())
	}
	serverKey, browserKey, err := t.prepare(ctx)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("prepare the server: %w; it said:\n%s", err, t.own.lastWords()), t.close())
	}
	t.key = serverKey
	if o.Actions {
		t.key = browserKey
	}
	return t, nil
}

// launch starts the server on t.data; the admin key of an earlier start is
// kept.
func (t *target) launch(ctx context.Context, o Options) error {
	s, err := startServer(ctx, o.Binary, t.data, o.Args)
	if err != nil {
		return err
	}
	t.own, t.address, t.pid = s, s.address, s.pid()
	key := s.admin
	if key == "" && t.control != nil {
		key = t.control.key
	}
	t.control = newControl(s.address, key)
	if key == "" {
		return errors.New("the server did not print its admin key; give --data an empty directory")
	}
	return t.awaitReady(ctx)
}

// blame adds what our own server said last to an error that it may have caused
// by ending.
func (t *target) blame(err error) error {
	if err == nil || t.own == nil {
		return err
	}
	wait := time.NewTimer(5 * time.Second) // it may be on its way out
	defer wait.Stop()
	select {
	case <-t.own.exited:
		return fmt.Errorf("the server has ended: %w; it said:\n%s", err, t.own.lastWords())
	case <-wait.C:
		return err
	}
}

// close stops a server of our own and removes its directory.
func (t *target) close() error {
	var err error
	if t.own != nil {
		err = t.own.stop()
	}
	if t.remove {
		err = errors.Join(err, os.RemoveAll(t.data))
	}
	return err
}

// senders connects as o says.
func (t *target) senders(ctx context.Context, o Options, s span, visitors func(stream int) *Visitors) ([]*sender, error) {
	out := make([]*sender, 0, o.Connections)
	for i := range o.Connections {
		w, err := dial(ctx, t.address)
		if err != nil {
			disconnect(out)
			return nil, err
		}
		out = append(out, &sender{composer: newComposer(visitors(i), t.address, t.key, o.Batch, o.Actions), wire: w, span: s})
	}
	return out, nil
}

func disconnect(senders []*sender) {
	for _, s := range senders {
		s.wire.close()
	}
}

func total(senders []*sender) *tally {
	all := &tally{}
	for _, s := range senders {
		all.add(&s.tally)
	}
	return all
}
