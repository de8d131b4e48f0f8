package deliver_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/channel/channeltest"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/deliver"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// machine stands in for the machine: an outbox with its checkpoints, and a journal
// that takes fates.
type machine struct {
	mu     sync.Mutex
	outbox map[cx.SendKey]cx.Delivery
	fates  []cx.Fate
	at     cx.Position
}

func (m *machine) EachDelivery(_ context.Context, after cx.Position, found func(cx.Delivery) error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range m.outbox {
		if d.Position > after {
			if err := found(d); err != nil {
				return err
			}
		}
	}
	return nil
}

func (m *machine) tell(_ context.Context, fates []cx.Fate) (cx.Position, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.at++
	m.fates = append(m.fates, fates...)
	for _, f := range fates {
		delete(m.outbox, f.Key)
	}
	return m.at, nil
}

// decide puts deliveries into the outbox of a checkpoint.
func (m *machine) decide(ds ...*cx.Delivery) cx.Position {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, d := range ds {
		m.at = max(m.at, d.Position)
		m.outbox[d.Key] = *d
	}
	return m.at
}

// told returns how each delivery ended; a fate that was told twice is an error.
func (m *machine) told(t *testing.T) map[string]string {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	out := map[string]string{}
	for _, f := range m.fates {
		if _, twice := out[f.Key.String()]; twice {
			t.Errorf("the fate of %s is told twice", f.Key)
		}
		out[f.Key.String()] = f.State.String()
	}
	return out
}

// world is a courier with everything around it, in a bubble of time.
type world struct {
	t *testing.T
	machine
	path   string
	far    channeltest.Sender
	store  *sqlite.Sends
	office *deliver.Courier
	stop   func()
}

func newWorld(t *testing.T, idempotent bool) *world {
	t.Helper()
	return &world{t: t, machine: machine{outbox: map[cx.SendKey]cx.Delivery{}}, path: filepath.Join(t.TempDir(), "deliver.db"), far: channeltest.Sender{Book: channeltest.Book{Idempotent: idempotent}}}
}

// start starts the program; stop ends it. Both may be done again.
func (w *world) start() {
	w.t.Helper()
	var err error
	if w.store, err = sqlite.OpenSends(w.t.Context(), w.path); err != nil {
		w.t.Fatal(err)
	}
	w.office, err = deliver.Open(w.t.Context(), deliver.Options{
		Outbox: &w.machine, Store: w.store, Tell: w.tell, Senders: map[cx.Channel]deliver.Sender{cx.Webhook: &w.far},
		Timeout: 10 * time.Second, FirstRetry: time.Second, LongestRetry: time.Minute, GiveUp: 2 * time.Hour,
	})
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(w.t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.office.Run(ctx) })
	w.stop = func() {
		cancel()
		running.Wait()
		if err := w.store.Close(); err != nil {
			w.t.Error(err)
		}
	}
}

// send has deliveries decided and committed.
func (w *world) send(ds ...*cx.Delivery) {
	w.office.Committed(w.decide(ds...))
	synctest.Wait()
}

// pass lets time pass.
func (w *world) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// delivery is the n-th delivery of a purpose to a destination, decided now.
func delivery(n uint64, p cx.Purpose, destination string) *cx.Delivery {
	d := channeltest.Delivery(n)
	d.Purpose, d.Destination, d.At = p, destination, cx.InstantOf(time.Now())
	return d
}

func (w *world) expect(what string, want map[*cx.Delivery]string) {
	w.t.Helper()
	named := map[string]string{}
	for d, s := range want {
		named[d.Key.String()] = s
	}
	if diff := cmp.Diff(named, w.told(w.t)); diff != "" {
		w.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

func TestSentOnceAndTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		w.start()
		a, b := delivery(1, cx.Marketing, "crm"), delivery(2, cx.Transactional, "mail")
		w.send(a, b)
		w.pass(time.Second)
		w.expect("fates", map[*cx.Delivery]string{a: "sent", b: "sent"})
		w.stop()
		w.start()
		w.send(delivery(3, cx.Marketing, "crm"))
		w.pass(time.Hour)
		w.stop()
		if n := len(w.far.Arrivals()); n != 3 {
			t.Errorf("%d arrivals, want 3", n)
		}
	})
}

// Nothing is sent that no checkpoint has.
func TestOnlyCommittedDeliveriesAreSent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		w.start()
		defer w.stop()
		synctest.Wait()
		w.decide(delivery(1, cx.Marketing, "crm"))
		w.pass(time.Hour)
		if n := len(w.far.Arrivals()); n != 0 {
			t.Errorf("%d arrivals before the checkpoint", n)
		}
	})
}

func TestRetriesBackOffUntilTheyGiveUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.start()
		defer w.stop()
		var at []time.Duration
		begin := time.Now()
		w.far.Answer(func(context.Context, *cx.Delivery) error {
			at = append(at, time.Since(begin))
			return deliver.NotNow(errors.New("busy"), 0)
		})
		d := delivery(1, cx.Marketing, "crm")
		w.send(d)
		w.pass(3 * time.Hour)
		w.expect("fates", map[*cx.Delivery]string{d: "failed"})
		if len(at) < 60 || len(at) > 1000 || at[len(at)-1] > 2*time.Hour+10*time.Second {
			t.Errorf("%d attempts, the last after %v", len(at), at[len(at)-1])
		}
		for i := 1; i < len(at); i++ {
			if gap := at[i] - at[i-1]; gap > 2*time.Minute || gap < 100*time.Millisecond || i < 4 && gap > time.Second<<(i-1) {
				t.Errorf("attempt %d came %v after the one before", i+1, gap)
			}
		}
	})
}

func TestReceiverIsLeftAloneAsLongAsItAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.start()
		defer w.stop()
		busy := true
		w.far.Answer(func(context.Context, *cx.Delivery) error {
			if busy {
				return deliver.NotNow(errors.New("429"), 10*time.Minute)
			}
			return nil
		})
		w.send(delivery(1, cx.Marketing, "crm"))
		busy = false
		w.send(delivery(2, cx.Marketing, "crm"))
		w.pass(10*time.Minute - time.Second)
		if n := len(w.far.Arrivals()); n != 0 {
			t.Errorf("%d arrivals while it wanted to be left alone", n)
		}
		w.pass(2 * time.Minute)
		if n := len(w.far.Arrivals()); n != 2 {
			t.Errorf("%d arrivals afterwards, want 2", n)
		}
	})
}

// What is refused is not tried again, and does not hold up what comes after.
func TestRefusalIsFinal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.start()
		defer w.stop()
		bad := map[cx.SendKey]int{}
		var mu sync.Mutex
		var all []*cx.Delivery
		want := map[*cx.Delivery]string{}
		for n := range uint64(20) {
			d := delivery(n+1, cx.Marketing, "crm")
			all, want[d] = append(all, d), "sent"
			if n%2 == 0 {
				bad[d.Key], want[d] = 0, "failed"
			}
		}
		w.far.Answer(func(_ context.Context, d *cx.Delivery) error {
			mu.Lock()
			defer mu.Unlock()
			if _, ok := bad[d.Key]; ok {
				bad[d.Key]++
				return deliver.Refused(errors.New("400"))
			}
			return nil
		})
		w.send(all...)
		w.pass(time.Second)
		w.expect("fates", want)
		for k, n := range bad {
			if n != 1 {
				t.Errorf("%s was tried %d times", k, n)
			}
		}
	})
}

// A destination that hangs, and one that is down, delay nobody else.
func TestDeadDestinationDelaysNobodyElse(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.start()
		defer w.stop()
		tried := map[string]int{}
		var mu sync.Mutex
		dead := true
		w.far.Answer(func(ctx context.Context, d *cx.Delivery) error {
			mu.Lock()
			tried[d.Destination]++
			now := dead
			mu.Unlock()
			switch {
			case d.Destination == "hangs" && now:
				<-ctx.Done()
				return ctx.Err()
			case d.Destination == "down" && now:
				return deliver.NotNow(errors.New("connection refused"), 0)
			}
			return nil
		})
		var ds []*cx.Delivery
		want := map[*cx.Delivery]string{}
		for n := range uint64(300) {
			d := delivery(n+1, cx.Marketing, []string{"hangs", "down", "well"}[n%3])
			ds = append(ds, d)
			if d.Destination == "well" {
				want[d] = "sent"
			}
		}
		w.send(ds...)
		w.pass(time.Second)
		w.expect("a second later", want)
		w.pass(10 * time.Minute)
		mu.Lock()
		if tried["down"] > 60 || tried["hangs"] > 60 {
			t.Errorf("dead destinations were tried all the time: %v", tried)
		}
		dead = false
		mu.Unlock()
		w.pass(3 * time.Minute)
		for _, d := range ds {
			want[d] = "sent"
		}
		w.expect("when they are back", want)
	})
}

// TestCrashInsideAnAttempt ends the program while attempts are under way, whose
// receiver has accepted them.
func TestCrashInsideAnAttempt(t *testing.T) {
	for _, idempotent := range []bool{true, false} {
		t.Run(fmt.Sprint("the receiver can tell: ", idempotent), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, idempotent)
				w.start()
				marketing, owed := delivery(1, cx.Marketing, "crm"), delivery(2, cx.Transactional, "crm")
				w.far.Answer(func(ctx context.Context, _ *cx.Delivery) error {
					<-ctx.Done()
					return ctx.Err() // accepted, but nobody hears of it
				})
				w.send(marketing, owed)
				w.crash()
				w.far.Answer(nil)
				w.start()
				w.pass(time.Minute)
				defer w.stop()
				want, arrivals := map[*cx.Delivery]string{marketing: "sent", owed: "sent"}, 4
				if !idempotent {
					want[marketing], arrivals = "unknown", 3
				}
				w.expect("fates", want)
				accepted := w.far.Accepted()
				if n := len(w.far.Arrivals()); n != arrivals {
					t.Errorf("%d arrivals, want %d", n, arrivals)
				}
				if accepted[marketing.Key.String()] != 1 || idempotent && accepted[owed.Key.String()] != 1 {
					t.Errorf("accepted %v", accepted)
				}
			})
		})
	}
}

// crash leaves the store as a crash would: what is marked as tried stays so.
func (w *world) crash() {
	w.t.Helper()
	left, err := w.store.Interrupted(w.t.Context())
	if err != nil || len(left) == 0 {
		w.t.Fatalf("nothing was under way: %v", err)
	}
	w.stop()
	s, err := sqlite.OpenSends(w.t.Context(), w.path)
	if err != nil {
		w.t.Fatal(err)
	}
	if err := errors.Join(s.Record(w.t.Context(), left), s.Close()); err != nil {
		w.t.Fatal(err)
	}
}

// An attempt without an answer is as a crash inside it.
func TestUnclearAttempts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		w.start()
		defer w.stop()
		once := map[cx.SendKey]bool{}
		w.far.Answer(func(_ context.Context, d *cx.Delivery) error {
			if !once[d.Key] {
				once[d.Key] = true
				return errors.New("connection reset")
			}
			return deliver.Refused(errors.New("409"))
		})
		marketing := delivery(1, cx.Marketing, "crm")
		w.send(marketing)
		owed := delivery(2, cx.Transactional, "crm")
		w.send(owed)
		w.pass(time.Minute)
		w.expect("fates: what was refused after an attempt without an answer may have arrived", map[*cx.Delivery]string{marketing: "unknown", owed: "unknown"})
		if n := len(w.far.Arrivals()); n != 2 {
			t.Errorf("%d arrivals, want 2", n)
		}
	})
}

func TestPause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.start()
		if err := w.office.Pause(t.Context(), "shop", true); err != nil {
			t.Fatal(err)
		}
		d := delivery(1, cx.Marketing, "crm")
		w.send(d)
		w.stop()
		w.start()
		w.pass(time.Hour)
		w.expect("fates while paused", map[*cx.Delivery]string{})
		if !w.office.Paused("shop") || w.office.Paused("other") {
			t.Error("what is paused is mixed up")
		}
		if said := w.office.Troubles(); len(said) != 1 || !strings.Contains(said[0], "sends of workspace shop are paused") {
			t.Errorf("troubles: %v", said)
		}
		if err := w.office.Pause(t.Context(), "shop", false); err != nil {
			t.Fatal(err)
		}
		w.pass(time.Second)
		w.expect("fates afterwards", map[*cx.Delivery]string{d: "sent"})
		w.stop()
	})
}

func TestRetryNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.start()
		defer w.stop()
		down := true
		w.far.Answer(func(context.Context, *cx.Delivery) error {
			if down {
				return deliver.NotNow(errors.New("429"), 90*time.Minute)
			}
			return nil
		})
		d := delivery(1, cx.Marketing, "crm")
		w.send(d)
		down = false
		if n, err := w.office.Retry(t.Context(), "rival", "", cx.SendKey{}); n != 0 || err != nil {
			t.Errorf("another workspace hurries it: %d, %v", n, err)
		}
		if n, err := w.office.Retry(t.Context(), "shop", "crm", d.Key); n != 1 || err != nil {
			t.Errorf("Retry() = %d, %v", n, err)
		}
		w.pass(time.Second)
		w.expect("fates", map[*cx.Delivery]string{d: "sent"})
	})
}

// What a computation from the journal decides anew about the past is not sent.
func TestRebuiltStateIsWithheld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.start()
		w.send(delivery(10, cx.Marketing, "crm"))
		w.pass(time.Second)
		w.stop()
		old, fresh := delivery(5, cx.Transactional, "crm"), delivery(12, cx.Marketing, "crm")
		w.decide(old, fresh)
		w.start()
		w.pass(time.Second)
		w.stop()
		got := w.told(t)
		if got[old.Key.String()] != "withheld" || got[fresh.Key.String()] != "sent" {
			t.Errorf("fates: %v", got)
		}
	})
}

// When the record of what was sent is lost, what stands in the outbox may have
// been sent.
func TestLostRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, false)
		marketing, owed := delivery(1, cx.Marketing, "crm"), delivery(2, cx.Transactional, "crm")
		w.decide(marketing, owed)
		w.start()
		w.pass(time.Second)
		later := delivery(3, cx.Marketing, "crm")
		w.send(later)
		w.pass(time.Second)
		w.stop()
		w.expect("fates", map[*cx.Delivery]string{marketing: "unknown", owed: "sent", later: "sent"})
	})
}

func TestDestinations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, true)
		w.start()
		defer w.stop()
		w.far.Answer(func(context.Context, *cx.Delivery) error { return deliver.NotNow(errors.New("down"), 0) })
		var ds []*cx.Delivery
		for n := range uint64(10) {
			ds = append(ds, delivery(n+1, cx.Marketing, "crm"))
		}
		w.send(ds...)
		w.pass(time.Second)
		got, err := w.office.Destinations(t.Context())
		if err != nil || len(got) != 1 || got[0].Waiting != 10 || !got[0].Open || got[0].Oldest != ds[0].At {
			t.Errorf("%+v, %v", got, err)
		}
		if said := w.office.Troubles(); len(said) != 1 || !strings.Contains(said[0], "destination crm of workspace shop does not answer") {
			t.Errorf("troubles: %v", said)
		}
	})
}
