package segment

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/rule"
)

var update = flag.Bool("update", false, "rewrite the wanted answers in testdata")

// story plays a case file: one customer, whose statistics are told rather than
// counted, as time goes by.
type story struct {
	t         *testing.T
	set       *Set
	evaluator Evaluator
	scope     rule.Scope
	customer  cx.Customer
	slots     map[cx.StatisticSpec]int
	values    []cx.Value
	out       strings.Builder
}

// Value answers as the customer's statistics.
func (s *story) Value(slot int) cx.Value {
	if slot >= len(s.values) {
		return cx.Value{}
	}
	return s.values[slot]
}

func (s *story) slot(spec cx.StatisticSpec) int {
	if _, ok := s.slots[spec]; !ok {
		s.slots[spec] = len(s.slots)
	}
	return s.slots[spec]
}

// define reads lines of "name: rule".
func (s *story) define(text string) {
	env := &rule.Env{Slot: s.slot, Segments: map[string]int{}}
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for i, line := range lines {
		name, _, _ := strings.Cut(line, ": ")
		env.Segments[name] = i
	}
	var segments []Segment
	for i, line := range lines {
		name, source, _ := strings.Cut(line, ": ")
		p, err := rule.CompileState(source, env)
		if err != nil {
			s.t.Fatal(err)
		}
		segments = append(segments, Segment{Slot: i, Name: name, When: p})
	}
	set, err := NewSet(segments)
	if err != nil {
		s.t.Fatal(err)
	}
	s.set = set
}

// step plays one line: a time, what happens, and what changes by it.
//
//	12:00 event count("Product Added", "session")=1 trait:plan="gold" session
//	12:30 timer
func (s *story) step(line string) {
	clock, rest, _ := strings.Cut(line, " ")
	at, err := time.Parse("2006-01-02T15:04:05Z", clock)
	if err != nil {
		s.t.Fatal(err)
	}
	s.scope.Now = cx.InstantOf(at)
	var ch cx.Change
	s.scope.Event = &cx.Event{Type: cx.Track, Name: "Anything"}
	for _, word := range fields(rest) {
		s.happen(word, &ch)
	}
	entered, left := s.evaluator.Evaluate(s.set, &s.customer, &s.scope, &ch)
	fmt.Fprintf(&s.out, "%s\n", line)
	s.report("+", entered)
	s.report("-", left)
	if wake := s.evaluator.Wake(s.set, &s.scope, func(int) (cx.Instant, bool) { return 0, false }); wake != 0 {
		fmt.Fprintf(&s.out, "  wake %s\n", wake.Time().Format("2006-01-02T15:04:05Z"))
	}
}

func (s *story) happen(word string, ch *cx.Change) {
	key, value, assigned := strings.Cut(word, "=")
	switch {
	case word == "event":
	case word == "timer":
		s.scope.Event = nil
	case word == "all":
		ch.All = true
	case word == "visit":
		now := s.scope.Now
		if !s.customer.InSession(now) {
			s.customer.Session = cx.Visit{Start: now, Number: s.customer.Session.Number + 1}
			ch.Session = true
		}
		s.customer.Session.End = now
		s.customer.Session.Events++
	case key == "user" && assigned:
		s.customer.Identities = []cx.Identity{{Namespace: cx.UserID, Value: value}}
		ch.Links = true
	case strings.HasPrefix(key, "trait:"):
		name := strings.TrimPrefix(key, "trait:")
		s.customer.Traits = []cx.Trait{{Name: name, Raw: []byte(value)}}
		ch.Traits = append(ch.Traits, name)
	case assigned:
		spec, err := rule.ParseStatistic(key)
		if err != nil {
			s.t.Fatal(err)
		}
		slot := s.slot(spec)
		for slot >= len(s.values) {
			s.values = append(s.values, cx.Value{})
		}
		s.values[slot] = s.read(value)
		ch.Touch(slot)
	default:
		s.t.Fatalf("not understood: %s", word)
	}
}

func (s *story) read(value string) cx.Value {
	switch value {
	case "now":
		return cx.TimeValue(s.scope.Now)
	case "unknown":
		return cx.UnknownValue()
	}
	return cx.ParseValue([]byte(value))
}

func (s *story) report(sign string, slots []int) {
	for _, slot := range slots {
		seg, _ := s.set.BySlot(slot)
		fmt.Fprintf(&s.out, "  %s %s\n", sign, seg.Name)
	}
}

// fields splits a line at spaces outside parentheses and quotes.
func fields(line string) []string {
	depth, quoted := 0, false
	return strings.FieldsFunc(line, func(r rune) bool {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		case '"':
			quoted = !quoted
		}
		return r == ' ' && depth == 0 && !quoted
	})
}

// TestStories plays the files in testdata.
func TestStories(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			archive, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			tokyo, err := time.LoadLocation("Asia/Tokyo")
			if err != nil {
				t.Fatal(err)
			}
			s := &story{t: t, slots: map[cx.StatisticSpec]int{}}
			s.scope = rule.Scope{Customer: &s.customer, Statistics: s, Zone: tokyo}
			s.define(string(archive.Files[0].Data))
			for line := range strings.Lines(string(archive.Files[1].Data)) {
				if line = strings.TrimSuffix(line, "\n"); line != "" && !strings.HasPrefix(line, " ") {
					s.step(line)
				}
			}
			if *update {
				archive.Files[1].Data = []byte(s.out.String())
				if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(archive.Files[1].Data), s.out.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}
