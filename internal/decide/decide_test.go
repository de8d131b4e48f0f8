package decide_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/rule"
	"github.com/kikubari/kikubari/internal/template"
)

// text is a message that says the same in both languages.
func text(tb testing.TB, words string) *template.Message {
	tb.Helper()
	body, err := template.Parse(words, nil)
	if err != nil {
		tb.Fatal(err)
	}
	m := &template.Message{Layout: template.Bar, Tone: template.Info}
	for _, l := range template.Languages {
		m.Copies[l] = template.Copy{Text: body, Close: body}
	}
	return m
}

// condition compiles a rule without statistics.
func condition(tb testing.TB, source string) *rule.Program {
	tb.Helper()
	p, err := rule.CompileCondition(source, &rule.Env{})
	if err != nil {
		tb.Fatal(err)
	}
	return p
}

// rates is a model that says what it is told to.
type rates map[string]cx.Propensity

func (r rates) Propensity(_ cx.Workspace, action string, _ cx.Prior) cx.Propensity { return r[action] }

const noon = cx.Instant(1_795_489_200_000_000) // 2026-11-24T03:00:00Z, noon in Tokyo

// situation is an offer and somebody to decide for.
type situation struct {
	Actions []decide.Action
	Rates   rates
	Policy  decide.Policy
	Allowed []cx.Purpose
	Consent cx.Consent
}

func (s *situation) input(actions []decide.Action) *decide.Input {
	return &decide.Input{
		ID:     cx.NewDecisionID(cx.At(3, 4)),
		Offer:  decide.NewOffer(decide.Terms{Definitions: 7, Language: template.Japanese, Allowed: s.Allowed}, actions),
		Policy: &s.Policy,
		Scorer: s.Rates,
		Scope: &rule.Scope{
			Event: &cx.Event{Name: "E", Flags: cx.WantsAnswer}, Now: noon,
			Customer: &cx.Customer{ID: 1, Workspace: "shop", Consent: s.Consent, Session: cx.Visit{Start: noon, End: noon, Number: 1}},
		},
	}
}

// situations draws offers of up to twelve actions over three places.
func situations(tb testing.TB) *rapid.Generator[*situation] {
	tb.Helper()
	words := text(tb, "hello")
	yes, no := condition(tb, "true"), condition(tb, "false")
	rules := []*rule.Program{nil, yes, yes, no}
	purposes := []cx.Purpose{cx.OnSiteService, cx.Marketing, cx.Personalization}
	factor := rapid.Float64Range(0, 100)
	return rapid.Custom(func(t *rapid.T) *situation {
		s := &situation{Rates: rates{}}
		for i := range rapid.IntRange(1, 12).Draw(t, "actions") {
			a := decide.Action{
				Name: fmt.Sprintf("a%02d", i), Message: words, Channel: cx.Web,
				Purpose:  rapid.SampledFrom(purposes).Draw(t, "purpose"),
				Place:    rapid.SampledFrom([]string{"top-bar", "bottom-bar", "center"}).Draw(t, "place"),
				Triggers: []decide.Trigger{{Event: rapid.SampledFrom([]cx.EventName{"E", "E", "F"}).Draw(t, "event")}},
				Eligible: rapid.SampledFrom(rules).Draw(t, "eligible"), Suitable: rapid.SampledFrom(rules).Draw(t, "suitable"),
				Value: float64(rapid.IntRange(0, 3).Draw(t, "value")), Lever: factor.Draw(t, "lever"),
			}
			if rapid.Bool().Draw(t, "weighted") {
				a.Context = []decide.Weight{{When: yes, Percent: factor.Draw(t, "percent")}}
			}
			s.Actions = append(s.Actions, a)
			s.Rates[a.Name] = cx.Propensity(rapid.SampledFrom([]float64{0, 0.1, 0.5, 0.9}).Draw(t, "rate"))
		}
		s.Allowed = rapid.SliceOfNDistinct(rapid.SampledFrom(purposes), 0, 3, rapid.ID).Draw(t, "allowed")
		for _, p := range purposes {
			for _, ch := range []cx.Channel{"", cx.Web, cx.Email} {
				if rapid.IntRange(0, 3).Draw(t, "asked") == 0 {
					s.Consent = s.Consent.With(cx.Grant{Purpose: p, Channel: ch, Allowed: rapid.Bool().Draw(t, "allows"), At: 1})
				}
			}
		}
		s.Policy.Floor.Score = rapid.SampledFrom([]float64{0, 0, 0.5}).Draw(t, "floor")
		return s
	})
}

func TestNothingWithoutConsent(t *testing.T) {
	g := situations(t)
	rapid.Check(t, func(t *rapid.T) {
		s := g.Draw(t, "situation")
		var d decide.Decider
		var out decide.Result
		d.Decide(s.input(s.Actions), &out)
		for i, c := range out.Candidates {
			p := s.Actions[i].Purpose
			allowed := s.Consent.Allows(p, cx.Web, slices.Contains(s.Allowed, p))
			if !allowed && c.Gate != cx.GateTrigger && c.Gate != cx.GateConsent {
				t.Fatalf("%s is for %s, which is not allowed, and came to gate %s", c.Action, p, c.Gate)
			}
			if allowed && c.Gate == cx.GateConsent {
				t.Fatalf("%s is for %s, which is allowed, and was stopped", c.Action, p)
			}
		}
	})
}

func TestTheBestOfEachPlaceWins(t *testing.T) {
	g := situations(t)
	rapid.Check(t, func(t *rapid.T) {
		s := g.Draw(t, "situation")
		var d decide.Decider
		var out decide.Result
		d.Decide(s.input(s.Actions), &out)
		winners := map[string]cx.Candidate{}
		for i, c := range out.Candidates {
			if !c.Won {
				continue
			}
			if c.Gate != cx.Passed {
				t.Fatalf("%s won and was stopped by %s", c.Action, c.Gate)
			}
			if before, ok := winners[s.Actions[i].Place]; ok {
				t.Fatalf("%s and %s both won %s", before.Action, c.Action, s.Actions[i].Place)
			}
			winners[s.Actions[i].Place] = c
		}
		for i, c := range out.Candidates {
			if c.Gate != cx.Passed && c.Gate != cx.GatePlace {
				continue
			}
			w, ok := winners[s.Actions[i].Place]
			if !ok || w.Score < c.Score || w.Score == c.Score && w.Value < c.Value {
				t.Fatalf("%+v lost %s to %+v", c, s.Actions[i].Place, w)
			}
		}
		if len(out.Decision.Treatments) != len(winners) || len(out.Lines) != len(winners) {
			t.Fatalf("%d treatments and %d lines for %d winners", len(out.Decision.Treatments), len(out.Lines), len(winners))
		}
	})
}

func TestOrderOfActionsDoesNotMatter(t *testing.T) {
	g := situations(t)
	rapid.Check(t, func(t *rapid.T) {
		s := g.Draw(t, "situation")
		var d decide.Decider
		var one, two decide.Result
		a := d.Decide(s.input(s.Actions), &one)
		b := d.Decide(s.input(rapid.Permutation(s.Actions).Draw(t, "permuted")), &two)
		if a != b || !bytes.Equal(one.Trace, two.Trace) {
			t.Fatalf("another decision:\n%s", cmp.Diff(one.Candidates, two.Candidates))
		}
		said := func(r *decide.Result) (out []string) {
			for _, t := range r.Decision.Treatments {
				out = append(out, string(t.Content))
			}
			slices.Sort(out)
			return out
		}
		if diff := cmp.Diff(said(&one), said(&two)); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestScoreRisesWithEachFactor(t *testing.T) {
	words, yes := text(t, "hello"), condition(t, "true")
	score := func(p cx.Propensity, context, value, lever float64) float64 {
		s := situation{Rates: rates{"a": p}, Allowed: []cx.Purpose{cx.OnSiteService}}
		var d decide.Decider
		var out decide.Result
		d.Decide(s.input([]decide.Action{{
			Name: "a", Message: words, Channel: cx.Web, Purpose: cx.OnSiteService, Place: "center", Triggers: []decide.Trigger{{Event: "E"}},
			Context: []decide.Weight{{When: yes, Percent: context}}, Value: value, Lever: lever,
		}}), &out)
		return out.Candidates[0].Score
	}
	rapid.Check(t, func(t *rapid.T) {
		f := func(name string, high float64) float64 { return rapid.Float64Range(0, high).Draw(t, name) }
		p, c, v, l := cx.Propensity(f("p", 1)), f("c", 300), f("v", 1e6), f("l", 300)
		base := score(p, c, v, l)
		if want := float64(p) * (1 + c/100) * v * (1 + l/100); math.Abs(base-want) > 1e-9*math.Abs(want) {
			t.Fatalf("score %v, want %v", base, want)
		}
		for name, more := range map[string]float64{
			"propensity": score(p+0.5, c, v, l), "context": score(p, c+10, v, l), "value": score(p, c, v+1, l), "lever": score(p, c, v, l+10),
		} {
			if more < base || more == base && base > 1e-100 {
				t.Fatalf("more %s, and the score went from %v to %v", name, base, more)
			}
		}
	})
}

func TestDecideLeavesTheCustomerAlone(t *testing.T) {
	g := situations(t)
	rapid.Check(t, func(t *rapid.T) {
		s := g.Draw(t, "situation")
		in := s.input(s.Actions)
		before := *in.Scope.Customer
		var d decide.Decider
		var out decide.Result
		d.Decide(in, &out)
		if diff := cmp.Diff(before, *in.Scope.Customer); diff != "" {
			t.Fatal(diff)
		}
	})
}

func TestContentIsNeverWrittenToAgain(t *testing.T) {
	words := text(t, "hello")
	s := situation{Rates: rates{"a": 0.5, "b": 0.5}, Allowed: []cx.Purpose{cx.OnSiteService}}
	var actions []decide.Action
	for _, name := range []string{"a", "b"} {
		actions = append(actions, decide.Action{Name: name, Message: words, Channel: cx.Web, Purpose: cx.OnSiteService, Place: name, Triggers: []decide.Trigger{{Event: "E"}}, Value: 1})
	}
	var d decide.Decider
	var out decide.Result
	in := s.input(actions)
	d.Decide(in, &out)
	kept := slices.Clone(out.Decision.Treatments)
	for i, want := range []string{`"action":"a"`, `"action":"b"`} {
		if !strings.Contains(string(kept[i].Content), want) {
			t.Errorf("%s does not say %s", kept[i].Content, want)
		}
	}
	in.ID++
	copied := []string{string(kept[0].Content), string(kept[1].Content)}
	d.Decide(in, &out)
	for i := range kept {
		if string(kept[i].Content) != copied[i] {
			t.Errorf("a later decision changed %s to %s", copied[i], kept[i].Content)
		}
	}
}

func ExampleDecider_Decide() {
	hello, _ := template.Parse("Hello", nil)
	m := &template.Message{Layout: template.Modal, Tone: template.Info}
	m.Copies[template.English] = template.Copy{Text: hello, Close: hello}
	offer := decide.NewOffer(decide.Terms{Language: template.English, Allowed: []cx.Purpose{cx.OnSiteService}}, []decide.Action{
		{Name: "hello", Purpose: cx.OnSiteService, Channel: cx.Web, Place: "center", Message: m, Value: 2, Triggers: []decide.Trigger{{Event: "Page Viewed"}}},
		{Name: "offer", Purpose: cx.Marketing, Channel: cx.Web, Place: "center", Message: m, Value: 9, Triggers: []decide.Trigger{{Event: "Page Viewed"}}},
	})
	var d decide.Decider
	var out decide.Result
	d.Decide(&decide.Input{
		ID: cx.NewDecisionID(cx.At(1, 0)), Offer: offer, Scorer: rates{"hello": 0.5, "offer": 0.5},
		Scope: &rule.Scope{Event: &cx.Event{Name: "Page Viewed"}, Customer: new(cx.Customer), Now: noon, Zone: time.UTC},
	}, &out)
	for _, c := range out.Candidates {
		fmt.Println(c.Action, c.Gate, c.Score)
	}
	// Output:
	// hello passed 1
	// offer consent 0
}

func TestUnpackTraceRefusesOtherOffers(t *testing.T) {
	b := decide.PackTrace(nil, &cx.Trace{Engine: "1", Candidates: []cx.Candidate{{Action: "a"}, {Action: "b", Gate: cx.GateTrigger}}})
	for _, names := range [][]string{nil, {"a"}, {"a", "b", "c"}} {
		if _, err := decide.UnpackTrace(b, names); !errors.Is(err, cx.ErrCodec) {
			t.Errorf("over %q: %v", names, err)
		}
	}
}
