package decide_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/definition"
	"github.com/kikubari/kikubari/internal/learn"
	"github.com/kikubari/kikubari/internal/profile"
	"github.com/kikubari/kikubari/internal/rule"
	"github.com/kikubari/kikubari/internal/segment"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata")

// TestStories plays the stories in testdata: definitions, what happens to one
// visitor, and what is said to them and why.
//
// A line of a story is a time of day in the workspace's zone, what happens, and
// for an event its properties as JSON; "day 2026-11-23" goes to another day than
// 2026-11-22. Words in brackets say more: [en] the page's language, [no locale],
// [server] a server's event that waits for no answer, [id=x] a message id. Besides events there are: page, identify, wake (time
// passes), known ID and claimed ID (who it is), consent JSON, and shown, clicked
// or dismissed ACTION (what the client reports), rate ACTION EXPOSURES RESPONSES.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) { playFile(t, file) })
	}
}

func playFile(t *testing.T, file string) {
	t.Helper()
	a, err := txtar.ParseFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var yaml, story []byte
	want := -1
	for i, f := range a.Files {
		switch f.Name {
		case "definitions.yaml":
			yaml = f.Data
		case "story":
			story = f.Data
		case "want":
			want = i
		}
	}
	files := []definition.File{{Name: file, Text: yaml}}
	if yaml == nil {
		files = demoFiles(t)
	}
	p := newPlay(t, files...)
	for line := range strings.Lines(string(story)) {
		if line = strings.TrimSpace(line); line != "" && line[0] != '#' {
			p.line(line)
		}
	}
	if *update {
		if want < 0 {
			a.Files = append(a.Files, txtar.File{Name: "want"})
			want = len(a.Files) - 1
		}
		a.Files[want].Data = p.out.Bytes()
		if err := os.WriteFile(file, txtar.Format(a), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if want < 0 {
		t.Fatal("the story has no -- want --")
	}
	if diff := cmp.Diff(string(a.Files[want].Data), p.out.String()); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

// demoFiles are the definitions of a story that brings none of its own.
func demoFiles(tb testing.TB) (files []definition.File) {
	tb.Helper()
	names, err := filepath.Glob("../../demo/definitions/*.yaml")
	if err != nil || len(names) == 0 {
		tb.Fatalf("no definitions of the demo: %v", err)
	}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			tb.Fatal(err)
		}
		files = append(files, definition.File{Name: name, Text: b})
	}
	return files
}

// play is the line from a folded event to an answer, for one customer.
type play struct {
	t         testing.TB
	set       *definition.Set
	plan      *profile.Plan
	folder    profile.Folder
	evaluator segment.Evaluator
	decider   decide.Decider
	result    decide.Result
	customer  cx.Customer
	learned   learn.Delta
	rates     *learn.Table
	sequence  uint64
	day       string // YYYY-MM-DD
	out       bytes.Buffer
}

func newPlay(tb testing.TB, files ...definition.File) *play {
	tb.Helper()
	docs, problems := definition.Parse(files)
	var set *definition.Set
	if len(problems) == 0 {
		set, problems = definition.Build(docs, new(definition.Registry), 7)
	}
	if err := definition.AsError(problems); err != nil {
		tb.Fatal(err)
	}
	p := &play{t: tb, set: set, day: "2026-11-22", customer: cx.Customer{ID: 1, Workspace: set.Workspace}}
	p.replan(nil)
	return p
}

// replan makes the plan of the fold; the statistics named are not known yet.
func (p *play) replan(unknown func(cx.StatisticSpec) bool) {
	s := &p.set.Settings
	settings := profile.Settings{Zone: s.Zone, Currency: s.Currency, MergeOn: s.MergeOn, Purposes: map[string]cx.Purpose{}}
	for _, c := range s.Categories {
		settings.Purposes[c.Name] = c.Purpose
	}
	var specs []profile.SlotSpec
	for _, spec := range p.set.Statistics {
		specs = append(specs, profile.SlotSpec{Slot: spec.Slot, Spec: spec.Spec, Unknown: unknown != nil && unknown(spec.Spec)})
	}
	p.plan = profile.NewPlan(settings, specs)
}

// line plays one line of a story.
func (p *play) line(line string) {
	clock, rest, _ := strings.Cut(line, " ")
	if clock == "day" {
		p.day = rest
		fmt.Fprintln(&p.out, line)
		return
	}
	at, err := time.ParseInLocation("2006-01-02 15:04:05", p.day+" "+clock, p.set.Settings.Zone)
	if err != nil {
		p.t.Fatalf("%s: %v", line, err)
	}
	now := cx.InstantOf(at)
	fmt.Fprintln(&p.out, line)
	verb, object, _ := strings.Cut(rest, " ")
	switch verb {
	case "known":
		p.customer.Identities = []cx.Identity{{Namespace: cx.UserID, Value: object}}
	case "claimed":
		p.customer.Identities = []cx.Identity{{Namespace: cx.ClaimedUserID, Value: object}}
	case "backfill":
		p.replan(func(s cx.StatisticSpec) bool { return s.String() == object })
	case "rate":
		p.rate(strings.Fields(object))
	case "wake":
		p.step(now, nil)
	default:
		p.step(now, p.event(now, verb, rest))
	}
}

// rate teaches the model.
func (p *play) rate(args []string) {
	for i, observe := range []func(cx.Workspace, string){p.learned.Expose, p.learned.Respond} {
		n, err := strconv.Atoi(args[i+1])
		if err != nil {
			p.t.Fatal(err)
		}
		for range n {
			observe(p.set.Workspace, args[0])
		}
	}
	p.rates = p.rates.Fold(&p.learned)
}

// event reads an event out of a line.
func (p *play) event(now cx.Instant, verb, rest string) *cx.Event {
	p.sequence++
	ev := &cx.Event{
		Workspace: p.set.Workspace, Key: "demo", KeyKind: cx.BrowserKey, Type: cx.Track, Flags: cx.WantsAnswer,
		MessageID: fmt.Sprint("m", p.sequence), AnonymousID: "a", Time: now, ReceivedAt: now, Locale: "ja",
	}
	for strings.Contains(rest, "[") && strings.HasSuffix(rest, "]") {
		i := strings.LastIndex(rest, "[")
		option := rest[i+1 : len(rest)-1]
		if !p.option(ev, option) {
			break
		}
		rest = strings.TrimSpace(rest[:i])
	}
	name := rest
	if i := strings.Index(rest, "{"); i >= 0 {
		name, ev.Properties = strings.TrimSpace(rest[:i]), []byte(rest[i:])
	}
	ev.Name = cx.EventName(name)
	switch verb {
	case "page":
		ev.Type, ev.Name = cx.Page, cx.PageViewed
	case "identify":
		ev.Type, ev.Name = cx.Identify, cx.Identified
	case "consent":
		ev.Type, ev.Name, ev.Consent, ev.Properties = cx.Identify, cx.Identified, ev.Properties, nil
	case "shown", "clicked", "dismissed":
		ev.Name = map[string]cx.EventName{"shown": cx.MessageShown, "clicked": cx.MessageClicked, "dismissed": cx.MessageDismissed}[verb]
		ev.Properties = p.reportOf(strings.TrimPrefix(name, verb+" "))
	}
	return ev
}

func (p *play) option(ev *cx.Event, option string) bool {
	switch key, value, _ := strings.Cut(option, "="); key {
	case "server":
		ev.KeyKind, ev.Flags, ev.Locale = cx.ServerKey, cx.Verified, ""
	case "en":
		ev.Locale = "en-US"
	case "no locale":
		ev.Locale = ""
	case "id":
		ev.MessageID = value
	default:
		return false
	}
	return true
}

// reportOf writes the properties of a report on the latest decision for action.
func (p *play) reportOf(action string) []byte {
	for i := len(p.customer.Ledger) - 1; i >= 0; i-- {
		if l := &p.customer.Ledger[i]; l.Action() == action {
			return fmt.Appendf(nil, `{"decision_id":%q,"action":%q,"place":%q}`, l.Decision, l.Action(), l.Place())
		}
	}
	p.t.Fatalf("%s was never said", action)
	return nil
}

// step runs one step as the pipeline does: due timers, fold, segments, screen,
// decision, ledger.
func (p *play) step(now cx.Instant, ev *cx.Event) {
	c := &p.customer
	for i := range c.Ledger {
		if l := &c.Ledger[i]; decide.Release(c, l.Decision, now) {
			fmt.Fprintf(&p.out, "  released %s\n", l.Action())
		}
	}
	at := cx.At(p.sequence, 0)
	s := &rule.Scope{Event: ev, Customer: c, Now: now, Zone: p.set.Settings.Zone}
	change := cx.Change{All: true}
	if ev != nil {
		o := p.folder.Apply(p.plan, c, ev, at, now, nil)
		if o.Duplicate {
			p.show("again", decide.Repeat(nil, c, profile.Message(ev), now))
			return
		}
		p.report(ev, now)
		change, s.Fields = o.Change, p.folder.Fields()
	}
	s.Statistics = p.folder.View(p.plan, c, now)
	entered, left := p.evaluator.Evaluate(p.set.Segments, c, s, &change)
	p.moved("enters", entered)
	p.moved("leaves", left)
	in := decide.Input{ID: cx.NewDecisionID(at), Scope: s, Entered: entered, Offer: p.set.Offer, Policy: p.set.Policy, Scorer: p.rates}
	if ev != nil {
		in.Message = profile.Message(ev)
	}
	p.decide(&in)
}

func (p *play) report(ev *cx.Event, now cx.Instant) {
	f, ok := decide.FateOf(ev, p.folder.Fields())
	if !ok {
		return
	}
	r, ok := decide.Report(&p.customer, f, now)
	if !ok {
		fmt.Fprintln(&p.out, "  that is no news")
	}
	if r.Exposed {
		p.learned.Expose(p.set.Workspace, f.Action)
	}
	if r.Responded {
		p.learned.Respond(p.set.Workspace, f.Action)
	}
	p.rates = p.rates.Fold(&p.learned)
}

func (p *play) moved(verb string, slots []int) {
	for _, slot := range slots {
		if s, ok := p.set.Segments.BySlot(slot); ok {
			fmt.Fprintf(&p.out, "  %s %s\n", verb, s.Name)
		}
	}
}

// decide decides, shows what comes of it, and checks that the decision can be
// explained from what is stored of it.
func (p *play) decide(in *decide.Input) {
	p.decider.Refresh(in, &p.result)
	for _, w := range p.result.Withdraw {
		_, action, _ := strings.Cut(w, "/")
		fmt.Fprintf(&p.out, "  withdraws %s\n", action)
	}
	p.show("carries", p.result.Updates)
	if !p.decider.Decide(in, &p.result) {
		return
	}
	if len(p.result.Decision.Treatments) == 0 {
		fmt.Fprintln(&p.out, "  stays silent")
	}
	p.show("says", p.result.Decision.Treatments)
	p.trace(p.result.Candidates)
	p.explain(in)
	decide.Reserve(&p.customer, p.result.Lines, in.Scope.Now, in.Scope.Zone)
}

// message is what a client reads.
type message struct {
	Action  string
	Place   string
	Update  bool
	Content struct {
		Title, Text string
		Button      *struct{ Label, URL string }
		Close       string
	}
}

func (p *play) show(verb string, treatments []cx.Treatment) {
	for _, t := range treatments {
		var m message
		if err := json.Unmarshal(t.Content, &m); err != nil {
			p.t.Fatalf("%s: %v", t.Content, err)
		}
		if m.Action != t.Action || m.Place != t.Place {
			p.t.Errorf("the treatment of %s at %s speaks of %s at %s", t.Action, t.Place, m.Action, m.Place)
		}
		if m.Update {
			verb = "updates"
		}
		fmt.Fprintf(&p.out, "  %s %s at %s: %s\n", verb, t.Action, t.Place, m.Content.Text)
	}
}

// trace shows every candidate that was triggered.
func (p *play) trace(candidates []cx.Candidate) {
	for _, c := range candidates {
		switch {
		case c.Gate == cx.GateTrigger:
		case c.Won, c.Gate == cx.GatePlace, c.Gate == cx.GateFloor:
			stopped := "won"
			if !c.Won {
				stopped = fmt.Sprintf("%s %.6g", c.Gate, c.Number)
			}
			fmt.Fprintf(&p.out, "    %s: %s; %.4g × %g × %g × %g = %.6g\n", c.Action, stopped, c.Propensity, c.Context, c.Value, c.Lever, c.Score)
		case c.Number == 0:
			fmt.Fprintf(&p.out, "    %s: %s\n", c.Action, c.Gate)
		default:
			fmt.Fprintf(&p.out, "    %s: %s %.6g\n", c.Action, c.Gate, c.Number)
		}
	}
}

// explain decides again from the stored input and a decoded customer.
func (p *play) explain(in *decide.Input) {
	var event []byte
	if in.Scope.Event != nil {
		event = cx.AppendEvent(nil, in.Scope.Event)
	}
	stored, err := decide.DecodeInput(decide.AppendInput(nil, in, &p.result, profile.AppendCustomer(nil, &p.customer), event))
	if err != nil {
		p.t.Fatal(err)
	}
	c, err := profile.DecodeCustomer(stored.Customer)
	if err != nil {
		p.t.Fatal(err)
	}
	s := &rule.Scope{Customer: c, Now: stored.Now, Zone: in.Scope.Zone}
	if len(stored.Event) > 0 {
		s.Event = new(cx.Event)
		if err := cx.DecodeEvent(stored.Event, s.Event); err != nil {
			p.t.Fatal(err)
		}
		s.Fields = cx.ParseFields(nil, s.Event.Properties)
	}
	var folder profile.Folder
	s.Statistics = folder.View(p.plan, c, s.Now)
	e, err := decide.Explain(stored, decide.Input{Scope: s, Offer: in.Offer, Policy: in.Policy}, p.result.Trace)
	if err != nil {
		p.t.Fatal(err)
	}
	if !e.Same {
		p.t.Errorf("decided again at %s, it is another decision:\n%s", in.Scope.Now, cmp.Diff(e.Then, e.Now))
	}
	if diff := cmp.Diff(p.result.Decision.Treatments, e.Says); diff != "" && len(e.Says) > 0 {
		p.t.Errorf("decided again, it says something else:\n%s", diff)
	}
}
