package bench

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"
)

// closedLoop lets every sender send its next request as soon as the last one is
// acknowledged, until the span stops. It measures what a server can take.
func closedLoop(ctx context.Context, senders []*sender) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range senders {
		g.Go(func() error { return s.rush(ctx) })
	}
	return g.Wait()
}

func (s *sender) rush(ctx context.Context) error {
	for {
		now := time.Now()
		if now.After(s.span.stop) {
			return nil
		}
		if err := ctx.Err(); err != nil {
			return err
		}
		request := s.compose(now)
		_ = s.wire.send(request) // an error comes back from receive, where it is counted
		if err := s.deliver(ctx, request, now); err != nil {
			return err
		}
	}
}

// fill lets every sender send so many requests, as fast as they are taken.
func fill(ctx context.Context, senders []*sender, requests int) error {
	g, ctx := errgroup.WithContext(ctx)
	for _, s := range senders {
		g.Go(func() error {
			for range requests {
				now := time.Now()
				request := s.compose(now)
				_ = s.wire.send(request) // an error comes back from receive, where it is counted
				if err := s.deliver(ctx, request, now); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return g.Wait()
}
