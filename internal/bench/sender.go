package bench

import (
	"bytes"
	"context"
	"fmt"
	"time"
)

// tally is what one connection saw.
type tally struct {
	latency   Histogram // of requests acknowledged within the measured time
	measured  uint64    // events acknowledged within the measured time
	acked     uint64    // events acknowledged at all
	rejected  uint64    // events refused for good, which is a fault of this generator
	limited   uint64    // answers 429, each retried
	busy      uint64    // answers 503, each retried
	broken    uint64    // connections that failed, each retried
	abandoned uint64    // events whose retries ran out with the time
	decided   uint64    // answers that carried an action
	late      uint64    // answers that missed the decision's deadline
}

func (t *tally) add(o *tally) {
	t.latency.Merge(&o.latency)
	t.measured += o.measured
	t.acked += o.acked
	t.rejected += o.rejected
	t.limited += o.limited
	t.busy += o.busy
	t.broken += o.broken
	t.abandoned += o.abandoned
	t.decided += o.decided
	t.late += o.late
}

// span is the time of a run: from start to warm nothing is measured, at stop
// no new request begins, and at end the last retry is given up.
type span struct{ start, warm, stop, end time.Time }

func newSpan(start time.Time, warmUp, duration, grace time.Duration) span {
	s := span{start: start, warm: start.Add(warmUp)}
	s.stop = s.warm.Add(duration)
	s.end = s.stop.Add(grace)
	return s
}

func (s span) measures(t time.Time) bool { return !t.Before(s.warm) && t.Before(s.stop) }

// sender is one connection with what it sends and what it saw.
type sender struct {
	*composer
	wire *wire
	span span
	tally
}

// deliver sees a request, sent already, through to its acknowledgement: it is
// repeated, byte for byte, until the server takes it or time runs out.
// Latency counts from since.
func (s *sender) deliver(ctx context.Context, request []byte, since time.Time) error {
	for {
		r, err := s.wire.receive()
		now := time.Now()
		switch {
		case err != nil:
			s.broken++
			if err := s.again(ctx, now, 50*time.Millisecond, true); err != nil {
				return s.abandon(err)
			}
		case r.status == 429 || r.status == 503:
			s.count(r.status)
			if err := s.again(ctx, now, max(r.retryAfter, 20*time.Millisecond), r.closing); err != nil {
				return s.abandon(err)
			}
		case r.status != 200:
			return fmt.Errorf("the server answered %d: %.300s", r.status, r.body)
		default:
			s.acknowledge(r.body, since, now)
			if r.closing {
				return s.wire.redial(ctx)
			}
			return nil
		}
		if err := s.wire.send(request); err != nil {
			continue // receive says the same, and is counted
		}
	}
}

func (s *sender) count(status int) {
	if status == 429 {
		s.limited++
	} else {
		s.busy++
	}
}

// again waits before a retry and sees to it that there is a connection. It
// fails when there is no time left for one.
func (s *sender) again(ctx context.Context, now time.Time, wait time.Duration, reconnect bool) error {
	for {
		if now.Add(wait).After(s.span.end) {
			return context.DeadlineExceeded
		}
		if err := pause(ctx, wait); err != nil {
			return err
		}
		if !reconnect || s.wire.redial(ctx) == nil {
			return nil
		}
		now = time.Now()
	}
}

func (s *sender) abandon(err error) error {
	s.abandoned += uint64(s.batch)
	return fmt.Errorf("gave up a request that was not acknowledged: %w", err)
}

// acknowledge counts an answer 200.
func (s *sender) acknowledge(body []byte, since, now time.Time) {
	n := uint64(s.batch)
	if rejected := bytes.Count(body, []byte(`"reason"`)); rejected > 0 {
		s.rejected += uint64(rejected)
		n -= min(n, uint64(rejected))
	}
	s.acked += n
	if bytes.Contains(body, []byte(`"decision"`)) {
		s.decided++
	}
	if bytes.Contains(body, []byte(`"late":true`)) {
		s.late++
	}
	if s.span.measures(since) {
		s.latency.Record(now.Sub(since))
	}
	if s.span.measures(now) {
		s.measured += n
	}
}

// pause waits for d, or fails when ctx ends first.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-t.C:
		return nil
	}
}
