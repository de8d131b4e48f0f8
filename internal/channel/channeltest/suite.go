package channeltest

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/deliver"
)

// Far is the far end of a channel under test.
type Far interface {
	Become(m Mood)
	Arrivals() []Arrival
}

// Run runs the suite. open returns a channel and its far end, which says whether
// it can tell a repetition; unplugged returns a channel whose far end nobody
// listens at.
func Run(t *testing.T, open func(t *testing.T, idempotent bool) (deliver.Sender, Far), unplugged func(t *testing.T) deliver.Sender) {
	t.Helper()
	for _, idempotent := range []bool{true, false} {
		name := "a far end that cannot tell: "
		if idempotent {
			name = "a far end that can tell: "
		}
		for _, test := range []struct {
			name     string
			mood     Mood
			outcome  deliver.Outcome
			arrivals int
		}{
			{"what is accepted has arrived", Willing, deliver.Accepted, 1},
			{"what is refused is not sent again", Refusing, deliver.Declined, 0},
			{"who is busy is asked later", Busy, deliver.Deferred, 0},
			{"a failure says nothing about whether it arrived", Broken, deliver.Unclear, 1},
			{"nor does silence", Silent, deliver.Unclear, 1},
			{"nor does a connection that ends", Hanging, deliver.Unclear, 1},
			{"nobody is followed elsewhere", Redirect, deliver.Declined, 0},
			{"an endless answer ends", Garrulous, deliver.Accepted, 1},
		} {
			t.Run(name+test.name, func(t *testing.T) {
				s, far := open(t, idempotent)
				d := Delivery(7)
				if s.Idempotent(d) != idempotent {
					t.Errorf("Idempotent says %v", !idempotent)
				}
				far.Become(test.mood)
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				err := s.Send(ctx, d)
				if got, _ := deliver.OutcomeOf(err); got != test.outcome {
					t.Errorf("the outcome is %d, want %d: %v", got, test.outcome, err)
				}
				if err != nil && (len(err.Error()) > 500 || strings.ContainsAny(err.Error(), "\x00\r\n")) {
					t.Errorf("the reason is not fit to be shown: %q", err)
				}
				check(t, far, d, test.arrivals)
			})
		}
		t.Run(name+"every attempt carries the same key", func(t *testing.T) {
			s, far := open(t, idempotent)
			for range 3 {
				if err := s.Send(t.Context(), Delivery(7)); err != nil {
					t.Fatal(err)
				}
			}
			check(t, far, Delivery(7), 3)
			for i, a := range far.Arrivals() {
				if a.Again != (idempotent && i > 0) {
					t.Errorf("arrival %d is taken for a repetition: %v", i, a.Again)
				}
			}
		})
	}
	t.Run("an attempt that breaks on a kept connection is made once", func(t *testing.T) {
		s, far := open(t, false)
		if err := s.Send(t.Context(), Delivery(1)); err != nil {
			t.Fatal(err)
		}
		far.Become(Hanging)
		_ = s.Send(t.Context(), Delivery(2)) // its outcome is looked at above
		if n := len(far.Arrivals()); n != 2 {
			t.Errorf("%d arrivals, want 2", n)
		}
	})
	t.Run("where nobody listens nothing has arrived", func(t *testing.T) {
		err := unplugged(t).Send(t.Context(), Delivery(7))
		if got, _ := deliver.OutcomeOf(err); got != deliver.Deferred {
			t.Errorf("the outcome is %d: %v", got, err)
		}
	})
}

// Delivery returns the n-th of some deliveries that differ.
func Delivery(n uint64) *cx.Delivery {
	id := cx.NewDecisionID(cx.At(n, 0))
	return &cx.Delivery{
		Key: cx.NewSendKey(id, cx.Instant(n), "tell", "far"), Position: cx.At(n, 0), At: cx.Instant(n), Workspace: "shop", Customer: cx.CustomerID(n),
		Decision: id, Action: "tell", Purpose: cx.Marketing, Channel: cx.Webhook, Destination: "far", Payload: []byte(`{"text":"花子 & <co>"}`),
	}
}

// check checks that d arrived n times, whole.
func check(t *testing.T, far Far, d *cx.Delivery, n int) {
	t.Helper()
	arrivals := far.Arrivals()
	if len(arrivals) != n {
		t.Errorf("%d arrivals, want %d", len(arrivals), n)
	}
	for _, a := range arrivals {
		if a.Key != d.Key.String() || a.Payload != string(d.Payload) {
			t.Errorf("%s arrived with key %s, want %s with %s", a.Payload, a.Key, d.Payload, d.Key)
		}
	}
}
