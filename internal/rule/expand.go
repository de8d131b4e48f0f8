package rule

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/kikubari/kikubari/internal/cx"
)

// expander turns the tree of a rule as it was written into one that cel-go can
// check: numbers become doubles, statistics and segments become variables, and
// named expressions become what they stand for.
type expander struct {
	env   *Env
	fac   ast.ExprFactory
	main  *source
	from  map[int64]place // id in the expanded tree -> where it was written
	named map[int64][]use // id of what replaced names -> the names, outermost first
	next  int64           // next free id
	nodes int
	open  []string // the named expressions being expanded, outermost first

	inputs     map[string]*node // variable -> what it stands for
	statistics []*node          // those of inputs, in order of appearance
	specs      map[cx.StatisticSpec]string
	segments   map[string]string
	patterns   []ast.Expr // the calls of matches
}

// place is a sub-expression of a source.
type place struct {
	from *source
	id   int64
}

// use is one mention of a named expression.
type use struct {
	name string
	at   place
}

// locals are the variables that exists and all bind, as a chain.
type locals struct {
	name string
	up   *locals
}

func (l *locals) has(name string) bool {
	for ; l != nil; l = l.up {
		if l.name == name {
			return true
		}
	}
	return false
}

func (x *expander) fail(e ast.Expr, message, hint string) error {
	p := x.place(e.ID())
	return p.from.at(p.id, message, hint)
}

// place returns where the sub-expression id of the expanded tree was written.
func (x *expander) place(id int64) place {
	if p, ok := x.from[id]; ok {
		return p
	}
	return place{x.main, id}
}

// expand rewrites e in place. up are the variables bound around it.
func (x *expander) expand(e ast.Expr, up *locals) error {
	if x.nodes++; x.nodes > maxNodes {
		return x.fail(e, fmt.Sprintf("the rule is too large: with its named expressions it has over %d parts", maxNodes), "split it into segments")
	}
	switch e.Kind() {
	case ast.LiteralKind:
		return x.literal(e)
	case ast.IdentKind:
		return x.ident(e, up)
	case ast.SelectKind:
		return x.selection(e, up)
	case ast.CallKind:
		return x.call(e, up)
	case ast.ListKind:
		return x.each(e.AsList().Elements(), up)
	case ast.ComprehensionKind:
		return x.comprehension(e, up)
	case ast.MapKind, ast.StructKind:
		return x.fail(e, "rules have no {…}", "compare the fields one by one, joined with &&")
	default:
		return x.fail(e, "something is missing here", "complete the rule")
	}
}

func (x *expander) each(list []ast.Expr, up *locals) error {
	for _, e := range list {
		if err := x.expand(e, up); err != nil {
			return err
		}
	}
	return nil
}

// literal makes every number a double.
func (x *expander) literal(e ast.Expr) error {
	switch v := e.AsLiteral().(type) {
	case types.Int:
		x.replace(e, x.fac.NewLiteral(e.ID(), types.Double(v)))
	case types.Uint:
		return x.fail(e, "rules have no unsigned numbers", "leave out the u")
	case types.Bytes:
		return x.fail(e, "rules have no byte strings", "leave out the b before the quote")
	}
	return nil
}

func (x *expander) replace(e, by ast.Expr) { e.SetKindCase(by) }

func (x *expander) ident(e ast.Expr, up *locals) error {
	name := e.AsIdent()
	if up.has(name) || name == "traits" {
		return nil
	}
	if text, ok := x.env.Names[name]; ok {
		return x.substitute(e, name, text)
	}
	if members := factsOf(name); members != nil {
		return x.fail(e, name+" alone is not a value", "say which: "+strings.Join(members, ", "))
	}
	if _, ok := functionHelp[name]; ok {
		return x.fail(e, name+" is a function", "write "+functionHelp[name])
	}
	known := append(slices.Sorted(maps.Keys(x.env.Names)), "event", "traits", "customer", "session", "time")
	hint := "text goes in quotes: " + fmt.Sprintf("%q", name)
	if near := nearest(name, known); near != "" {
		hint = "did you mean " + near + "?"
	}
	return x.fail(e, "nothing is called "+name, hint)
}

// selection checks event.x, traits.x and so on against what there is; anything
// deeper is looked up when the rule runs.
func (x *expander) selection(e ast.Expr, up *locals) error {
	s := e.AsSelect()
	if s.Operand().Kind() != ast.IdentKind || up.has(s.Operand().AsIdent()) {
		return x.expand(s.Operand(), up)
	}
	root := s.Operand().AsIdent()
	members := factsOf(root)
	if members == nil {
		return x.expand(s.Operand(), up)
	}
	full := root + "." + s.FieldName()
	if !slices.Contains(members, full) {
		hint := "there is " + strings.Join(members, ", ")
		if near := nearest(s.FieldName(), lastNames(members)); near != "" {
			hint = "did you mean " + root + "." + near + "?"
		} else if root == "event" {
			hint = "a field of the event is event.properties." + s.FieldName() + ", or event.context.…"
		} else if root == "customer" {
			hint = "a fact about the customer is traits." + s.FieldName()
		}
		return x.fail(e, "there is no "+full, hint)
	}
	if s.IsTestOnly() {
		return x.fail(e, full+" is always there, so has("+full+") says nothing", "leave it out, or name a field in it")
	}
	return nil
}

// factsOf returns the full names of the facts under root, nil when there is no
// such root.
func factsOf(root string) []string {
	var out []string
	for _, f := range facts {
		if strings.HasPrefix(f.name, root+".") {
			out = append(out, f.name)
		}
	}
	return out
}

// lastNames returns what follows the dot in each name.
func lastNames(names []string) []string {
	out := make([]string, len(names))
	for i, n := range names {
		_, out[i], _ = strings.Cut(n, ".")
	}
	return out
}

func (x *expander) comprehension(e ast.Expr, up *locals) error {
	c := e.AsComprehension()
	if err := x.expand(c.IterRange(), up); err != nil {
		return err
	}
	for _, f := range facts {
		if c.IterVar() == f.name || strings.HasPrefix(f.name, c.IterVar()+".") {
			return x.fail(e, c.IterVar()+" has a meaning of its own in rules", "use another letter for the element")
		}
	}
	in := &locals{c.IterVar(), &locals{c.AccuVar(), up}}
	return x.each([]ast.Expr{c.AccuInit(), c.LoopCondition(), c.LoopStep(), c.Result()}, in)
}

func (x *expander) call(e ast.Expr, up *locals) error {
	c := e.AsCall()
	name, args := c.FunctionName(), c.Args()
	if !c.IsMemberFunction() {
		switch {
		case statisticArgs[name] != nil:
			return x.statistic(e)
		case name == "since":
			return x.since(e)
		case spans[name] != 0:
			return x.span(e)
		case name == "segment":
			return x.segment(e)
		}
	}
	if err := x.known(e); err != nil {
		return err
	}
	if c.IsMemberFunction() {
		if err := x.expand(c.Target(), up); err != nil {
			return err
		}
	}
	if name == operators.Index && len(args) == 2 && args[1].Kind() == ast.LiteralKind {
		if _, ok := args[1].AsLiteral().(types.Int); ok {
			args = args[:1] // the number of an element stays whole
		}
	}
	if name == "matches" {
		x.patterns = append(x.patterns, e)
	}
	return x.each(args, up)
}

// known refuses functions that the language does not have.
func (x *expander) known(e ast.Expr) error {
	c := e.AsCall()
	name := c.FunctionName()
	if _, ok := standard[name]; ok || name == operators.Add || name == operators.Modulo || name == "size" {
		if help, ok := functionHelp[name]; ok && c.IsMemberFunction() != strings.HasPrefix(help, "x.") && name != "size" {
			return x.fail(e, name+" is written differently", "write "+help)
		}
		return nil
	}
	if help, ok := functionHelp[name]; ok {
		return x.fail(e, name+" is written differently", "write "+help)
	}
	hint := "the functions are " + strings.Join(slices.Sorted(maps.Keys(functionHelp)), ", ")
	if near := nearest(name, slices.Sorted(maps.Keys(functionHelp))); near != "" {
		hint = "did you mean " + functionHelp[near] + "?"
	}
	return x.fail(e, "there is no function "+name, hint)
}
