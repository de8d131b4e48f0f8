package rule

import (
	"regexp"
	"slices"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/kikubari/kikubari/internal/cx"
)

// operations maps CEL's operators and functions to ours. Those that are missing
// here have a case of their own in call.
var operations = map[string]op{
	operators.LogicalNot: opNot, operators.Conditional: opIf,
	operators.Equals: opEq, operators.NotEquals: opNe,
	operators.Less: opLt, operators.LessEquals: opLe, operators.Greater: opGt, operators.GreaterEquals: opGe,
	operators.Add: opAdd, operators.Subtract: opSub, operators.Multiply: opMul, operators.Divide: opDiv, operators.Modulo: opMod,
	operators.Negate: opNeg, "size": opSize, "contains": opContains, "startsWith": opStartsWith, "endsWith": opEndsWith,
	"matches": opMatches,
}

// build turns the checked tree e into nodes.
func (c *compiler) build(e ast.Expr) (*node, error) {
	n := c.node(e)
	if n == nil {
		n = c.finish(c.viaCel(e), e)
	}
	return n, c.broken
}

// node returns the node for e. nil means that e yields something that has no
// form outside cel-go, such as a list literal: the expression around e is then
// run by cel-go as a whole.
func (c *compiler) node(e ast.Expr) *node {
	n := c.native(e)
	if n == nil && c.typeOf(e) != List && c.checked.GetType(e.ID()).Kind() != types.MapKind && c.typeOf(e) != Anything {
		n = c.viaCel(e)
	}
	return c.finish(n, e)
}

// finish notes where n was written and which names it goes by.
func (c *compiler) finish(n *node, e ast.Expr) *node {
	if n == nil {
		return nil
	}
	p := c.place(e.ID())
	n.typ, n.from, n.id = c.typeOf(e), p.from, p.id
	for _, u := range slices.Backward(c.named[e.ID()]) {
		n = &node{op: opNamed, typ: n.typ, args: []*node{n}, name: u.name, from: u.at.from, id: u.at.id}
	}
	return n
}

func (c *compiler) typeOf(e ast.Expr) Type {
	switch c.checked.GetType(e.ID()).Kind() {
	case types.BoolKind:
		return Condition
	case types.DoubleKind:
		return Number
	case types.StringKind:
		return Text
	case types.ListKind:
		return List
	default:
		return Anything
	}
}

func (c *compiler) native(e ast.Expr) *node {
	switch e.Kind() {
	case ast.LiteralKind:
		return literalNode(e)
	case ast.IdentKind:
		return c.variable(e.AsIdent())
	case ast.SelectKind:
		return c.path(e)
	case ast.CallKind:
		return c.operation(e)
	default:
		return nil
	}
}

func literalNode(e ast.Expr) *node {
	switch v := e.AsLiteral().(type) {
	case types.Bool:
		return &node{konst: cx.BoolValue(bool(v))}
	case types.Double:
		return &node{konst: cx.NumberValue(float64(v))}
	case types.String:
		return &node{konst: cx.TextValue(string(v))}
	case types.Null:
		return &node{konst: cx.Value{Kind: cx.Null}}
	}
	return nil
}

// variable returns the node of a fact, a statistic or a segment. The open maps
// have none: they only occur at the start of a path.
func (c *compiler) variable(name string) *node {
	if n := c.inputs[name]; n != nil {
		own := *n
		return &own
	}
	for _, f := range facts {
		if f.name == name && f.typ != openMap {
			return &node{op: f.op}
		}
	}
	return nil
}

// path returns the node of a field somewhere inside an open map or a value, or
// of has(…) around one.
func (c *compiler) path(e ast.Expr) *node {
	n := &node{op: opPath}
	at := e
	for at.Kind() == ast.SelectKind || isIndex(at) {
		if at.Kind() == ast.SelectKind {
			s := at.AsSelect()
			if s.IsTestOnly() {
				if at.ID() != e.ID() {
					return nil
				}
				n.op = opHas
			}
			n.path = append(n.path, step{name: s.FieldName()})
			at = s.Operand()
			continue
		}
		args := at.AsCall().Args()
		s, ok := constantStep(args[1])
		if !ok {
			return nil
		}
		n.path = append(n.path, s)
		at = args[0]
	}
	slices.Reverse(n.path)
	object := c.object(at)
	if object == nil || len(n.path) == 0 || n.op == opHas && n.path[len(n.path)-1].array {
		return nil
	}
	n.args = []*node{object}
	return n
}

func isIndex(e ast.Expr) bool {
	return e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Index
}

func constantStep(e ast.Expr) (step, bool) {
	if e.Kind() != ast.LiteralKind {
		return step{}, false
	}
	switch v := e.AsLiteral().(type) {
	case types.String:
		return step{name: string(v)}, true
	case types.Int:
		return step{index: int(v), array: true}, true
	}
	return step{}, false
}

// object returns the node that a path starts from.
func (c *compiler) object(e ast.Expr) *node {
	if e.Kind() == ast.IdentKind {
		for _, f := range facts {
			if f.name == e.AsIdent() && f.typ == openMap {
				return c.finish(&node{op: f.op}, e)
			}
		}
	}
	return c.node(e)
}

func (c *compiler) operation(e ast.Expr) *node {
	call := e.AsCall()
	args := call.Args()
	if call.IsMemberFunction() {
		args = append([]ast.Expr{call.Target()}, args...)
	}
	switch name := call.FunctionName(); name {
	case operators.Index:
		return c.path(e)
	case operators.LogicalAnd:
		return c.chain(e, opAnd, operators.LogicalAnd)
	case operators.LogicalOr:
		return c.chain(e, opOr, operators.LogicalOr)
	case operators.In:
		return c.membership(args)
	default:
		o, ok := operations[name]
		if !ok {
			return nil
		}
		return c.with(&node{op: o}, args)
	}
}

// with gives n its arguments; nil when one of them has no node.
func (c *compiler) with(n *node, args []ast.Expr) *node {
	for _, a := range args {
		child := c.node(a)
		if child == nil {
			return nil
		}
		n.args = append(n.args, child)
	}
	if n.op == opMatches {
		pattern, err := regexp.Compile(n.args[1].konst.Str())
		if err != nil {
			return nil
		}
		n.pattern = pattern
	}
	return fold(n)
}

// chain flattens a && b && c into one node, in the order of the source.
func (c *compiler) chain(e ast.Expr, o op, function string) *node {
	n := &node{op: o}
	var collect func(ast.Expr) bool
	collect = func(e ast.Expr) bool {
		if e.Kind() == ast.CallKind && e.AsCall().FunctionName() == function && len(c.named[e.ID()]) == 0 {
			for _, a := range e.AsCall().Args() {
				if !collect(a) {
					return false
				}
			}
			return true
		}
		child := c.node(e)
		if child == nil {
			return false
		}
		n.args = append(n.args, child)
		return true
	}
	for _, a := range e.AsCall().Args() {
		if !collect(a) {
			return nil
		}
	}
	return n
}

// membership returns the node of x in y.
func (c *compiler) membership(args []ast.Expr) *node {
	if args[1].Kind() != ast.ListKind {
		return c.with(&node{op: opIn}, args)
	}
	return c.with(&node{op: opAmong}, append([]ast.Expr{args[0]}, args[1].AsList().Elements()...))
}

// fold computes arithmetic on literals once and for all.
func fold(n *node) *node {
	if n.op < opAdd || n.op > opNeg {
		return n
	}
	for _, a := range n.args {
		if v, ok := a.constant(); !ok || v.Kind != cx.Number {
			return n
		}
		a.typ = Number
	}
	n.typ = Number
	v, held := n.num()(&Scope{})
	if held != yes {
		return n
	}
	return &node{konst: cx.NumberValue(v)}
}
