package rule

import (
	"encoding/json"
	"maps"
	"math"
	"slices"
	"strconv"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"

	"github.com/kikubari/kikubari/internal/cx"
)

// viaCel returns a node that has cel-go run e. Its arguments are what e reads.
func (c *compiler) viaCel(e ast.Expr) *node {
	whole := ast.NewAST(e, c.checked.SourceInfo())
	program, err := language().PlanProgram(ast.NewCheckedAST(whole, c.checked.TypeMap(), c.checked.ReferenceMap()), cel.CostLimit(costLimit))
	if err != nil {
		if c.broken == nil {
			c.broken = c.fail(e, "this cannot be run: "+err.Error(), "write it in a simpler way")
		}
		return &node{konst: cx.BoolValue(false)}
	}
	n := &node{op: opCel, program: program, inputs: map[string]valueFunc{}}
	c.inputsOf(e, &n.args)
	for _, name := range slices.Sorted(maps.Keys(c.inputs)) {
		n.inputs[name] = c.inputs[name].val()
	}
	return n
}

// inputsOf adds the facts, statistics and segments that e reads, in the order of
// the source.
func (c *compiler) inputsOf(e ast.Expr, into *[]*node) {
	switch e.Kind() {
	case ast.IdentKind:
		if n := c.variable(e.AsIdent()); n != nil {
			*into = append(*into, c.finish(n, e))
			return
		}
		for _, f := range facts {
			if f.name == e.AsIdent() {
				*into = append(*into, c.finish(&node{op: f.op}, e))
			}
		}
	case ast.SelectKind:
		if n := c.path(e); n != nil {
			*into = append(*into, c.finish(n, e))
			return
		}
		c.inputsOf(e.AsSelect().Operand(), into)
	case ast.CallKind:
		if n := c.whole(e); n != nil {
			*into = append(*into, c.finish(n, e))
			return
		}
		if e.AsCall().IsMemberFunction() {
			c.inputsOf(e.AsCall().Target(), into)
		}
		for _, a := range e.AsCall().Args() {
			c.inputsOf(a, into)
		}
	case ast.ListKind:
		for _, a := range e.AsList().Elements() {
			c.inputsOf(a, into)
		}
	case ast.ComprehensionKind:
		fold := e.AsComprehension()
		c.inputsOf(fold.IterRange(), into)
		c.inputsOf(fold.LoopStep(), into)
	default:
	}
}

// whole returns the node of a call that is one input: a path that ends in an
// index, or since compared with a literal. It returns nil for anything else.
func (c *compiler) whole(e ast.Expr) *node {
	if isIndex(e) {
		return c.path(e)
	}
	args := e.AsCall().Args()
	if o := operations[e.AsCall().FunctionName()]; o < opLt || o > opGe {
		return nil
	}
	for i, a := range args {
		n := c.inputs[a.AsIdent()]
		if n != nil && n.op == opSince && args[1-i].Kind() == ast.LiteralKind {
			return c.native(e)
		}
	}
	return nil
}

// run returns the closure that has cel-go evaluate n.
func (n *node) run() valueFunc {
	program, inputs := n.program, n.inputs
	return func(s *Scope) cx.Value {
		out, _, err := program.Eval(&activation{scope: s, inputs: inputs})
		if err != nil {
			return cx.Value{}
		}
		return fromCel(out)
	}
}

// fromCel converts what cel-go came to.
func fromCel(v ref.Val) cx.Value {
	switch v := v.(type) {
	case types.Null:
		return cx.Value{Kind: cx.Null}
	case types.Bool:
		return cx.BoolValue(bool(v))
	case types.Double:
		return cx.NumberValue(float64(v))
	case types.String:
		return cx.TextValue(string(v))
	case *types.Unknown:
		return cx.UnknownValue()
	case traits.Lister:
		return cx.RawList(string(appendJSON(nil, v)))
	case traits.Mapper:
		return cx.RawMap(string(appendJSON(nil, v)))
	}
	return cx.Value{}
}

// appendJSON writes a value of cel-go as JSON; what JSON cannot say is null.
func appendJSON(dst []byte, v ref.Val) []byte {
	switch v := v.(type) {
	case types.Bool:
		return strconv.AppendBool(dst, bool(v))
	case types.Double:
		if !math.IsNaN(float64(v)) && !math.IsInf(float64(v), 0) {
			return strconv.AppendFloat(dst, float64(v), 'g', -1, 64)
		}
	case types.String:
		quoted, err := json.Marshal(string(v))
		if err == nil {
			return append(dst, quoted...)
		}
	case traits.Mapper:
		return appendMembers(dst, v.Iterator(), '{', '}', func(dst []byte, key ref.Val) []byte {
			return appendJSON(append(appendJSON(dst, key), ':'), v.Get(key))
		})
	case traits.Lister:
		return appendMembers(dst, v.Iterator(), '[', ']', appendJSON)
	}
	return append(dst, "null"...)
}

func appendMembers(dst []byte, it traits.Iterator, open, closing byte, one func([]byte, ref.Val) []byte) []byte {
	dst = append(dst, open)
	for first := true; it.HasNext() == types.True; first = false {
		if !first {
			dst = append(dst, ',')
		}
		dst = one(dst, it.Next())
	}
	return append(dst, closing)
}
