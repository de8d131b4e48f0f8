package rule

import (
	"math"
	"strconv"
	"sync"
	"unicode/utf8"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/decls"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/overloads"
	"cel.dev/cel-go/common/stdlib"
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// The limits of one rule.
const (
	maxSource   = 8_000  // characters
	maxNodes    = 2_000  // nodes of the syntax tree, named expressions included
	maxDepth    = 60     // nesting of parentheses and calls
	maxDeepNode = 250    // nesting of the tree, named expressions included
	maxInputs   = 64     // different statistics, and different segments
	maxPattern  = 500    // characters of one regular expression
	costLimit   = 50_000 // of one evaluation by cel-go, in its own units
)

// fact is one variable that every rule may use.
type fact struct {
	name string
	typ  *cel.Type
	op   op
}

// facts are the variables with a fixed name; the maps among them are opened by
// a path.
var facts = []fact{
	{"event.name", cel.StringType, opEventName},
	{"event.type", cel.StringType, opEventType},
	{"event.locale", cel.StringType, opEventLocale},
	{"event.properties", openMap, opProperties},
	{"event.context", openMap, opContext},
	{"traits", openMap, opTraits},
	{"customer.known", cel.BoolType, opKnown},
	{"customer.claimed", cel.BoolType, opClaimed},
	{"session.running", cel.BoolType, opRunning},
	{"session.number", cel.DoubleType, opSessionNumber},
	{"session.events", cel.DoubleType, opSessionEvents},
	{"session.duration", cel.DoubleType, opSessionDuration},
	{"time.hour", cel.DoubleType, opHour},
	{"time.minute", cel.DoubleType, opMinute},
	{"time.weekday", cel.DoubleType, opWeekday},
	{"time.day", cel.DoubleType, opDay},
	{"time.month", cel.DoubleType, opMonth},
}

var openMap = cel.MapType(cel.StringType, cel.DynType)

// The prefixes of the variables that stand for the n-th statistic or segment of
// one rule. No rule can spell them.
const (
	prefixNumber  = "@n" // a statistic that is a number
	prefixAny     = "@a" // a statistic that may be text or a number
	prefixList    = "@l" // a statistic that is a list
	prefixSegment = "@s"
)

// standard are the operators and functions taken from CEL as they are, with the
// overloads that make sense without integers.
var standard = map[string][]string{
	operators.Conditional:      nil,
	operators.LogicalAnd:       nil,
	operators.LogicalOr:        nil,
	operators.LogicalNot:       nil,
	operators.NotStrictlyFalse: nil,
	operators.Equals:           nil,
	operators.NotEquals:        nil,
	operators.Subtract:         {overloads.SubtractDouble},
	operators.Multiply:         {overloads.MultiplyDouble},
	operators.Divide:           {overloads.DivideDouble},
	operators.Negate:           {overloads.NegateDouble},
	operators.Less:             {overloads.LessDouble, overloads.LessString},
	operators.LessEquals:       {overloads.LessEqualsDouble, overloads.LessEqualsString},
	operators.Greater:          {overloads.GreaterDouble, overloads.GreaterString},
	operators.GreaterEquals:    {overloads.GreaterEqualsDouble, overloads.GreaterEqualsString},
	operators.In:               nil,
	operators.Index:            nil,
	overloads.Contains:         nil,
	overloads.StartsWith:       nil,
	overloads.EndsWith:         nil,
	overloads.Matches:          {overloads.MatchesString},
}

// language is the environment that every rule is parsed and checked in.
var language = sync.OnceValue(func() *cel.Env {
	opts := []cel.EnvOption{
		cel.Macros(cel.HasMacro, cel.AllMacro, cel.ExistsMacro, cel.ExistsOneMacro),
		cel.EnableMacroCallTracking(),
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserExpressionSizeLimit(maxSource),
		cel.ExpressionNodeLimit(maxNodes),
		cel.RegexProgramSizeLimit(20 * maxPattern),
		cel.FunctionDecls(functions()...),
	}
	for _, f := range facts {
		opts = append(opts, cel.Variable(f.name, f.typ))
	}
	for i := range maxInputs {
		n := strconv.Itoa(i)
		opts = append(opts,
			cel.Variable(prefixNumber+n, cel.DoubleType), cel.Variable(prefixAny+n, cel.DynType),
			cel.Variable(prefixList+n, cel.ListType(cel.DynType)), cel.Variable(prefixSegment+n, cel.BoolType))
	}
	env, err := cel.NewCustomEnv(opts...)
	if err != nil {
		panic("rule: the language does not declare: " + err.Error())
	}
	return env
})

// functions returns the declarations of all operators and functions.
func functions() []*decls.FunctionDecl {
	var out []*decls.FunctionDecl
	for _, f := range stdlib.Functions() {
		keep, ok := standard[f.Name()]
		switch {
		case !ok:
		case keep == nil:
			out = append(out, f)
		default:
			out = append(out, f.Subset(decls.IncludeOverloads(keep...)))
		}
	}
	return append(out,
		declare(operators.Add,
			decls.Overload("add_numbers", two(types.DoubleType), types.DoubleType, decls.BinaryBinding(func(a, b ref.Val) ref.Val {
				return a.(types.Double) + b.(types.Double)
			})),
			decls.Overload("add_texts", two(types.StringType), types.StringType, decls.BinaryBinding(func(a, b ref.Val) ref.Val {
				return a.(types.String) + b.(types.String)
			}))),
		declare(operators.Modulo,
			decls.Overload("remainder", two(types.DoubleType), types.DoubleType, decls.BinaryBinding(func(a, b ref.Val) ref.Val {
				return types.Double(math.Mod(float64(a.(types.Double)), float64(b.(types.Double))))
			}))),
		declare(overloads.Size, sizes()...),
	)
}

// sizes returns the overloads of size(x) and x.size().
func sizes() []decls.FunctionOpt {
	var out []decls.FunctionOpt
	for _, t := range []*types.Type{types.StringType, types.NewListType(types.NewTypeParamType("A")), openMap} {
		name := t.TypeName()
		out = append(out,
			decls.Overload("size_"+name, []*types.Type{t}, types.DoubleType, decls.UnaryBinding(sizeOf)),
			decls.MemberOverload(name+"_size", []*types.Type{t}, types.DoubleType, decls.UnaryBinding(sizeOf)))
	}
	return out
}

func two(t *types.Type) []*types.Type { return []*types.Type{t, t} }

func declare(name string, opts ...decls.FunctionOpt) *decls.FunctionDecl {
	f, err := decls.NewFunction(name, opts...)
	if err != nil {
		panic("rule: the function " + name + " does not declare: " + err.Error())
	}
	return f
}

// sizeOf returns the characters of a text or the members of a list or map.
func sizeOf(v ref.Val) ref.Val {
	switch v := v.(type) {
	case types.String:
		return types.Double(utf8.RuneCountInString(string(v)))
	case traits.Sizer:
		if n, ok := v.Size().(types.Int); ok {
			return types.Double(n)
		}
	}
	return types.MaybeNoSuchOverloadErr(v)
}
