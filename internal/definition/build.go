package definition

import (
	"errors"
	"slices"
	"sort"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/rule"
	"github.com/kikubari/kikubari/internal/segment"
)

// Build compiles documents into a set, giving new statistics and segments their
// slots in reg. Either there is a set and no problem, or there are problems, no
// set, and reg is as it was. The same documents over the same registry give the
// same set.
func Build(docs []Document, reg *Registry, sequence uint64) (*Set, []Problem) {
	return Builder{Registry: reg}.Build(docs, sequence)
}

// Builder is Build with a check against what events have looked like so far,
// for whoever publishes; the machine builds without.
type Builder struct {
	Registry *Registry
	Schema   rule.Schema // nil checks nothing
	Strict   bool        // what would be a warning is a problem
}

// Build is like the function Build. Without Strict, Set.Warnings tells where
// rules ask for what no event has had so far.
func (b Builder) Build(docs []Document, sequence uint64) (*Set, []Problem) {
	w := &work{
		registry: b.Registry.Clone(), statistics: map[int]cx.StatisticSpec{},
		values: map[string]phrase{}, set: &Set{Sequence: sequence, Policy: new(decide.Policy)},
	}
	w.set.Documents = ordered(slices.Clone(docs))
	w.env = rule.Env{Slot: w.slot, Segments: map[string]int{}, Names: map[string]string{}, Schema: b.Schema, Strict: b.Strict}
	w.unique()
	w.workspace()
	w.segments()
	w.destinations()
	w.actions(w.policy())
	if len(w.problems) > 0 {
		return nil, sorted(w.problems)
	}
	w.finish()
	*b.Registry = *w.registry
	return w.set, nil
}

// work is a set that is being built.
type work struct {
	registry   *Registry
	statistics map[int]cx.StatisticSpec // by slot
	env        rule.Env
	values     map[string]phrase // sources of the named expressions
	owner      *Document         // the workspace document
	set        *Set
	problems   []Problem
}

// slot gives a statistic its slot and remembers that the set needs it.
func (w *work) slot(spec cx.StatisticSpec) int {
	slot := w.registry.Statistic(spec)
	w.statistics[slot] = spec
	return slot
}

// reporterFor collects problems with one document.
func (w *work) reporterFor(d *Document) *reporter {
	return &reporter{problems: &w.problems, file: d.File, document: d.title()}
}

// unique reports documents that are there twice, and more than one workspace or
// policy.
func (w *work) unique() {
	docs := w.set.Documents
	for i := 1; i < len(docs); i++ {
		d, before := &docs[i], &docs[i-1]
		switch {
		case d.Kind != before.Kind:
		case d.Name == before.Name:
			w.reporterFor(d).at(d.Line, 1, "this name is taken by a document in %s line %d; give one of them another name", before.File, before.Line)
		case d.Kind == Workspace || d.Kind == Policy:
			w.reporterFor(d).at(d.Line, 1, "a set has one %s, and %s in %s line %d is another; keep one of them", d.Kind, before.Name, before.File, before.Line)
		}
	}
}

// workspace takes over the settings and checks the named expressions.
func (w *work) workspace() {
	docs := w.set.Documents
	if len(docs) == 0 || docs[0].Kind != Workspace {
		w.problems = append(w.problems, Problem{Message: "the set has no workspace document; add one with kind: workspace, a name, time_zone and currency"})
		return
	}
	w.owner = &docs[0]
	spec := w.owner.spec.(*workspaceSpec)
	w.set.Workspace, w.set.Settings = cx.Workspace(w.owner.Name), spec.settings
	if len(w.owner.Name) > maxWorkspace {
		w.reporterFor(w.owner).at(w.owner.Line, 1, "the name of a workspace has at most %d characters; shorten it", maxWorkspace)
	}
	for _, v := range spec.values {
		w.env.Names[v.name], w.values[v.name] = v.source.text, v.source
		w.set.Values = append(w.set.Values, Value{v.name, v.source.text})
	}
	for _, v := range spec.values {
		w.compile(w.owner, v.source, rule.Compile)
	}
}

// maxWorkspace is the longest name that cx.Workspace may have.
const maxWorkspace = 40

// segments compiles all segments; their slots come first, because they may
// speak of each other.
func (w *work) segments() {
	for i := range w.set.Documents {
		if d := &w.set.Documents[i]; d.Kind == Segment {
			w.env.Segments[d.Name] = w.registry.Segment(d.Name)
		}
	}
	var list []segment.Segment
	for i := range w.set.Documents {
		d := &w.set.Documents[i]
		spec, ok := d.spec.(*segmentSpec)
		if !ok {
			continue
		}
		if when := w.compile(d, spec.when, rule.CompileState); when != nil {
			list = append(list, segment.Segment{Slot: w.env.Segments[d.Name], Name: d.Name, When: when})
		}
	}
	w.circles(list)
	if len(w.problems) > 0 {
		return
	}
	set, err := segment.NewSet(list)
	if err != nil {
		w.problems = append(w.problems, Problem{Message: err.Error()})
		return
	}
	w.set.Segments = set
}

// compile compiles one rule, nil when it is absent or wrong.
func (w *work) compile(d *Document, p phrase, how func(string, *rule.Env) (*rule.Program, error)) *rule.Program {
	if !p.given() {
		return nil
	}
	program, err := how(p.text, &w.env)
	if err != nil {
		w.wrong(d, p, err)
		return nil
	}
	for _, warning := range program.Warnings() {
		w.set.Warnings = append(w.set.Warnings, w.problem(d, p, warning))
	}
	return program
}

// wrong reports a rule that does not compile.
func (w *work) wrong(d *Document, p phrase, err error) {
	e, ok := errors.AsType[*rule.Error](err)
	if !ok {
		w.reporterFor(d).on(p.at, "%v", err)
		return
	}
	w.problems = append(w.problems, w.problem(d, p, e))
}

// problem turns a position in a rule into one in a file. What is wrong with a
// named expression is said of the place where it is written, once.
func (w *work) problem(d *Document, p phrase, e *rule.Error) Problem {
	if named, ok := w.values[e.Name]; ok {
		d, p = w.owner, named
	}
	line, column := p.at.place(index(p.text, e.Line, e.Column))
	return Problem{File: d.File, Line: line, Column: column, Document: d.title(), Message: e.Text()}
}

// finish takes over what the rules turned out to need.
func (w *work) finish() {
	for slot, spec := range w.statistics {
		w.set.Statistics = append(w.set.Statistics, SlotSpec{slot, spec})
	}
	sort.Slice(w.set.Statistics, func(i, j int) bool { return w.set.Statistics[i].Slot < w.set.Statistics[j].Slot })
	w.set.Warnings = sorted(w.set.Warnings)
}
