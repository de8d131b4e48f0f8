package bench

import (
	"context"
	"math/rand/v2"
	"runtime"
	"time"

	"golang.org/x/sync/errgroup"
)

// arrivals is a Poisson process: the gaps between requests are exponential, as
// when many people act on their own.
type arrivals struct {
	r    *rand.Rand
	next time.Time
	mean float64 // nanoseconds between requests
}

func newArrivals(seed uint64, start time.Time, perSecond float64) *arrivals {
	return &arrivals{r: rand.New(rand.NewPCG(seed, 0)), next: start, mean: 1e9 / perSecond}
}

// advance returns when the next request is due.
func (a *arrivals) advance() time.Time {
	a.next = a.next.Add(time.Duration(a.r.ExpFloat64() * a.mean))
	return a.next
}

// grain is how much longer than needed the generator sleeps at high rates, to send
// several requests when it wakes: being woken for each of them would take the
// processor from the server. It counts as latency.
func (a *arrivals) grain() time.Duration {
	const worthwhile = 200 * time.Microsecond
	if a.mean > float64(worthwhile) {
		return 0
	}
	return worthwhile
}

// flight is a request on its way: who sent it, and when it was due.
type flight struct {
	request []byte
	due     time.Time
}

// openLoop sends requests when they are due, whether earlier ones have been
// answered or not. Latency counts from the due moment: a request that found no
// free connection, or a generator that came late, makes it longer and is never
// left out. lateness is how far behind the schedule requests were written.
//
// One thread of its own writes all requests, because it sleeps more exactly
// than the runtime's timers; a goroutine for each connection reads.
func openLoop(ctx context.Context, senders []*sender, a *arrivals) (lateness *Histogram, err error) {
	g, ctx := errgroup.WithContext(ctx)
	free := make(chan int, len(senders)) // indexes of senders that wait for nothing
	flights := make([]chan flight, len(senders))
	for i, s := range senders {
		flights[i] = make(chan flight, 1)
		free <- i
		g.Go(func() error {
			for f := range flights[i] {
				if err := s.deliver(ctx, f.request, f.due); err != nil {
					return err
				}
				free <- i
			}
			return nil
		})
	}
	lateness = &Histogram{}
	g.Go(func() error {
		defer func() {
			for _, f := range flights {
				close(f)
			}
		}()
		return launch(ctx, senders, a, free, flights, lateness)
	})
	return lateness, g.Wait()
}

// launch writes each request when it is due, until the span stops.
func launch(ctx context.Context, senders []*sender, a *arrivals, free <-chan int, flights []chan flight, lateness *Histogram) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	precise()
	for due := a.advance(); due.Before(senders[0].span.stop); due = a.advance() {
		if time.Now().Before(due) {
			sleepUntil(due.Add(a.grain()))
		}
		var i int
		select {
		case i = <-free:
		case <-ctx.Done():
			return ctx.Err()
		}
		s := senders[i]
		request := s.compose(time.Now())
		_ = s.wire.send(request) // an error comes back from receive, where it is counted
		lateness.Record(time.Since(due))
		flights[i] <- flight{request, due}
	}
	return nil
}
