package definition

import (
	"sort"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
)

// policySpec is the form of a policy document.
type policySpec struct {
	policy  decide.Policy
	issues  []lever // by name
	groups  []lever
	context []weight
}

// lever is what is added for all actions of one issue or group, in per cent.
type lever struct {
	name    string
	percent float64
}

// weight is a context weight; issue, group and action narrow it down.
type weight struct {
	when    phrase
	issue   string
	group   string
	action  string
	percent float64
}

func readPolicy(f *form) *policySpec {
	p := &policySpec{policy: decide.Policy{Caps: readCaps(f), Cooldown: f.span("cooldown", 0), Floor: readFloor(f)}}
	if l := f.sub("levers"); l != nil {
		p.issues, p.groups = readLevers(l, "issue"), readLevers(l, "group")
		l.done()
	}
	p.context = readContext(f, true)
	return p
}

func readLevers(f *form, name string) (out []lever) {
	l := f.sub(name)
	if l == nil {
		return nil
	}
	for _, m := range l.v.members {
		out = append(out, lever{m.name, l.number(m.name, 0, -100, 1000)})
	}
	sort.Slice(out, func(i, j int) bool { return out[i].name < out[j].name })
	return out
}

func percentOf(levers []lever, name string) float64 {
	for _, l := range levers {
		if l.name == name {
			return l.percent
		}
	}
	return 0
}

// readContext reads context weights; those of a policy may be narrowed down.
func readContext(f *form, narrow bool) (out []weight) {
	for _, v := range f.list("context") {
		w := fill(f.reporter, v, "an item of context")
		item := weight{when: w.needPhrase("when", "write the rule under which the weight counts")}
		if w.need("percent", "write how much it adds, such as 50") != nil {
			item.percent = w.number("percent", 0, -100, 1000)
		}
		if narrow {
			item.issue, item.group, item.action = w.phrase("issue").text, w.phrase("group").text, w.phrase("action").text
		}
		w.done()
		out = append(out, item)
	}
	return out
}

func readCaps(f *form) (c decide.Caps) {
	caps := f.sub("caps")
	if caps == nil {
		return c
	}
	c = decide.Caps{Session: caps.count("session"), Day: caps.count("day"), Total: caps.count("total")}
	caps.done()
	return c
}

func readFloor(f *form) (out decide.Floor) {
	floor := f.sub("floor")
	if floor == nil {
		return out
	}
	out.Propensity = cx.Propensity(floor.number("propensity", 0, 0, 1))
	out.Score = floor.number("score", 0, 0, 1e12)
	floor.done()
	return out
}
