package rule

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"

	"github.com/kikubari/kikubari/internal/cx"
)

// situation is a Scope as case files write it. Statistics are by their text; a
// number or text is their value, an object {"ago": "30m"} the instant of
// last_time, and the text "unknown" one that is being back-filled.
type situation struct {
	Event *struct {
		Name       cx.EventName    `json:"name"`
		Locale     string          `json:"locale"`
		Properties json.RawMessage `json:"properties"`
		Context    json.RawMessage `json:"context"`
	} `json:"event"`
	Traits     json.RawMessage            `json:"traits"`
	UserID     string                     `json:"user_id"`
	Segments   []string                   `json:"segments"`
	Statistics map[string]json.RawMessage `json:"statistics"`
	Now        cx.Instant                 `json:"now"`
	Zone       string                     `json:"zone"`
	Names      map[string]string          `json:"names"`
	Counted    map[string]cx.Instant      `json:"counted"`
}

// build returns the Scope and an Env in which its statistics have slots.
func (s *situation) build(t *testing.T) (*Scope, *Env) {
	t.Helper()
	zone, err := time.LoadLocation(s.Zone)
	if err != nil {
		t.Fatal(err)
	}
	c := &cx.Customer{}
	for _, f := range cx.ParseFields(nil, s.Traits) {
		c.Traits = append(c.Traits, cx.Trait{Name: f.Name, Raw: f.Raw})
	}
	if s.UserID != "" {
		c.Identities = []cx.Identity{{Namespace: cx.UserID, Value: s.UserID}}
	}
	env := &Env{Segments: map[string]int{"vip": 0, "buyer": 1}, Names: s.Names}
	for _, name := range s.Segments {
		c.Segments = []uint64{1 << env.Segments[name]}
	}
	bySpec, values := map[cx.StatisticSpec]int{}, slots{}
	for text, raw := range s.Statistics {
		spec, err := ParseStatistic(text)
		if err != nil {
			t.Fatal(err)
		}
		bySpec[spec] = len(values)
		values = append(values, s.value(t, raw))
	}
	env.Slot = func(spec cx.StatisticSpec) int {
		if _, ok := bySpec[spec]; !ok {
			bySpec[spec] = len(bySpec)
		}
		return bySpec[spec]
	}
	sc := &Scope{Customer: c, Statistics: values, Now: s.Now, Zone: zone}
	sc.Counted = Counted{Statistics: map[int]cx.Instant{}, Segments: map[int]cx.Instant{}}
	for what, since := range s.Counted {
		if slot, ok := env.Segments[what]; ok {
			sc.Counted.Segments[slot] = since
		} else if spec, err := ParseStatistic(what); err == nil {
			sc.Counted.Statistics[bySpec[spec]] = since
		}
	}
	if s.Event != nil {
		sc.Event = &cx.Event{Type: cx.Track, Name: s.Event.Name, Locale: s.Event.Locale, Properties: s.Event.Properties, Context: s.Event.Context}
		sc.Fields = cx.ParseFields(nil, sc.Event.Properties)
	}
	return sc, env
}

func (s *situation) value(t *testing.T, raw json.RawMessage) cx.Value {
	t.Helper()
	v := cx.ParseValue(raw)
	switch {
	case v.Kind == cx.Text && v.Str() == "unknown":
		return cx.UnknownValue()
	case v.Kind == cx.Map:
		span, ok := cx.ParseSpan(cx.ParseValue(cx.Member(raw, "ago")).Str())
		if !ok {
			t.Fatalf("not a span: %s", raw)
		}
		return cx.TimeValue(s.Now.Add(-span))
	}
	return v
}

// TestExplain runs testdata/explain: each file tells one story with a rule, a
// scope and the explanation wanted.
func TestExplain(t *testing.T) {
	files, err := filepath.Glob("testdata/explain/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no cases: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			story, err := txtar.ParseFile(file)
			if err != nil {
				t.Fatal(err)
			}
			part := map[string]*txtar.File{}
			for i := range story.Files {
				part[story.Files[i].Name] = &story.Files[i]
			}
			var in situation
			if err := json.Unmarshal(part["scope"].Data, &in); err != nil {
				t.Fatal(err)
			}
			scope, env := in.build(t)
			p, err := Compile(strings.TrimSpace(string(part["rule"].Data)), env)
			if err != nil {
				t.Fatal(err)
			}
			got := p.Eval(scope).String() + "\n" + p.Explain(scope).String()
			if *update {
				part["want"].Data = []byte(got)
				if err := os.WriteFile(file, txtar.Format(story), 0o644); err != nil {
					t.Fatal(err)
				}
				return
			}
			if diff := cmp.Diff(string(part["want"].Data), got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestExplainJSON holds the names that the console and the API read.
func TestExplainJSON(t *testing.T) {
	p := mustCompile(t, `traits.plan == "gold"`, counting())
	got, err := json.Marshal(p.Explain(&Scope{Customer: &cx.Customer{}}))
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"source":"traits.plan == \"gold\"","value":"missing","held":"error","reason":"traits.plan is missing",` +
		`"children":[{"source":"traits.plan","value":"missing","held":"","reason":"traits.plan is not there"}]}`
	if string(got) != want {
		t.Errorf("got %s", got)
	}
}
