package definition

import (
	"slices"

	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/rule"
	"github.com/kikubari/kikubari/internal/segment"
	"github.com/kikubari/kikubari/internal/template"
)

// policy compiles the policy document; without one there is an empty policy.
func (w *work) policy() *compiledPolicy {
	for i := range w.set.Documents {
		d := &w.set.Documents[i]
		spec, ok := d.spec.(*policySpec)
		if !ok {
			continue
		}
		policy := spec.policy
		w.set.Policy = &policy
		out := &compiledPolicy{policySpec: spec}
		for _, c := range spec.context {
			out.rules = append(out.rules, w.compile(d, c.when, rule.CompileCondition))
			if c.action != "" && !w.has(Action, c.action) {
				w.reporterFor(d).on(c.when.place(), "context speaks of the action %q, which is not in the set; %s", c.action, suggest(c.action, w.names(Action)))
			}
		}
		return out
	}
	return &compiledPolicy{policySpec: new(policySpec)}
}

// compiledPolicy is a policy with the rules of its context weights.
type compiledPolicy struct {
	*policySpec
	rules []*rule.Program
}

// weights returns the context weights that the policy gives an action.
func (p *compiledPolicy) weights(name string, a *actionSpec) (out []decide.Weight) {
	for i, c := range p.context {
		if p.rules[i] != nil && matches(c.issue, a.issue) && matches(c.group, a.group) && matches(c.action, name) {
			out = append(out, decide.Weight{When: p.rules[i], Percent: c.percent})
		}
	}
	return out
}

func matches(wanted, is string) bool { return wanted == "" || wanted == is }

func (p phrase) place() *value {
	if p.at == nil {
		return &value{}
	}
	return p.at
}

// actions compiles all actions and puts the enabled ones on offer.
func (w *work) actions(p *compiledPolicy) {
	var enabled []decide.Action
	for i := range w.set.Documents {
		d := &w.set.Documents[i]
		spec, ok := d.spec.(*actionSpec)
		if !ok {
			continue
		}
		a := w.action(d, spec, p)
		if spec.enabled {
			enabled = append(enabled, a)
		}
	}
	s := &w.set.Settings
	w.set.Offer = decide.NewOffer(decide.Terms{Definitions: w.set.Sequence, Language: s.Language, Allowed: s.Allowed}, enabled)
}

// action compiles one action.
func (w *work) action(d *Document, spec *actionSpec, p *compiledPolicy) decide.Action {
	a := spec.action
	for _, t := range spec.triggers {
		a.Triggers = append(a.Triggers, w.trigger(d, t))
	}
	a.Eligible = w.compile(d, spec.eligible, rule.CompileCondition)
	a.Applicable = w.compile(d, spec.applicable, rule.CompileCondition)
	a.Suitable = w.compile(d, spec.suitable, rule.CompileCondition)
	a.Lever += percentOf(p.issues, spec.issue) + percentOf(p.groups, spec.group)
	for _, c := range spec.context {
		a.Context = append(a.Context, decide.Weight{When: w.compile(d, c.when, rule.CompileCondition), Percent: c.percent})
	}
	a.Context = append(a.Context, p.weights(d.Name, spec)...)
	w.goes(d, spec)
	w.message(d, spec, &a)
	return a
}

func (w *work) trigger(d *Document, t trigger) decide.Trigger {
	out := decide.Trigger{Event: t.event, When: w.compile(d, t.when, rule.CompileCondition)}
	if !t.segment.given() {
		return out
	}
	slot, ok := w.env.Segments[t.segment.text]
	if !ok {
		w.reporterFor(d).on(t.segment.at, "there is no segment %q; %s", t.segment.text, suggest(t.segment.text, w.names(Segment)))
	}
	out.Segment = slot
	return out
}

// message compiles what an action says.
func (w *work) message(d *Document, spec *actionSpec, a *decide.Action) {
	m := spec.message
	m.Variables = slices.Clone(m.Variables)
	for i, source := range spec.variables {
		program := w.compile(d, source, rule.Compile)
		a.Variables = append(a.Variables, program)
		if program == nil {
			continue
		}
		w.fits(d, source, program, m.Variables[i].Format)
		a.Personal = a.Personal || personal(program)
		if m.Variables[i].Currency == "" {
			m.Variables[i].Currency = w.set.Settings.Currency
		}
	}
	a.Message = &m
}

// personal reports whether a value shows facts that were told of the person,
// which a mere claim to be that person must not bring up.
func personal(p *rule.Program) bool {
	deps := p.Deps()
	return len(deps.Traits) > 0 || deps.AnyTrait
}

// fits reports a rule whose type the format cannot show.
func (w *work) fits(d *Document, source phrase, p *rule.Program, f template.Format) {
	t := p.Type()
	switch {
	case t == rule.Anything || t == rule.Number:
	case t == rule.Text && f == template.AsText:
	case t == rule.Text:
		w.reporterFor(d).on(source.at, "the rule gives text, which format: %s cannot show; use format: text", f)
	default:
		w.reporterFor(d).on(source.at, "the rule gives %s; a variable needs a number or a text", t)
	}
}

// has reports whether the set has the document.
func (w *work) has(k Kind, name string) bool { return slices.Contains(w.names(k), name) }

// names returns the names of all documents of a kind.
func (w *work) names(k Kind) (out []string) {
	for i := range w.set.Documents {
		if d := &w.set.Documents[i]; d.Kind == k {
			out = append(out, d.Name)
		}
	}
	return out
}

// circles reports segments that depend on themselves.
func (w *work) circles(segments []segment.Segment) {
	needs := map[int][]int{}
	for _, s := range segments {
		needs[s.Slot] = s.When.Deps().Segments
	}
	for _, s := range segments {
		if reaches(needs, s.Slot, s.Slot, map[int]bool{}) {
			d := w.find(Segment, s.Name)
			w.reporterFor(d).on(d.spec.(*segmentSpec).when.at, "the segment depends on itself through segment(…); take one of the references out")
		}
	}
}

// reaches reports whether following needs leads from one slot to another.
func reaches(needs map[int][]int, from, to int, seen map[int]bool) bool {
	for _, next := range needs[from] {
		if next == to {
			return true
		}
		if !seen[next] {
			seen[next] = true
			if reaches(needs, next, to, seen) {
				return true
			}
		}
	}
	return false
}

func (w *work) find(k Kind, name string) *Document {
	for i := range w.set.Documents {
		if d := &w.set.Documents[i]; d.Kind == k && d.Name == name {
			return d
		}
	}
	return nil
}
