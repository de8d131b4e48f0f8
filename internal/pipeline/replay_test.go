package pipeline_test

import (
	"bytes"
	stdcmp "cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/demo"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/journal"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// shelf is a warehouse that keeps rows in memory, and holds the machine to its
// promise of giving each exactly once.
type shelf struct {
	mu      sync.Mutex
	upto    cx.Position
	batch   pipeline.Batch
	seen    map[cx.Position]bool
	decided map[cx.DecisionID]bool
}

func (s *shelf) Position(context.Context) (cx.Position, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.upto, nil
}

func (s *shelf) Append(_ context.Context, b *pipeline.Batch) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if b.Upto <= s.upto && s.upto != 0 {
		return cx.E(cx.Conflict, "append", "rows up to "+b.Upto.String()+" are stored already")
	}
	if s.seen == nil {
		s.seen = map[cx.Position]bool{}
	}
	for i := range b.Events {
		at := b.Events[i].Position
		if s.seen[at] || at <= s.upto {
			return cx.E(cx.Conflict, "append", "the event at "+at.String()+" comes twice")
		}
		s.seen[at] = true
		b.Events[i].Event = b.Events[i].Event.Clone()
	}
	for i := range b.Decisions {
		id := b.Decisions[i].ID
		if s.decided[id] {
			return cx.E(cx.Conflict, "append", "two decisions are called "+id.String())
		}
		if s.decided == nil {
			s.decided = map[cx.DecisionID]bool{}
		}
		s.decided[id] = true
	}
	s.batch.Events = append(s.batch.Events, b.Events...)
	s.batch.Decisions = append(s.batch.Decisions, b.Decisions...)
	s.batch.Exposures = append(s.batch.Exposures, b.Exposures...)
	s.batch.Moves = append(s.batch.Moves, b.Moves...)
	s.batch.Merges = append(s.batch.Merges, b.Merges...)
	s.batch.Erased = append(s.batch.Erased, b.Erased...)
	s.batch.Deliveries = append(s.batch.Deliveries, b.Deliveries...)
	for _, x := range b.Resorted {
		for i := range s.batch.Events {
			if e := &s.batch.Events[i]; e.Position == x.Event {
				e.Customer = x.Customer
			}
		}
	}
	s.upto = b.Upto
	return nil
}

// reaches reports whether the rows of a record, and of all before it, are stored.
func (s *shelf) reaches(sequence uint64) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.upto.Sequence() >= sequence
}

// EventsOf makes shelf a pipeline.Past.
func (s *shelf) EventsOf(_ context.Context, w cx.Workspace, id cx.CustomerID, from, to cx.Position, found func(cx.Position, cx.Instant, *cx.Event) error) error {
	s.mu.Lock()
	rows := slices.Clone(s.batch.Events)
	s.mu.Unlock()
	slices.SortFunc(rows, func(a, b pipeline.EventRow) int { return stdcmp.Compare(a.Position, b.Position) })
	for _, r := range rows {
		if r.Customer == id && r.Event.Workspace == w && r.Position >= from && r.Position < to {
			if err := found(r.Position, r.At, r.Event); err != nil {
				return err
			}
		}
	}
	return nil
}

// customers returns whose events were stored.
func (s *shelf) customers() (who []cx.CustomerID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, e := range s.batch.Events {
		who = append(who, e.Customer)
	}
	return who
}

// decisions returns what was decided, where and for whom.
func (s *shelf) decisions() map[cx.DecisionID]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[cx.DecisionID]string{}
	for _, d := range s.batch.Decisions {
		out[d.ID] = fmt.Sprintf("%v %s %x", d.Position, d.Customer, d.Trace)
		for _, w := range d.Winners {
			out[d.ID] += " " + string(w.Content)
		}
	}
	return out
}

// moves returns who entered and left what, in order for each customer.
func (s *shelf) moves() map[cx.CustomerID][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := map[cx.CustomerID][]string{}
	for _, m := range s.batch.Moves {
		out[m.Customer] = append(out[m.Customer], fmt.Sprintf("%v %s %v %v", m.Position, m.Segment, m.Entered, m.ByTime))
	}
	return out
}

// wall is a clock that moves when told.
type wall struct {
	mu sync.Mutex
	at time.Time
}

func (w *wall) now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.at
}

func (w *wall) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.at = w.at.Add(d)
}

func openJournal(t *testing.T, dir string, clock *wall) *journal.Journal {
	t.Helper()
	j, err := journal.Open(t.Context(), journal.Options{Dir: dir, Now: clock.now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { j.Close() })
	return j
}

// reminder is decided by timers, for several people at one tick.
const reminder = `
kind: action
name: forgotten-cart-reminder
purpose: on_site_service
issue: service
group: cart
place: bottom-bar
trigger:
  - segment: forgotten-cart
applicable: cart > 0
value: 1
copy:
  ja:
    text: カートに商品があります
  en:
    text: Your cart is waiting
`

func demoDocuments(t *testing.T, more ...definition.File) []byte {
	t.Helper()
	var files []definition.File
	err := fs.WalkDir(demo.Definitions(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(name) != ".yaml" {
			return err
		}
		text, err := fs.ReadFile(demo.Definitions(), name)
		text = bytes.Replace(text, []byte("allowed: ["), []byte("allowed: [transactional, "), 1)
		files = append(files, definition.File{Name: name, Text: text})
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	files = append(files, definition.File{Name: "reminder.yaml", Text: []byte(reminder)}, definition.File{Name: "hooks.yaml", Text: []byte(hooks)})
	files = append(files, more...)
	docs, problems := definition.Parse(files)
	if len(problems) > 0 {
		t.Fatal(definition.AsError(problems))
	}
	b, err := definition.Canonical(docs)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// visits writes a seeded history into the journal: people browse, fill carts,
// buy, log in on several devices, report what they saw, come back hours later.
// Time jumps, messages repeat, ticks pass.
func visits(t *testing.T, j *journal.Journal, clock *wall, seed uint64, n int) {
	t.Helper()
	visitsUnder(t, j, clock, seed, n, demoDocuments(t))
}

// visitsUnder is visits with another set than the demo's.
func visitsUnder(t *testing.T, j *journal.Journal, clock *wall, seed uint64, n int, set []byte) {
	t.Helper()
	r := rand.New(rand.NewPCG(seed, 1))
	first := int(seed) * 1_000_000
	publish := pipeline.EncodePublication(&pipeline.Publication{Workspace: "demo", Who: "k_test", Why: "test", Canonical: set})
	entries := []cx.Entry{{Kind: cx.EntryDefinitions, Payload: publish}}
	flush := func() {
		if len(entries) == 0 {
			return
		}
		if _, err := j.Append(t.Context(), entries, nil); err != nil {
			t.Fatal(err)
		}
		entries = nil
	}
	flush()
	var sent []cx.Event
	for i := range n {
		clock.pass(time.Duration(r.IntN(4000)) * time.Millisecond)
		if r.IntN(400) == 0 {
			clock.pass(time.Duration(r.IntN(90)) * time.Minute)
		}
		now := cx.InstantOf(clock.now())
		ev := visit(r, now, first+i)
		if len(sent) > 0 && r.IntN(20) == 0 {
			ev = sent[r.IntN(len(sent))] // a message that comes again
		} else {
			sent = append(sent, ev)
		}
		entries = append(entries, cx.Entry{Kind: cx.EntryEvent, Payload: cx.AppendEvent(nil, &ev)})
		if r.IntN(40) == 0 {
			entries = append(entries, cx.Entry{Kind: cx.EntryTick})
		}
		if i == n/2 {
			entries = append(entries, cx.Entry{Kind: cx.EntryDefinitions, Payload: publish})
		}
		if r.IntN(5) == 0 {
			flush()
		}
	}
	flush()
}

// afterwards lets two days pass without an event.
func afterwards(t *testing.T, j *journal.Journal, clock *wall) {
	t.Helper()
	for range 2 {
		clock.pass(24 * time.Hour)
		if _, err := j.Append(t.Context(), []cx.Entry{{Kind: cx.EntryTick}}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

// visit makes one event of one of few people, so that they meet and merge.
func visit(r *rand.Rand, now cx.Instant, i int) cx.Event {
	person := r.IntN(60)
	ev := cx.Event{
		Workspace: "demo", Key: "k_demo", KeyKind: cx.BrowserKey, Type: cx.Track, Flags: cx.WantsAnswer | cx.TimeSet,
		MessageID: fmt.Sprintf("m-%d", i), AnonymousID: fmt.Sprintf("device-%d-%d", person, r.IntN(3)),
		Time: now - cx.Instant(r.IntN(3))*cx.Second, ReceivedAt: now, Locale: []string{"ja", "en"}[person%2],
	}
	if r.IntN(15) == 0 {
		ev.Time -= cx.Instant(r.IntN(600)) * cx.Second
	}
	price := 500 * (1 + r.IntN(8))
	switch r.IntN(12) {
	case 0:
		ev.Type, ev.Name, ev.UserID = cx.Identify, cx.Identified, fmt.Sprintf("user-%d", person)
		ev.Properties = fmt.Appendf(nil, `{"plan":"gold","email":"p%d@example.com"}`, person)
		if r.IntN(2) == 0 {
			ev.Flags |= cx.Verified
			ev.KeyKind = cx.ServerKey
		}
	case 1, 2, 3:
		ev.Type, ev.Name = cx.Page, cx.PageViewed
		ev.Properties = []byte(`{"path":"/shop/"}`)
	case 4, 5, 6, 7:
		ev.Name = "Product Added"
		ev.Properties = fmt.Appendf(nil, `{"product_id":"p%d","price":%d,"quantity":1,"currency":"JPY"}`, r.IntN(6), price)
	case 8:
		ev.Name = "Product Removed"
		ev.Properties = fmt.Appendf(nil, `{"product_id":"p%d","price":%d,"quantity":1,"currency":"JPY"}`, r.IntN(6), price)
	case 9:
		ev.Name = cx.OrderCompleted
		ev.Properties = fmt.Appendf(nil, `{"order_id":"o%d","subtotal":%d,"total":%d,"currency":"JPY"}`, i, price, price)
	case 10:
		ev.Name = cx.MessageShown
		ev.Properties = fmt.Appendf(nil, `{"decision_id":%q,"action":"free-shipping-bar"}`, cx.NewDecisionID(cx.At(uint64(1+r.IntN(i%1_000_000+1)), 0)))
	case 11:
		ev.Name = "Product Viewed"
		ev.Properties = fmt.Appendf(nil, `{"product_id":"p%d","price":%d,"currency":"JPY"}`, r.IntN(6), price)
	}
	return ev
}

// log is a journal, or a journal with its past.
type log interface {
	pipeline.Journal
	Last() (sequence uint64, at cx.Instant)
}

// run lets a shard take the journal up to its end, and make the cut it is to make,
// and returns its state.
func run(t *testing.T, j log, statePath string, house pipeline.Warehouse, o pipeline.Options) pipeline.Fingerprint {
	t.Helper()
	state, err := sqlite.OpenState(t.Context(), sqlite.StateOptions{Path: statePath})
	if err != nil {
		t.Fatal(err)
	}
	defer state.Close()
	o.Journal, o.Store, o.Warehouse, o.Passive = j, state, house, true
	s, err := pipeline.Open(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- s.Run(ctx) }()
	last, _ := j.Last()
	for p := s.Progress(); p.Applied.Sequence() < last || p.Checkpoint < o.CutAt; p = s.Progress() {
		select {
		case err := <-ended:
			t.Fatalf("the machine stopped: %v", err)
		case <-time.After(time.Millisecond):
		}
	}
	stop()
	if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
		t.Fatal(err)
	}
	f, err := s.Fingerprint(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestStateFollowsFromTheJournalAlone(t *testing.T) {
	dir := t.TempDir()
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, filepath.Join(dir, "journal"), clock)
	visits(t, j, clock, 7, 4000)
	afterwards(t, j, clock)

	plain := new(shelf)
	want := run(t, j, filepath.Join(dir, "plain.db"), plain, pipeline.Options{Workers: 1, CheckpointEvery: time.Hour})
	if want.Customers < 40 || len(plain.batch.Decisions) < 100 || len(plain.batch.Merges) < 20 || len(plain.batch.Moves) < 100 {
		t.Fatalf("the history is too dull to prove anything: %d customers, %d decisions, %d merges, %d moves",
			want.Customers, len(plain.batch.Decisions), len(plain.batch.Merges), len(plain.batch.Moves))
	}
	for name, o := range map[string]pipeline.Options{
		"two workers":              {Workers: 2, CheckpointEvery: time.Hour},
		"seven workers, many cuts": {Workers: 7, CheckpointEvery: 1},
		"one worker, many cuts":    {Workers: 1, CheckpointEvery: 1},
		"hardly any memory":        {Workers: 2, CheckpointEvery: 1, CacheBytes: 1},
		"less than nothing":        {Workers: -1, CheckpointEvery: -1, RestAfter: -1, CacheBytes: -1},
		"nobody stays awake":       {Workers: 2, CheckpointEvery: 1, RestAfter: time.Microsecond},
		"nor in memory":            {Workers: 2, CheckpointEvery: 1, RestAfter: time.Microsecond, CacheBytes: 10_000},
	} {
		t.Run(name, func(t *testing.T) {
			house := new(shelf)
			got := run(t, j, filepath.Join(t.TempDir(), "state.db"), house, o)
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("another state (-plain +this):\n%s", diff)
			}
			if diff := cmp.Diff(plain.decisions(), house.decisions()); diff != "" {
				t.Errorf("other decisions (-plain +this):\n%s", diff)
			}
			if diff := cmp.Diff(plain.moves(), house.moves()); diff != "" {
				t.Errorf("other memberships (-plain +this):\n%s", diff)
			}
		})
	}
}

// A machine that is stopped again and again, without a word of farewell, and
// recovers from whatever checkpoint there is, ends in the same state, has given
// the warehouse every row once, and has decided the same.
func TestRestartsLeaveNoTrace(t *testing.T) {
	dir := t.TempDir()
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, filepath.Join(dir, "journal"), clock)
	restarted := new(shelf)
	var got pipeline.Fingerprint
	for round := range uint64(6) {
		visits(t, j, clock, 20+round, 500)
		if round == 5 {
			afterwards(t, j, clock)
		}
		got = run(t, j, filepath.Join(dir, "state.db"), restarted, pipeline.Options{Workers: 1 + int(round)%3, CheckpointEvery: 20 * time.Millisecond, RestAfter: time.Millisecond})
	}
	plain := new(shelf)
	want := run(t, j, filepath.Join(dir, "plain.db"), plain, pipeline.Options{Workers: 2, CheckpointEvery: time.Hour})
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("another state (-plain +restarted):\n%s", diff)
	}
	if diff := cmp.Diff(plain.decisions(), restarted.decisions()); diff != "" {
		t.Errorf("other decisions (-plain +restarted):\n%s", diff)
	}
	if diff := cmp.Diff(plain.moves(), restarted.moves()); diff != "" {
		t.Errorf("other memberships (-plain +restarted):\n%s", diff)
	}
	if a, b := len(plain.batch.Events), len(restarted.batch.Events); a != b {
		t.Errorf("%d event rows without restarts, %d with", a, b)
	}
}

// Every decision can be made again from what was stored beside it, and comes out
// the same, number for number.
func TestDecisionsExplainThemselves(t *testing.T) {
	dir := t.TempDir()
	clock := &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	j := openJournal(t, filepath.Join(dir, "journal"), clock)
	visits(t, j, clock, 3, 1500)
	afterwards(t, j, clock)
	house := new(shelf)
	var published []pipeline.Publication
	run(t, j, filepath.Join(dir, "state.db"), house, pipeline.Options{
		Workers: 2, Published: func(p pipeline.Publication) { published = append(published, p) },
	})
	sets := map[uint64]*definition.Set{}
	registry := new(definition.Registry)
	for _, p := range published {
		docs, err := definition.ParseCanonical(p.Canonical)
		if err != nil {
			t.Fatal(err)
		}
		set, problems := definition.Build(docs, registry, p.Sequence)
		if len(problems) > 0 {
			t.Fatal(definition.AsError(problems))
		}
		sets[p.Sequence] = set
	}
	events := map[cx.Position]*cx.Event{}
	for i := range house.batch.Events {
		events[house.batch.Events[i].Position] = house.batch.Events[i].Event
	}
	spoke, silent := 0, 0
	for i := range house.batch.Decisions {
		d := &house.batch.Decisions[i]
		e, err := pipeline.Explain(d, sets[d.Definitions], nil, func() (*cx.Event, error) {
			if e := events[d.Position]; e != nil {
				return e, nil
			}
			return nil, cx.E(cx.NotFound, "", "no event at "+d.Position.String())
		})
		if err != nil {
			t.Fatal(err)
		}
		if !e.Same {
			t.Fatalf("decision %s at %v comes out otherwise (-then +now):\n%s", d.ID, d.Position, cmp.Diff(e.Then, e.Now))
		}
		if len(d.Winners) > 0 {
			spoke++
		} else {
			silent++
		}
	}
	if spoke < 50 || silent < 50 {
		t.Errorf("%d decisions spoke and %d were silent: too few to prove anything", spoke, silent)
	}
}
