package deliver_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/deliver"
)

// What did not arrive is sent again with its key and its body when the machine
// says so, once, also when the program ends in between.
func TestSentAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		w.start()
		answer := deliver.Refused(errors.New("400"))
		w.far.Answer(func(context.Context, *cx.Delivery) error { return answer })
		d := delivery(1, cx.Marketing, "crm")
		w.send(d)
		w.pass(time.Second)
		w.expect("fates", map[*cx.Delivery]string{d: "failed"})
		items, err := w.office.Resendable(t.Context(), deliver.Filter{}, 9)
		if err != nil || len(items) != 1 || string(items[0].Payload) != string(d.Payload) || w.office.Repeats(&items[0]) {
			t.Fatalf("to be sent again: %+v, %v", items, err)
		}
		w.pass(20 * 24 * time.Hour)
		answer, w.fates = nil, nil
		again := *d
		again.Position, again.At, again.Payload = cx.At(500, 0), cx.InstantOf(time.Now()), nil
		w.stop()
		committed := w.decide(&again)
		w.start() // it is found in the outbox
		w.office.Committed(committed)
		w.pass(time.Minute)
		w.expect("fates of what is sent again", map[*cx.Delivery]string{d: "sent"})
		w.stop()
		w.start()
		w.pass(time.Hour)
		w.stop()
		if got := w.far.Arrivals(); len(got) != 1 || got[0].Key != d.Key.String() || got[0].Payload != string(d.Payload) {
			t.Errorf("arrived: %+v", got)
		}
	})
}

// What is to be sent again and is not kept any more ends as unknown.
func TestSentAgainAndLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.start()
		defer w.stop()
		w.pass(time.Second)
		lost := delivery(1, cx.Transactional, "crm")
		lost.Payload = nil
		w.send(lost)
		w.pass(time.Minute)
		w.expect("fates", map[*cx.Delivery]string{lost: "unknown"})
		if n := len(w.far.Arrivals()); n != 0 {
			t.Errorf("%d arrivals of nothing", n)
		}
		if items, err := w.office.Resendable(t.Context(), deliver.Filter{}, 9); err != nil || len(items) != 0 {
			t.Errorf("to be sent again: %+v, %v", items, err)
		}
	})
}
