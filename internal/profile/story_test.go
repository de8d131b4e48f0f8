package profile

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	_ "time/tzdata" // the stories play in many zones

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/kikubari/kikubari/internal/cx"
)

// TestStories folds the stories in testdata/story and compares what the
// statistics say with the story's end. A story is a text archive: a sentence,
// then a file "story" of lines
//
//	zone Asia/Tokyo
//	currency JPY
//	keep sum("Product Added", "price * quantity", "session")
//	2026-11-22 10:00:00  Product Added  {"price": 4000, "quantity": 1}
//	2026-11-22 10:20:00  ?
//
// Times are log times in the zone. An event line may end in conditions in
// parentheses: happened 2026-11-22 09:50:00, historical, inactive, id m1. A
// question mark asks for every statistic kept, and until when its value holds
// if nothing happens.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/story/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, path := range files {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			a, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			got := tellStory(t, string(a.Files[0].Data))
			if *update {
				a.Files = []txtar.File{a.Files[0], {Name: "want", Data: []byte(got)}}
				if err := os.WriteFile(path, txtar.Format(a), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if len(a.Files) != 2 || a.Files[1].Name != "want" {
				t.Fatal("the story has no end")
			}
			if diff := cmp.Diff(string(a.Files[1].Data), got); diff != "" {
				t.Error("(-want +got):", diff)
			}
		})
	}
}

const clock = "2006-01-02 15:04:05"

// teller is a story being told.
type teller struct {
	t        *testing.T
	settings Settings
	specs    []SlotSpec
	plan     *Plan
	folder   Folder
	customer cx.Customer
	events   int
	out      strings.Builder
}

func tellStory(t *testing.T, story string) string {
	t.Helper()
	s := teller{t: t, settings: Settings{Zone: time.UTC}, customer: cx.Customer{ID: 1, Workspace: "demo"}}
	for line := range strings.Lines(story) {
		switch word, rest, _ := strings.Cut(strings.TrimSpace(line), " "); word {
		case "":
		case "zone":
			s.settings.Zone = mustZone(t, rest)
		case "currency":
			s.settings.Currency = cx.Currency(rest)
		case "keep":
			s.specs = append(s.specs, SlotSpec{Slot: len(s.specs), Spec: parseSpec(t, rest)})
		default:
			s.step(strings.TrimSpace(line))
		}
	}
	return s.out.String()
}

func (s *teller) step(line string) {
	if s.plan == nil {
		s.plan = NewPlan(s.settings, s.specs)
	}
	now, rest := s.time(line[:len(clock)]), strings.TrimSpace(line[len(clock):])
	if rest == "?" {
		s.show(now)
		return
	}
	s.events++
	ev := &cx.Event{Workspace: "demo", Key: "k", KeyKind: cx.BrowserKey, Type: cx.Track, Time: now, ReceivedAt: now, MessageID: fmt.Sprint("m", s.events)}
	if at := strings.LastIndex(rest, "("); at >= 0 && strings.HasSuffix(rest, ")") {
		s.conditions(ev, rest[at+1:len(rest)-1])
		rest = strings.TrimSpace(rest[:at])
	}
	name, properties, _ := strings.Cut(rest, "{")
	ev.Name = cx.EventName(strings.TrimSpace(name))
	if properties != "" {
		ev.Properties = []byte("{" + properties)
	}
	out := s.folder.Apply(s.plan, &s.customer, ev, cx.At(uint64(s.events), 0), now, nil)
	fmt.Fprintf(&s.out, "%s  %s%s\n", s.clock(now), ev.Name, describe(out, &s.customer))
}

func describe(out Outcome, c *cx.Customer) string {
	switch {
	case out.Duplicate:
		return ": a duplicate"
	case out.SessionStarted:
		return fmt.Sprintf(": session %d starts", c.Session.Number)
	case out.Late:
		return ": late"
	}
	return ""
}

func (s *teller) conditions(ev *cx.Event, list string) {
	for c := range strings.SplitSeq(list, ",") {
		switch word, rest, _ := strings.Cut(strings.TrimSpace(c), " "); word {
		case "happened":
			ev.Time = s.time(rest)
		case "historical":
			ev.Flags |= cx.Historical
		case "inactive":
			ev.Flags |= cx.Inactive
		case "id":
			ev.MessageID = rest
		default:
			s.t.Fatalf("condition %q is none", c)
		}
	}
}

func (s *teller) show(now cx.Instant) {
	fmt.Fprintf(&s.out, "%s\n", s.clock(now))
	values := s.folder.View(s.plan, &s.customer, now)
	for _, spec := range s.specs {
		fmt.Fprintf(&s.out, "    %s = %s", spec.Spec, values.Value(spec.Slot))
		if _, err := s.folder.Top(s.plan, &s.customer, spec.Slot, now); err > 0 {
			fmt.Fprintf(&s.out, " (counts up to %d too low)", err)
		}
		values = s.folder.View(s.plan, &s.customer, now)
		if until, ok := s.folder.NextChange(s.plan, &s.customer, spec.Slot, now); ok {
			fmt.Fprintf(&s.out, " until %s", s.clock(until))
		}
		s.out.WriteByte('\n')
	}
}

func (s *teller) time(text string) cx.Instant {
	at, err := time.ParseInLocation(clock, text, s.settings.Zone)
	if err != nil {
		s.t.Fatal(err)
	}
	return cx.InstantOf(at)
}

func (s *teller) clock(t cx.Instant) string {
	return strings.TrimSuffix(t.Time().In(s.settings.Zone).Format(clock+".000000"), ".000000")
}

// parseSpec reads what StatisticSpec.String writes.
func parseSpec(tb testing.TB, text string) cx.StatisticSpec {
	tb.Helper()
	name, rest, _ := strings.Cut(strings.TrimSuffix(text, ")"), "(")
	var args []any
	if err := json.Unmarshal([]byte("["+rest+"]"), &args); err != nil {
		tb.Fatalf("%s: %v", text, err)
	}
	var s cx.StatisticSpec
	for _, a := range allAggregates {
		if a.String() == name {
			s.Aggregate = a
		}
	}
	next := func() string {
		if len(args) == 0 {
			tb.Fatalf("%s: too few arguments", text)
		}
		v, ok := args[0].(string)
		if !ok {
			tb.Fatalf("%s: %v is not text", text, args[0])
		}
		args = args[1:]
		return v
	}
	if s.Event = cx.EventName(next()); s.Event == "*" {
		s.Event = ""
	}
	if s.Aggregate != cx.Count && s.Aggregate != cx.LastTime {
		s.Field, s.Times, _ = strings.Cut(next(), " * ")
	}
	if n, ok := args[0].(float64); ok {
		s.N, args = int(n), args[1:]
	}
	window, ok := cx.ParseWindow(next())
	if s.Window = window; !ok || s.Aggregate == 0 {
		tb.Fatalf("%s is no statistic", text)
	}
	if len(args) > 0 {
		s.Currency = cx.Currency(next())
	}
	return s
}
