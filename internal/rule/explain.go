package rule

import (
	"slices"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// Node is one sub-condition of an explained rule: what it says, what it saw and
// whether it held.
type Node struct {
	Source   string  `json:"source"`           // as the rule says it
	Value    string  `json:"value"`            // what it came to: 4000, "shirt", true, missing, unknown
	Held     Held    `json:"held"`             // for conditions; "" for values
	Reason   string  `json:"reason,omitempty"` // why it is missing or unknown
	Since    string  `json:"since,omitempty"`  // it hangs on what was counted since then only: 2026-09-01T00:00:00.000000Z
	Children []*Node `json:"children,omitempty"`
}

// Held says how a condition came out.
type Held string

// The outcomes of a condition. A condition that failed counts as not holding
// where the rule ends there.
const (
	HeldTrue    Held = "true"
	HeldFalse   Held = "false"
	HeldUnknown Held = "unknown"
	HeldFailed  Held = "error"
)

var heldOf = [...]Held{no: HeldFalse, yes: HeldTrue, unknown: HeldUnknown, failed: HeldFailed, misfit: HeldFailed}

// Explain evaluates every sub-condition, also those that Eval passes over, and
// returns them as a tree in the order of the rule.
func (p *Program) Explain(s *Scope) *Node { return p.root.explain(s, true) }

// explain returns the tree under n. asCondition says that n's place is one of a
// condition, whatever its own type.
func (n *node) explain(s *Scope, asCondition bool) *Node {
	v := n.look(s)
	out := &Node{Source: n.source(), Value: short(v.String())}
	if n.typ == Condition || asCondition && n.typ == Anything {
		out.Held = heldOf[condOf(v)]
	}
	if at := n.counted(&s.Counted); at != 0 {
		out.Since = at.String()
	}
	for i, a := range n.shown() {
		out.Children = append(out.Children, a.explain(s, n.takesConditions(i)))
	}
	switch {
	case out.Held == HeldFailed && v.Kind != cx.Missing:
		out.Reason = "this is " + out.Value + ", not true or false"
	case v.Kind == cx.Missing || v.Kind == cx.Unknown:
		out.Reason = n.reason(s, v.Kind, out.Children)
	}
	return out
}

// counted returns since when n counts by itself, 0 when it does not count or counts
// everything.
func (n *node) counted(c *Counted) cx.Instant {
	switch n.op {
	case opStatistic, opSince:
		return c.Statistics[n.slot]
	case opSegment:
		return c.Segments[n.slot]
	default:
		return 0
	}
}

// maxShown is how much of a value is shown, in characters.
const maxShown = 200

func short(text string) string {
	if r := []rune(text); len(r) > maxShown {
		return string(r[:maxShown]) + "…"
	}
	return text
}

// look returns n's value. The open maps are too large to show.
func (n *node) look(s *Scope) cx.Value {
	if n.op >= opProperties && n.op <= opTraits {
		return cx.RawMap("{…}")
	}
	return n.value(s)
}

// source returns n as it was written.
func (n *node) source() string {
	if n.op == opNamed {
		return n.name
	}
	return n.from.show(n.id)
}

// takesConditions reports whether argument i of n is a condition.
func (n *node) takesConditions(i int) bool {
	switch n.op {
	case opAnd, opOr, opNot:
		return true
	case opIf:
		return i == 0
	case opNamed:
		return n.typ == Condition
	default:
		return false
	}
}

// shown returns the sub-expressions worth a line of their own: everything but
// literals and the objects that paths start from.
func (n *node) shown() []*node {
	if (n.op == opPath || n.op == opHas) && n.args[0].op >= opProperties && n.args[0].op <= opTraits {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(n.args), func(a *node) bool { return a.op == opConst })
}

// reason says why n came to nothing, as far as it is not its children's doing.
func (n *node) reason(s *Scope, kind cx.ValueKind, children []*Node) string {
	for _, child := range children {
		if child.Value == (cx.Value{Kind: kind}).String() {
			if child.Held == HeldFailed {
				return child.Source + " failed"
			}
			return child.Source + " is " + child.Value
		}
	}
	if kind == cx.Unknown {
		return "the statistic is still being filled from the past"
	}
	switch n.op {
	case opEventName, opEventType, opEventLocale:
		return "there is no event at hand"
	case opStatistic:
		return "nothing was counted in " + n.spec.Window.String() + " yet"
	case opSince:
		return "it has not happened yet"
	case opPath, opHas:
		return n.lost(s)
	case opLt, opLe, opGt, opGe:
		return "the two sides cannot be ordered"
	case opAdd, opSub, opMul, opDiv, opMod, opNeg:
		return "this needs numbers"
	case opCel:
		return n.why(s)
	case opContains, opStartsWith, opEndsWith, opMatches:
		return "this needs text"
	default:
		return "this does not work on what is there"
	}
}

// lost says which step of a path found nothing.
func (n *node) lost(s *Scope) string {
	object := n.args[0]
	switch {
	case object.op == opTraits && s.Customer == nil:
		return "there is no customer"
	case (object.op == opProperties || object.op == opContext) && s.Event == nil:
		return "there is no event at hand"
	}
	for i := range n.path {
		part := &node{op: opPath, args: n.args, path: n.path[:i+1]}
		if part.follow()(s).Kind == cx.Missing {
			return object.source() + pathText(n.path[:i+1]) + " is not there"
		}
	}
	return "this is not a group of fields"
}

// why lets cel-go say what went wrong.
func (n *node) why(s *Scope) string {
	_, _, err := n.program.Eval(&activation{scope: s, inputs: n.inputs})
	if err == nil {
		return "this does not work on what is there"
	}
	return err.Error()
}

// String writes the tree for people, one sub-condition a line:
//
//	no   cart >= 3000 && event.name == "Product Added"
//	  no   cart >= 3000
//	       cart = 2000
//	  yes  event.name == "Product Added"
//	       event.name = "Product Added"
func (n *Node) String() string {
	var b strings.Builder
	n.write(&b, 0)
	return b.String()
}

var heldWords = map[Held]string{HeldTrue: "yes  ", HeldFalse: "no   ", HeldUnknown: "?    ", HeldFailed: "fail ", "": "     "}

func (n *Node) write(b *strings.Builder, depth int) {
	b.WriteString(strings.Repeat("  ", depth))
	b.WriteString(heldWords[n.Held])
	b.WriteString(n.Source)
	if n.Held == "" {
		b.WriteString(" = ")
		b.WriteString(n.Value)
	}
	if n.Reason != "" {
		b.WriteString("  (")
		b.WriteString(n.Reason)
		b.WriteString(")")
	}
	if n.Since != "" {
		b.WriteString("  (counted since ")
		b.WriteString(n.Since)
		b.WriteString(")")
	}
	b.WriteByte('\n')
	for _, c := range n.Children {
		c.write(b, depth+1)
	}
}
