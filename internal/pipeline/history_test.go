package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/profile"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// TestHistoriesFollowFromTheJournal lets few people share devices, log in, be
// merged, told apart, put in quarantine, erased and judged by other sets, in many
// short random histories. In between the machine is stopped, with its last cut or
// without, and also between and inside the two entries of an un-merge; it goes on
// with other workers, cuts and memory. In the end its state, all that it has
// stored and all that it has put out must be what one that was never stopped
// computes from the journal.
//
// HISTORIES says how many there are; HISTORY_SEED is the seed of the first, and
// alone repeats that one.
func TestHistoriesFollowFromTheJournal(t *testing.T) {
	seeds := slices.Collect(seedsOf(t, 24))
	sets := townSets(t)
	done := map[string]int{}
	for _, seed := range seeds {
		l := &life{T: t, seed: seed, r: rand.New(rand.NewPCG(seed, 99)), sets: sets, done: done}
		l.happen(t.TempDir())
		if t.Failed() {
			t.Fatalf("HISTORY_SEED=%d repeats it:\n%s", seed, strings.Join(l.story, "\n"))
		}
	}
	t.Logf("%d histories: %v", len(seeds), done)
	if len(seeds) < 24 {
		return
	}
	for what, least := range map[string]int{"merge": 1, "unmerge": 2, "quarantine": 1, "undo links": 0, "release": 0, "erase": 0, "fate": 1, "stop": 1, "kill": 2, "kill at an un-merge": 0, "spill": 0} {
		if done[what] <= least*len(seeds)/4 {
			t.Errorf("%d times %s in %d histories: too little to prove anything", done[what], what, len(seeds))
		}
	}
}

// seedsOf are the seeds to try: n of them, unless the environment says otherwise.
func seedsOf(t *testing.T, n uint64) func(func(uint64) bool) {
	t.Helper()
	number := func(name string) (uint64, bool) {
		text := os.Getenv(name)
		if text == "" {
			return 0, false
		}
		v, err := strconv.ParseUint(text, 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return v, true
	}
	from := uint64(1)
	if seed, ok := number("HISTORY_SEED"); ok {
		from, n = seed, 1
	}
	if many, ok := number("HISTORIES"); ok {
		n = many
	}
	return func(yield func(uint64) bool) {
		for seed := from; seed < from+n && yield(seed); seed++ {
		}
	}
}

// townWorkspace and what follows it is a small set, so that publishing it costs
// little.
const (
	townWorkspace = `
kind: workspace
name: demo
time_zone: Asia/Tokyo
currency: JPY
language: en
consent:
  allowed: [on_site_service, transactional]
  categories: {functional: on_site_service}
merge_on: [%s]
---
kind: destination
name: crm
url: https://crm.example/hooks
---
kind: segment
name: eager
when: count("Product Added", "1h") >= 2
---
kind: segment
name: forgotten
when: count("Product Added", "all") > 0 && since("Product Added") >= minutes(15)
---
kind: action
name: bar
purpose: on_site_service
issue: service
group: bar
place: top-bar
live: true
trigger: [{event: Product Added}]
applicable: segment("eager")
value: 1
copy:
  ja: {text: もっと？}
  en: {text: More?}
---
kind: action
name: tell-crm
purpose: transactional
channel: webhook
destination: crm
trigger: [{event: Order Completed}, {segment: forgotten}]
body: {all: sure}
`
	townMore = `
kind: segment
name: spender
when: sum("Order Completed", "total", "all") >= 1000
`
)

// townSets are the sets that are in force at times. The last asks for a
// statistic that the others do not keep.
func townSets(t *testing.T) (sets [][]byte) {
	t.Helper()
	for _, text := range []string{
		fmt.Sprintf(townWorkspace, "mail"), fmt.Sprintf(townWorkspace, "mail, phone"), fmt.Sprintf(townWorkspace, ""),
		fmt.Sprintf(townWorkspace, "mail") + "---" + townMore,
	} {
		docs, problems := definition.Parse([]definition.File{{Name: "set.yaml", Text: []byte(text)}})
		if len(problems) > 0 {
			t.Fatal(definition.AsError(problems))
		}
		b, err := definition.Canonical(docs)
		if err != nil {
			t.Fatal(err)
		}
		if _, problems = definition.Build(docs, new(definition.Registry), 1); len(problems) > 0 {
			t.Fatal(definition.AsError(problems))
		}
		sets = append(sets, b)
	}
	return sets
}

// life is one random history and the machine that lives through it.
type life struct {
	*testing.T
	seed  uint64
	r     *rand.Rand
	sets  [][]byte
	done  map[string]int // how often what was done, over all lives
	story []string

	j     *paper
	clock *wall
	house *shelf
	path  string

	said     []cx.Event
	sent     []cx.Delivery // whose fates were told
	commands [][]byte
	ids      []cx.CustomerID // who was once
	handled  int             // values that came into quarantine and were seen to
	deadly   int             // the un-merge entry at which the machine is killed, counted down; 0 for none
	durable  bool            // … after it was written

	// The running machine.
	state *gated
	shard *pipeline.Shard
	alive context.Context
	die   context.CancelFunc
	ended chan error
}

func (l *life) happen(dir string) {
	l.Helper()
	l.clock = &wall{at: time.Date(2026, 11, 22, 3, 0, 0, 0, time.UTC)}
	l.j, l.house, l.path = newPaper(l.clock), new(shelf), filepath.Join(dir, "state.db")
	l.j.before, l.j.after = l.mind, l.notice
	l.publish(0)
	l.start()
	for range 20 + l.r.IntN(60) {
		l.step()
		if l.Failed() {
			l.kill("failed")
			return
		}
	}
	l.kill("at last")
	l.clock.pass(time.Duration(l.r.IntN(3*24)) * time.Hour)
	l.j.before, l.j.after = nil, nil
	last := l.append(cx.Entry{Kind: cx.EntryTick})
	l.compare(last, dir)
}

func (l *life) tell(format string, args ...any) {
	l.story = append(l.story, fmt.Sprintf(format, args...))
}

func (l *life) count(what string) { l.done[what]++ }

// step does one thing, and kills the machine or stops it now and then.
func (l *life) step() {
	l.Helper()
	l.clock.pass(time.Duration(l.r.IntN(120)) * time.Second)
	l.settle()
	l.remember()
	switch n := l.r.IntN(100); {
	case n < 38:
		l.events()
	case n < 50:
		l.clock.pass(time.Duration(l.r.IntN(60)) * time.Minute)
		if l.r.IntN(8) == 0 {
			l.clock.pass(time.Duration(l.r.IntN(30)) * time.Hour)
		}
		l.tell("%v tick at %v", l.append(cx.Entry{Kind: cx.EntryTick}), cx.InstantOf(l.clock.now()))
	case n < 57:
		a, b := l.somebody(), l.somebody()
		l.tell("%v merge %s %s", l.command(cx.CommandMerge, cx.AppendPair(nil, a, b)), a, b)
		l.count("merge")
	case n < 69:
		l.unmerge()
	case n < 71:
		l.crowd()
	case n < 73:
		l.release()
	case n < 75:
		id := l.somebody()
		l.tell("%v erase %s", l.command(cx.CommandErase, cx.AppendErase(nil, id)), id)
		l.count("erase")
	case n < 78:
		l.publish(l.r.IntN(len(l.sets)))
	case n < 82:
		l.fates()
	case n < 84:
		if len(l.commands) > 0 {
			l.tell("%v an old command again", l.append(cx.Entry{Kind: cx.EntryCommand, Payload: l.commands[l.r.IntN(len(l.commands))]}))
		}
	case n < 88:
		l.flush()
	case n < 92:
		if l.state.isOpen() {
			l.state.shut()
			l.tell("nothing is committed from here")
		} else {
			l.state.letThrough()
			l.tell("what was cut is committed")
		}
	case n < 97:
		l.kill("and goes on")
		l.count("kill")
		if l.r.IntN(5) == 0 {
			l.check()
		}
		l.start()
	default:
		l.flush()
		l.kill("with everything saved")
		l.count("stop")
		l.start()
	}
	l.quarantines()
}

// start starts a machine over what there is.
func (l *life) start() {
	l.Helper()
	state, err := sqlite.OpenState(l.Context(), sqlite.StateOptions{Path: l.path})
	if err != nil {
		l.Fatal(err)
	}
	l.state = newGated(state)
	o := pipeline.Options{
		Journal: l.j, Store: l.state, Warehouse: l.house, Passive: true, Workers: 1 + l.r.IntN(5),
		CheckpointEvery: []time.Duration{1, time.Hour}[l.r.IntN(2)], RestAfter: []time.Duration{time.Microsecond, time.Hour}[l.r.IntN(2)], CacheBytes: int64(1) << l.r.IntN(28),
	}
	l.tell("start with %d workers, cuts every %v, rest after %v, %d bytes", o.Workers, o.CheckpointEvery, o.RestAfter, o.CacheBytes)
	if l.shard, err = pipeline.Open(l.Context(), o); err != nil {
		l.Fatal(err)
	}
	l.alive, l.die = context.WithCancel(l.Context())
	l.ended = make(chan error, 1)
	go func(ctx context.Context, s *pipeline.Shard, ended chan<- error) { ended <- s.Run(ctx) }(l.alive, l.shard, l.ended)
	l.handled = 0
}

// kill stops the machine where it is: what is not committed is lost.
func (l *life) kill(why string) {
	l.Helper()
	l.die()
	if err := <-l.ended; err != nil && !errors.Is(err, context.Canceled) {
		l.Error(err)
	}
	l.tell("stopped %s: state of %v, rows of %v", why, l.shard.Progress().Checkpoint, l.house.upto)
	if err := l.state.Close(); err != nil {
		l.Error(err)
	}
}

// wait waits until something of the machine is so.
func (l *life) wait(what string, is func() bool) {
	l.Helper()
	for deadline := time.Now().Add(time.Minute); !is(); time.Sleep(50 * time.Microsecond) {
		select {
		case err := <-l.ended:
			l.ended <- err
			l.Fatalf("the machine stopped: %v\nHISTORY_SEED=%d\n%s", err, l.seed, strings.Join(l.story, "\n"))
		default:
		}
		if time.Now().After(deadline) {
			l.Fatalf("not within a minute: %s\nHISTORY_SEED=%d\n%s", what, l.seed, strings.Join(l.story, "\n"))
		}
	}
}

// settle waits until the machine has taken everything.
func (l *life) settle() {
	l.Helper()
	last, _ := l.j.Last()
	l.wait("everything is taken", func() bool { return l.shard.Progress().Applied.Sequence() >= last })
}

// idle waits until everything is taken and what was cut is committed.
func (l *life) idle() {
	l.Helper()
	l.state.letThrough()
	l.settle()
	l.wait("what was cut is committed", func() bool { return !l.shard.Cutting() })
}

func (l *life) flush() {
	l.Helper()
	l.idle()
	if err := l.shard.Flush(l.alive); err != nil {
		l.Fatal(err)
	}
	l.tell("saved up to %v", l.shard.Progress().Checkpoint)
}

func (l *life) append(entries ...cx.Entry) cx.Position {
	l.Helper()
	at, err := l.j.Append(l.Context(), entries, nil)
	if err != nil {
		l.Fatal(err)
	}
	return at
}

func (l *life) command(kind cx.CommandKind, body []byte) cx.Position {
	l.Helper()
	return l.append(cx.Entry{Kind: cx.EntryCommand, Payload: cx.AppendCommand(nil, &cx.Command{Kind: kind, Workspace: "demo", Who: "k_test", Body: body})})
}

func (l *life) publish(set int) {
	l.Helper()
	p := pipeline.EncodePublication(&pipeline.Publication{Workspace: "demo", Who: "k_test", Canonical: l.sets[set]})
	l.tell("%v publish set %d", l.append(cx.Entry{Kind: cx.EntryDefinitions, Payload: p}), set)
}

// mind kills the machine before an entry of an un-merge is written.
func (l *life) mind(entries []cx.Entry) error {
	if l.deadly == 1 && !l.durable && isUnmerge(entries) {
		l.deadly = 0
		l.die()
		return context.Canceled
	}
	return nil
}

// notice kills the machine after an entry of an un-merge was written, and keeps
// commands to give again.
func (l *life) notice(entries []cx.Entry) {
	for _, e := range entries {
		if e.Kind == cx.EntryCommand {
			l.commands = append(l.commands, slices.Clone(e.Payload))
		}
	}
	if !isUnmerge(entries) || l.deadly == 0 {
		return
	}
	if l.deadly == 1 && l.durable {
		l.die()
	}
	l.deadly--
}

func isUnmerge(entries []cx.Entry) bool {
	return slices.ContainsFunc(entries, func(e cx.Entry) bool {
		c, err := cx.DecodeCommand(e.Payload)
		return e.Kind == cx.EntryCommand && err == nil && c.Kind == cx.CommandUnmerge
	})
}

// Names that events may have.
func (l *life) device() string { return fmt.Sprint("a", l.r.IntN(6)) }
func (l *life) user() string   { return fmt.Sprint("u", l.r.IntN(8)) }

// remember keeps who somebody is now, to be named later.
func (l *life) remember() {
	for i := range 8 {
		for _, n := range []cx.Identity{{Namespace: cx.UserID, Value: fmt.Sprint("u", i)}, {Namespace: cx.ClaimedUserID, Value: fmt.Sprint("u", i)}, {Namespace: cx.AnonymousID, Value: fmt.Sprint("a", i)}} {
			if id := l.shard.Lookup("demo", n); id != 0 && !slices.Contains(l.ids, id) {
				l.ids = append(l.ids, id)
			}
		}
	}
}

func (l *life) somebody() cx.CustomerID {
	if len(l.ids) == 0 {
		return 1
	}
	return l.ids[l.r.IntN(len(l.ids))]
}

// events appends a record of some events; of very many, now and then.
func (l *life) events() {
	l.Helper()
	n := 1 + l.r.IntN(4)
	var entries []cx.Entry
	said := []string{}
	add := func(ev cx.Event) {
		l.said = append(l.said, ev)
		entries = append(entries, cx.Entry{Kind: cx.EntryEvent, Payload: cx.AppendEvent(nil, &ev)})
		said = append(said, fmt.Sprintf("%s %q a=%s u=%s from=%s verified=%v %s", ev.Type, ev.Name, ev.AnonymousID, ev.UserID, ev.PreviousID, ev.Has(cx.Verified), ev.Properties))
	}
	if l.r.IntN(60) == 0 {
		device := l.device()
		for range profile.SeenMax + profile.SpillBatch + l.r.IntN(profile.SpillBatch) {
			ev := l.event()
			ev.Type, ev.Name, ev.AnonymousID, ev.UserID, ev.PreviousID = cx.Track, "Product Viewed", device, "", ""
			add(ev)
		}
		l.tell("%v %d events of %s", l.append(entries...), len(entries), device)
		l.count("spill")
		return
	}
	for range n {
		ev := l.event()
		if len(l.said) > 0 && l.r.IntN(8) == 0 {
			ev = l.said[l.r.IntN(len(l.said))]
			if l.r.IntN(4) == 0 {
				ev.AnonymousID = l.device() // the same message, and another person
			}
		}
		add(ev)
	}
	at := l.append(entries...)
	for i, s := range said {
		l.tell("%v %s", at+cx.Position(i), s)
	}
}

func (l *life) event() cx.Event {
	r := l.r
	ev := cx.Event{
		Workspace: "demo", Key: "k_demo", KeyKind: cx.BrowserKey, Type: cx.Track, Flags: cx.TimeSet, MessageID: fmt.Sprint("m", len(l.said)),
		AnonymousID: l.device(), Time: cx.InstantOf(l.clock.now()), ReceivedAt: cx.InstantOf(l.clock.now()),
	}
	if r.IntN(10) == 0 {
		ev.Time -= cx.Instant(r.IntN(4000)) * cx.Second
	}
	vouch := func() {
		ev.Flags, ev.KeyKind = ev.Flags|cx.Verified, cx.ServerKey
	}
	switch r.IntN(12) {
	case 0, 1, 2:
		ev.Type, ev.Name, ev.UserID = cx.Identify, cx.Identified, l.user()
		ev.Properties = fmt.Appendf(nil, `{"plan":"p%d"}`, r.IntN(3))
		switch r.IntN(3) {
		case 0:
			ev.Properties = fmt.Appendf(nil, `{"email":"m%d@x.jp","plan":"p%d"}`, r.IntN(4), r.IntN(3))
		case 1:
			ev.Properties = fmt.Appendf(nil, `{"email":"m%d@x.jp","phone":"+8190000000%d"}`, r.IntN(4), r.IntN(3))
		}
		if r.IntN(3) > 0 {
			vouch()
		}
		if r.IntN(4) == 0 {
			ev.UserID = ""
		} else if r.IntN(4) == 0 {
			ev.AnonymousID = ""
		}
	case 3:
		ev.Type, ev.Name, ev.UserID, ev.PreviousID, ev.AnonymousID = cx.Alias, cx.Aliased, l.user(), l.device(), ""
		if r.IntN(2) == 0 {
			vouch()
			ev.PreviousID = l.user()
		}
	case 4, 5:
		ev.Name, ev.UserID = "Product Added", l.user()
		ev.Properties = fmt.Appendf(nil, `{"product_id":"p%d","price":%d,"quantity":1,"currency":"JPY"}`, r.IntN(3), 100*r.IntN(9))
		if r.IntN(2) == 0 {
			vouch()
		}
	case 6, 7:
		ev.Name = cx.OrderCompleted
		ev.Properties = fmt.Appendf(nil, `{"order_id":"o%d","total":%d,"currency":"JPY"}`, len(l.said), 100*r.IntN(9))
	case 8:
		last, _ := l.j.Last()
		ev.Name = cx.MessageShown
		ev.Properties = fmt.Appendf(nil, `{"decision_id":%q,"action":"bar"}`, cx.NewDecisionID(cx.At(1+uint64(r.Int64N(int64(last))), 0)))
	default:
		ev.Name = "Product Added"
		ev.Properties = fmt.Appendf(nil, `{"product_id":"p%d","price":%d,"quantity":1,"currency":"JPY"}`, r.IntN(3), 100*r.IntN(9))
	}
	return ev
}

// crowd has so many users log in on one device that it links nobody any more.
func (l *life) crowd() {
	l.Helper()
	device := l.device()
	for i := range 7 {
		ev := l.event()
		ev.Type, ev.Name, ev.UserID, ev.AnonymousID, ev.PreviousID, ev.Properties = cx.Identify, cx.Identified, fmt.Sprint("u", i), device, "", nil
		ev.Flags, ev.KeyKind = ev.Flags|cx.Verified, cx.ServerKey
		l.said = append(l.said, ev)
		l.append(cx.Entry{Kind: cx.EntryEvent, Payload: cx.AppendEvent(nil, &ev)})
	}
	last, _ := l.j.Last()
	l.tell("%d seven users on %s", last, device)
	l.settle()
}

// quarantines undoes what values linked that have come into quarantine.
func (l *life) quarantines() {
	l.Helper()
	l.settle()
	n := l.shard.Quarantines()
	if n <= l.handled {
		return
	}
	l.count("quarantine")
	l.handled = n
	for _, x := range l.shard.Quarantined("demo") {
		l.atUnmerge(func() error {
			n, err := l.shard.UndoLinks(l.alive, l.house, x)
			l.tell("in quarantine: %s %s; %d links are undone, %v", x.Identity.Namespace, x.Identity.Value, n, err)
			l.done["undo links"] += n
			return err
		})
	}
}

func (l *life) release() {
	l.Helper()
	for _, x := range l.shard.Quarantined("demo") {
		l.tell("%v release %s %s", l.command(cx.CommandRelease, cx.AppendIdentity(nil, x.Identity)), x.Identity.Namespace, x.Identity.Value)
		l.count("release")
		return
	}
}

// fates tells how some deliveries ended.
func (l *life) fates() {
	l.Helper()
	var sent []cx.Delivery
	if err := l.state.EachDelivery(l.Context(), 0, func(d cx.Delivery) error {
		sent = append(sent, d)
		return nil
	}); err != nil {
		l.Fatal(err)
	}
	for _, d := range sent {
		if l.r.IntN(3) == 0 {
			continue
		}
		f := cx.Fate{
			Key: d.Key, Workspace: d.Workspace, Customer: d.Customer, Decision: d.Decision, Action: d.Action, Channel: d.Channel, Destination: d.Destination,
			State: cx.DeliverySent + cx.DeliveryState(l.r.IntN(4)), Attempts: 1,
		}
		l.tell("%v %s was %v", l.append(cx.Entry{Kind: cx.EntryFate, Payload: cx.AppendFate(nil, &f)}), d.Key, f.State)
		l.count("fate")
		l.sent = append(l.sent, d)
	}
	if len(l.sent) > 0 && l.r.IntN(2) == 0 {
		d := l.sent[l.r.IntN(len(l.sent))]
		l.tell("%v %s once more", l.command(cx.CommandResend, cx.AppendResend(nil, &d)), d.Key)
		l.count("resend")
	}
}

// unmerge undoes one of somebody's merges.
func (l *life) unmerge() {
	l.Helper()
	l.flush()
	for range 6 {
		id := l.somebody()
		facts, err := l.shard.Merges(l.Context(), id)
		if err != nil {
			l.Fatal(err)
		}
		facts = slices.DeleteFunc(facts, func(f pipeline.MergeFact) bool { return f.Undone != 0 })
		if len(facts) == 0 {
			continue
		}
		f := facts[l.r.IntN(len(facts))]
		l.atUnmerge(func() error {
			done, err := l.shard.Unmerge(l.alive, l.house, pipeline.ToUnmerge{Workspace: "demo", Customer: f.Loser, Merge: f.Position, Other: f.Winner})
			l.tell("un-merge %s and %s, merged at %v: %v", f.Winner, f.Loser, f.Position, err)
			if err == nil {
				l.tell("%v un-merged", done.Position)
				l.count("unmerge")
			}
			return err
		})
		return
	}
}

// atUnmerge does what writes entries of un-merges, and kills the machine at one of
// them now and then.
func (l *life) atUnmerge(f func() error) {
	l.Helper()
	l.idle()
	if l.r.IntN(4) == 0 {
		l.deadly, l.durable = 1+l.r.IntN(2), l.r.IntN(2) == 0
	}
	err := f()
	l.deadly = 0
	if l.alive.Err() != nil {
		l.count("kill at an un-merge")
		l.kill("at an un-merge")
		l.start()
		return
	}
	switch cx.KindOf(err) {
	case cx.Conflict, cx.NotFound:
	default:
		if err != nil {
			l.Error(err)
		}
	}
}

// check holds the state that the stopped machine recovers against one that was
// never stopped.
func (l *life) check() {
	l.Helper()
	want := run(l.T, l.j, filepath.Join(l.TempDir(), "plain.db"), new(shelf), pipeline.Options{Workers: 1, CheckpointEvery: time.Hour})
	got := run(l.T, l.j, l.path, l.house, pipeline.Options{Workers: 1 + l.r.IntN(5), CheckpointEvery: 1})
	if diff := cmp.Diff(want, got); diff != "" {
		l.Errorf("another state on the way (-plain +this):\n%s", diff)
	}
}

// compare holds the machine, recovered once more, against one that was never
// stopped. last is the tick at which both are saved.
func (l *life) compare(last cx.Position, dir string) {
	l.Helper()
	plain, o := new(shelf), pipeline.Options{CutAt: last}
	o.Workers, o.CheckpointEvery = 1, time.Hour
	want := run(l.T, l.j, filepath.Join(dir, "plain.db"), plain, o)
	o.Workers, o.CheckpointEvery = 1+l.r.IntN(5), []time.Duration{1, time.Hour}[l.r.IntN(2)]
	got := run(l.T, l.j, l.path, l.house, o)
	if diff := cmp.Diff(want, got); diff != "" {
		l.Errorf("another state (-plain +this):\n%s", diff)
	}
	if diff := cmp.Diff(l.stored(filepath.Join(dir, "plain.db")), l.stored(l.path)); diff != "" {
		l.Errorf("other things are stored (-plain +this):\n%s", diff)
	}
	if diff := cmp.Diff(putOut(plain), putOut(l.house)); diff != "" {
		l.Errorf("other things were put out (-plain +this):\n%s", diff)
	}
}

// holdings are all that a store has.
type holdings struct {
	Shared     map[string]string
	Customers  map[cx.CustomerID]*cx.Customer
	Due        map[cx.CustomerID]cx.Instant
	Identities map[string]pipeline.IdentityRow
	Merged     map[cx.CustomerID]cx.CustomerID
	Merges     map[cx.CustomerID][]pipeline.MergeFact
	Sightings  map[string]pipeline.Sighting
	Outbox     []cx.Delivery
}

func (l *life) stored(path string) holdings {
	l.Helper()
	state, err := sqlite.OpenState(l.Context(), sqlite.StateOptions{Path: path})
	if err != nil {
		l.Fatal(err)
	}
	defer state.Close()
	k := holdings{
		Customers: map[cx.CustomerID]*cx.Customer{}, Due: map[cx.CustomerID]cx.Instant{}, Identities: map[string]pipeline.IdentityRow{},
		Merged: map[cx.CustomerID]cx.CustomerID{}, Merges: map[cx.CustomerID][]pipeline.MergeFact{}, Sightings: map[string]pipeline.Sighting{},
	}
	ctx := l.Context()
	head, err := state.Recover(ctx)
	if err != nil {
		l.Fatal(err)
	}
	if k.Shared, err = pipeline.ShowShared(head.Shared); err != nil {
		l.Fatal(err)
	}
	name := func(w cx.Workspace, n cx.Identity) string {
		return fmt.Sprintf("%s %s %s", w, n.Namespace, n.Value)
	}
	for _, err := range []error{
		state.EachCustomer(ctx, func(id cx.CustomerID, blob []byte) (err error) {
			k.Customers[id], err = profile.DecodeCustomer(slices.Clone(blob))
			return err
		}),
		state.EachDue(ctx, func(id cx.CustomerID, due cx.Instant) error {
			k.Due[id] = due
			return nil
		}),
		state.EachIdentity(ctx, func(r pipeline.IdentityRow) error {
			k.Identities[name(r.Workspace, r.Identity)] = r
			return nil
		}),
		state.EachMerged(ctx, func(loser, winner cx.CustomerID) error {
			k.Merged[loser] = winner
			return nil
		}),
		state.EachSighting(ctx, func(x pipeline.Sighting) error {
			k.Sightings[name(x.Workspace, x.Identity)] = x
			return nil
		}),
		state.EachDelivery(ctx, 0, func(d cx.Delivery) error {
			k.Outbox = append(k.Outbox, d)
			return nil
		}),
	} {
		if err != nil {
			l.Fatal(err)
		}
	}
	for _, id := range l.ids {
		if err := state.Merges(ctx, id, func(f pipeline.MergeFact) error {
			k.Merges[id] = append(k.Merges[id], f)
			return nil
		}); err != nil {
			l.Fatal(err)
		}
	}
	return k
}

// put is all that the warehouse was given.
type put struct {
	Decisions map[cx.DecisionID]string
	Moves     map[cx.CustomerID][]string
	Events    map[cx.Position]cx.CustomerID
	Fates     map[cx.SendKey]string
	Merges    []string
	Exposures []string
	Erased    []string
}

func putOut(s *shelf) put {
	p := put{Decisions: s.decisions(), Moves: s.moves(), Events: s.events(), Fates: s.fates()}
	for _, m := range s.batch.Merges {
		p.Merges = append(p.Merges, fmt.Sprintf("%v", m))
	}
	for _, e := range s.batch.Exposures {
		p.Exposures = append(p.Exposures, fmt.Sprintf("%v", e))
	}
	for _, e := range s.batch.Erased {
		p.Erased = append(p.Erased, fmt.Sprintf("%v", e))
	}
	slices.Sort(p.Merges)
	slices.Sort(p.Exposures)
	slices.Sort(p.Erased)
	return p
}
