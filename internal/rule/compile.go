package rule

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"github.com/kikubari/kikubari/internal/cx"
)

// Program is a compiled rule. It is immutable and safe for concurrent use.
type Program struct {
	src      *source
	root     *node
	cond     condFunc
	value    valueFunc
	deps     Deps
	native   bool
	warnings []*Error
}

// Compile compiles a rule of any type. The error is an *Error.
func Compile(src string, env *Env) (*Program, error) {
	c, err := analyse(src, env)
	if err != nil {
		return nil, err
	}
	root, err := c.build(c.checked.Expr())
	if err != nil {
		return nil, err
	}
	if kind := c.checked.GetType(c.checked.Expr().ID()).Kind(); kind == types.MapKind {
		return nil, c.fail(c.checked.Expr(), "this is a group of fields, not a value", "name one of them, such as traits.plan or event.properties.price")
	}
	p := &Program{src: c.main, root: root, native: true}
	root.walk(func(n *node) bool {
		p.native = p.native && n.op != opCel
		return true
	})
	if err := c.examine(p); err != nil {
		return nil, err
	}
	root.prepare()
	p.cond, p.value = root.cond(), root.val()
	return p, nil
}

// CompileCondition compiles a rule that is true or false.
func CompileCondition(src string, env *Env) (*Program, error) {
	p, err := Compile(src, env)
	if err != nil {
		return nil, err
	}
	if t := p.Type(); t != Condition && t != Anything {
		return nil, p.src.at(p.root.id, "the rule is "+t.String()+", not true or false", "compare it with something: "+strings.TrimSpace(src)+" >= 1000, or == \"…\"")
	}
	return p, nil
}

// CompileState compiles a condition about what a customer is rather than about
// what just happened: it may not look at the event at hand. Segments are made of
// these.
func CompileState(src string, env *Env) (*Program, error) {
	p, err := CompileCondition(src, env)
	if err != nil {
		return nil, err
	}
	if !p.deps.Event {
		return p, nil
	}
	at := p.root
	for at.op != opPath && at.op != opHas {
		i := slices.IndexFunc(at.args, (*node).readsEvent)
		if i < 0 || at.args[i].from != p.src {
			break
		}
		at = at.args[i]
	}
	return nil, p.src.at(at.id, "event.… is gone once the event is over, so it cannot say who belongs here",
		`use a statistic, such as count("Product Added", "session") > 0; actions may look at event.…`)
}

// Type returns what the rule yields.
func (p *Program) Type() Type { return p.root.typ }

// Source returns the rule as it was given to Compile.
func (p *Program) Source() string { return p.src.text }

// Native reports whether the whole rule runs as closures, without cel-go.
func (p *Program) Native() bool { return p.native }

// Warnings returns what looks wrong judging by the events seen so far, in order
// of position.
func (p *Program) Warnings() []*Error { return p.warnings }

// Deps returns what the rule looks at. The caller does not change it.
func (p *Program) Deps() *Deps { return &p.deps }

// Eval decides whether the rule holds. A rule that is not a condition, or that
// fails, is False. A Native program allocates nothing unless it joins texts,
// counts the members of a map or compares whole lists.
func (p *Program) Eval(s *Scope) Truth {
	switch p.cond(s) {
	case yes:
		return True
	case unknown:
		return Unknown
	default:
		return False
	}
}

// Value returns the rule's value, which may alias what s holds: Missing when it fails, Unknown when it hangs
// on a statistic that is still being back-filled.
func (p *Program) Value(s *Scope) cx.Value { return p.value(s) }

// compiler takes a rule from its text to a tree of nodes.
type compiler struct {
	expander
	parsed  *cel.Ast
	checked *ast.AST
	broken  error // the first sub-expression that cel-go cannot run
}

// analyse parses, expands and checks a rule.
func analyse(text string, env *Env) (*compiler, error) {
	c := &compiler{expander: expander{
		env: env, fac: ast.NewExprFactory(),
		from: map[int64]place{}, named: map[int64][]use{},
		inputs: map[string]*node{}, specs: map[cx.StatisticSpec]string{}, segments: map[string]string{},
	}}
	var err error
	if c.main, c.parsed, err = parse(text, ""); err != nil {
		return nil, err
	}
	tree := c.parsed.NativeRep()
	c.next = ast.MaxID(tree) + 1
	if err := c.expand(tree.Expr(), nil); err != nil {
		return nil, err
	}
	if err := c.check(); err != nil {
		return nil, err
	}
	for _, n := range c.statistics {
		n.slot = env.Slot(n.spec)
	}
	return c, nil
}

// parse reads text into a tree. The source keeps a copy as it was written.
func parse(text, name string) (*source, *cel.Ast, error) {
	src := &source{name: name, text: text}
	switch {
	case strings.TrimSpace(text) == "":
		return nil, nil, src.errorAt(1, 1, "the rule is empty", `write a condition such as count("Order Completed", "all") > 0`)
	case !utf8.ValidString(text):
		return nil, nil, src.errorAt(1, 1, "the rule is not UTF-8 text", "save the file as UTF-8")
	case utf8.RuneCountInString(text) > maxSource:
		return nil, nil, src.errorAt(1, 1, fmt.Sprintf("the rule is longer than %d characters", maxSource), "split it into segments or named expressions")
	}
	parsed, issues := language().Parse(text)
	if issues.Err() != nil {
		return nil, nil, src.syntax(issues.Errors())
	}
	asWritten := ast.Copy(parsed.NativeRep())
	src.tree, src.info = asWritten.Expr(), asWritten.SourceInfo()
	return src, parsed, nil
}

// substitute replaces e by the expression called name.
func (x *expander) substitute(e ast.Expr, name, text string) error {
	if slices.Contains(x.open, name) {
		chain := append(slices.Clone(x.open[slices.Index(x.open, name):]), name)
		return x.fail(e, name+" is defined by itself: "+strings.Join(chain, " -> "), "write one of them without the other")
	}
	src, parsed, err := parse(text, name)
	if err != nil {
		return err
	}
	tree := parsed.NativeRep().Expr()
	moved := map[int64]int64{}
	renumber := func(id int64) int64 {
		if id == 0 {
			return 0
		}
		if _, ok := moved[id]; !ok {
			moved[id] = x.next
			x.from[x.next] = place{src, id}
			x.next++
		}
		return moved[id]
	}
	tree.RenumberIDs(renumber)
	used := x.place(e.ID())
	x.replace(e, tree)
	x.from[e.ID()] = place{src, src.tree.ID()}
	x.named[e.ID()] = append(x.named[e.ID()], use{name, used})
	x.open = append(x.open, name)
	err = x.expand(e, nil)
	x.open = x.open[:len(x.open)-1]
	return err
}
