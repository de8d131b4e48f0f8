package rule

import (
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// observe checks the rule against the events seen so far: names that nothing has
// used yet are most often typing errors. In a strict Env the first finding is
// the error.
func (c *compiler) observe(p *Program) error {
	if c.env.Schema == nil {
		return nil
	}
	o := observer{schema: c.env.Schema, events: p.deps.Events}
	p.root.walk(func(n *node) bool {
		o.look(n)
		return true
	})
	slices.SortStableFunc(o.found, func(a, b *Error) int {
		if a.Line != b.Line {
			return a.Line - b.Line
		}
		return a.Column - b.Column
	})
	p.warnings = slices.CompactFunc(o.found, func(a, b *Error) bool { return *a == *b })
	if c.env.Strict && len(p.warnings) > 0 {
		return p.warnings[0]
	}
	return nil
}

// observer collects what does not fit a schema.
type observer struct {
	schema Schema
	events []cx.EventName // those that event.… may be about; nil: any
	found  []*Error
}

func (o *observer) warn(n *node, message, hint string) {
	o.found = append(o.found, n.from.at(n.id, message, hint))
}

func (o *observer) look(n *node) {
	switch {
	case n.op == opStatistic || n.op == opSince:
		o.statistic(n)
	case n.op == opEq || n.op == opNe || n.op == opAmong:
		o.eventNames(n)
		o.kinds(n)
	case n.op >= opLt && n.op <= opGe:
		o.kinds(n)
	case (n.op == opPath || n.op == opHas) && n.args[0].op == opProperties:
		path := dotted(n.path)
		if o.knowsEvents(o.events) {
			o.field(n, o.events, path)
		}
	}
}

func (o *observer) statistic(n *node) {
	spec := n.spec
	if spec.Event != "" && o.schema[spec.Event] == nil {
		o.unseen(n, spec.Event)
		return
	}
	var events []cx.EventName
	if spec.Event != "" {
		events = []cx.EventName{spec.Event}
	}
	for _, path := range []string{spec.Field, spec.Times} {
		if path == "" || !o.field(n, events, path) {
			continue
		}
		switch spec.Aggregate {
		case cx.SumOf, cx.Min, cx.Max, cx.Avg:
			if kinds := o.seen(events, path); !kinds.Has(cx.Number) {
				o.warn(n, strconv.Quote(path)+" has never been a number, so "+spec.Aggregate.String()+" finds nothing", "send it as a JSON number, without quotes")
			}
		default:
		}
	}
}

// eventNames checks the texts that event.name is compared with.
func (o *observer) eventNames(n *node) {
	isName := func(a *node) bool { return a.definition().op == opEventName }
	if !slices.ContainsFunc(n.args, isName) {
		return
	}
	for _, a := range n.args {
		if k, ok := a.constant(); ok && o.schema[cx.EventName(k.Str())] == nil {
			o.unseen(n, cx.EventName(k.Str()))
		}
	}
}

func (o *observer) unseen(n *node, event cx.EventName) {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(o.schema)) {
		names = append(names, string(name))
	}
	hint := "check the spelling, or send one first"
	if near := nearest(string(event), names); near != "" {
		hint = "did you mean " + strconv.Quote(near) + "?"
	}
	o.warn(n, "no event called "+strconv.Quote(string(event))+" has been seen", hint)
}

// knowsEvents reports whether all events have been seen; those that have not are
// warned of elsewhere.
func (o *observer) knowsEvents(events []cx.EventName) bool {
	return !slices.ContainsFunc(events, func(e cx.EventName) bool { return o.schema[e] == nil })
}

// field warns when none of the events (all of them when nil) has had the field.
func (o *observer) field(n *node, events []cx.EventName, path string) bool {
	if events != nil && len(events) == 0 || o.seen(events, path) != 0 {
		return true
	}
	where, hint := "no event", "check the spelling, or send one first"
	if len(events) == 1 {
		where = "no " + strconv.Quote(string(events[0]))
	}
	if near := nearest(path, o.paths(events)); near != "" {
		hint = "did you mean " + near + "?"
	}
	o.warn(n, where+" has had a field "+strconv.Quote(path), hint)
	return false
}

// seen returns the kinds of value that the events (all of them when nil) have
// had at a path; what lies above a known path counts as a Map.
func (o *observer) seen(events []cx.EventName, path string) Kinds {
	var kinds Kinds
	for _, known := range o.paths(events) {
		if strings.HasPrefix(known, path+".") {
			kinds |= KindsOf(cx.Map)
		}
	}
	for _, event := range o.about(events) {
		kinds |= o.schema[event][path]
	}
	return kinds
}

// paths returns the known paths of the events, sorted.
func (o *observer) paths(events []cx.EventName) []string {
	var all []string
	for _, event := range o.about(events) {
		all = slices.AppendSeq(all, maps.Keys(o.schema[event]))
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// about returns events, or all events when that is nil.
func (o *observer) about(events []cx.EventName) []cx.EventName {
	if events == nil {
		return slices.Sorted(maps.Keys(o.schema))
	}
	return events
}

// kinds warns when a field of the event is compared with a constant of a kind
// that it has never had.
func (o *observer) kinds(n *node) {
	left := n.args[0].definition()
	for _, right := range n.args[1:] {
		field, constant := left, right
		if _, ok := field.constant(); ok {
			field, constant = right.definition(), left
		}
		k, ok := constant.constant()
		if !ok || field.op != opPath || field.args[0].op != opProperties || k.Kind != cx.Number && k.Kind != cx.Text && k.Kind != cx.Bool {
			continue
		}
		path := dotted(field.path)
		if seen := o.seen(o.events, path); seen != 0 && !seen.Has(k.Kind) {
			o.warn(n, strconv.Quote(path)+" has never been "+kindWords[k.Kind], "compare it with "+seen.String())
		}
	}
}

var kindWords = map[cx.ValueKind]string{
	cx.Null: "null", cx.Bool: "true or false", cx.Number: "a number", cx.Text: "text", cx.List: "a list", cx.Map: "a group of fields",
}

// String names the kinds for people.
func (k Kinds) String() string {
	var words []string
	for kind := cx.Null; kind <= cx.Map; kind++ {
		if k.Has(kind) && kindWords[kind] != "" {
			words = append(words, kindWords[kind])
		}
	}
	return strings.Join(words, " or ")
}

// dotted writes a path as schemas do, crossing arrays silently.
func dotted(path []step) string {
	var names []string
	for _, p := range path {
		if !p.array {
			names = append(names, p.name)
		}
	}
	return strings.Join(names, ".")
}
