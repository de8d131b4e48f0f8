package rule

import (
	"fmt"
	"regexp"
	"strings"

	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// check type-checks the expanded tree.
func (c *compiler) check() error {
	if h := ast.Heights(c.parsed.NativeRep())[c.parsed.NativeRep().Expr().ID()]; h > maxDeepNode {
		return c.fail(c.parsed.NativeRep().Expr(), fmt.Sprintf("the rule is nested more than %d deep", maxDeepNode), "split it into segments")
	}
	for _, call := range c.patterns {
		if err := c.pattern(call); err != nil {
			return err
		}
	}
	checked, issues := language().Check(c.parsed)
	if issues.Err() != nil {
		return c.mismatch(issues.Errors()[0])
	}
	c.checked = checked.NativeRep()
	return nil
}

// pattern checks that a regular expression is written out and sound.
func (c *compiler) pattern(call ast.Expr) error {
	args := call.AsCall().Args()
	if len(args) != 1 {
		return c.fail(call, "matches takes one pattern", "write "+functionHelp["matches"])
	}
	text, ok := args[0].AsLiteral().(types.String)
	if args[0].Kind() != ast.LiteralKind || !ok {
		return c.fail(args[0], "the pattern of matches must be written out, in quotes", "write "+functionHelp["matches"])
	}
	if len(text) > maxPattern {
		return c.fail(args[0], fmt.Sprintf("the pattern is longer than %d bytes", maxPattern), "shorten it")
	}
	if _, err := regexp.Compile(string(text)); err != nil {
		why := strings.TrimPrefix(err.Error(), "error parsing regexp: ")
		return c.fail(args[0], "the pattern is not a regular expression: "+why, `in a rule a backslash is written twice: "\\d+"`)
	}
	return nil
}

var noOverload = regexp.MustCompile(`^found no matching overload for '([^']*)' applied to '(.*)'$`)

var wrongType = regexp.MustCompile(`^expected type '(.*)' but found '(.*)'$`)

// mismatch says in the marketer's words what cel-go's checker found.
func (c *compiler) mismatch(e *common.Error) error {
	p := c.place(e.ExprID)
	m := noOverload.FindStringSubmatch(e.Message)
	if m == nil {
		if m := wrongType.FindStringSubmatch(e.Message); m != nil {
			if uses := c.named[e.ExprID]; len(uses) > 0 {
				p = uses[0].at
			}
			return p.from.at(p.id, typeWord(m[1])+" is needed here, but this is "+typeWord(m[2]), "compare it with something, as in "+functionHelp["count"]+" > 0")
		}
		return p.from.at(p.id, e.Message, "change one of the two")
	}
	args := signature(m[2])
	name := m[1]
	switch name {
	case operators.Equals, operators.NotEquals, operators.Less, operators.LessEquals, operators.Greater, operators.GreaterEquals:
		return p.from.at(p.id, "cannot compare "+strings.Join(args, " with "), comparisonHint(args))
	case operators.LogicalAnd, operators.LogicalOr, operators.LogicalNot:
		symbol, _ := operators.FindReverse(name)
		return p.from.at(p.id, symbol+" joins conditions, not "+firstNot(args, Condition.String()), "compare each side with something, as in "+functionHelp["count"]+" > 0")
	case operators.Conditional:
		return p.from.at(p.id, "a ? b : c needs a condition before the ? and two values of one type after it; here it has "+strings.Join(args, ", "), "make both values text, or both numbers")
	case operators.In:
		return p.from.at(p.id, "cannot look for "+strings.Join(args, " in "), `write a list after in: x in ["a", "b"]`)
	}
	if symbol, ok := operators.FindReverse(name); ok && symbol != "" {
		return p.from.at(p.id, "cannot use "+symbol+" on "+strings.Join(args, " and "), "use numbers on both sides; texts can only be joined with +")
	}
	return p.from.at(p.id, name+" does not work on "+strings.Join(args, ", "), "write "+functionHelp[name])
}

func comparisonHint(args []string) string {
	switch {
	case len(args) == 2 && (args[0] == Text.String()) != (args[1] == Text.String()) && (args[0] == Number.String() || args[1] == Number.String()):
		return "a number is written without quotes, a text with them"
	case len(args) == 2 && args[0] == args[1]:
		return "use == or !="
	}
	return "compare numbers with numbers and texts with texts"
}

func firstNot(args []string, want string) string {
	for _, a := range args {
		if a != want {
			return a
		}
	}
	return want
}

// signature turns "(string, list(dyn))" or "string.(double)" into people's words.
func signature(s string) []string {
	target, rest, member := strings.Cut(s, ".(")
	if member {
		s = "(" + target + ", " + rest
	}
	s = strings.TrimSuffix(strings.TrimPrefix(s, "("), ")")
	var out []string
	depth, start := 0, 0
	for i := 0; i <= len(s); i++ {
		switch {
		case i == len(s) || s[i] == ',' && depth == 0:
			out = append(out, typeWord(strings.TrimSpace(s[start:i])))
			start = i + 1
		case s[i] == '(':
			depth++
		case s[i] == ')':
			depth--
		}
	}
	return out
}

func typeWord(t string) string {
	switch {
	case t == "bool":
		return Condition.String()
	case t == "double", t == "int":
		return Number.String()
	case t == "string":
		return Text.String()
	case t == "null":
		return "null"
	case strings.HasPrefix(t, "list"):
		return List.String()
	case strings.HasPrefix(t, "map"):
		return "a group of fields"
	}
	return Anything.String()
}

// syntax turns what cel-go's parser found into one Error at the first place.
func (s *source) syntax(found []*common.Error) error {
	first := found[0]
	for _, e := range found[1:] {
		if l, f := e.Location, first.Location; l.Line() < f.Line() || l.Line() == f.Line() && l.Column() < f.Column() {
			first = e
		}
	}
	message := strings.TrimPrefix(first.Message, "Syntax error: ")
	e := s.errorAt(first.Location.Line(), first.Location.Column()+1, message, "")
	e.Message, e.Hint = explainSyntax(message, e.Source, e.Column)
	return e
}
