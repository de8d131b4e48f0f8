package rule

import (
	"strings"
	"sync"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/parser"
)

// source is the text of a rule or of a named expression with its syntax tree as
// it was written, before anything was expanded.
type source struct {
	name string // of the named expression; "" for the rule itself
	text string
	tree ast.Expr
	info *ast.SourceInfo

	index sync.Once
	byID  map[int64]ast.Expr
}

// at returns an Error for the place of the sub-expression id: its operator, the
// name of its function or field, or where it starts.
func (s *source) at(id int64, message, hint string) *Error {
	where := s.info.GetStartLocation(id)
	e := s.errorAt(where.Line(), where.Column()+1, message, hint)
	line := []rune(e.Source)
	switch i := e.Column - 1; {
	case i >= len(line):
	case line[i] == '.':
		e.Column++
	case line[i] == '(':
		for ; i > 0 && isNameRune(line[i-1]); i-- {
		}
		e.Column = i + 1
	}
	return e
}

func isNameRune(r rune) bool {
	return r == '_' || r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z'
}

// errorAt returns an Error for a line and column, both from 1.
func (s *source) errorAt(line, column int, message, hint string) *Error {
	e := &Error{Line: max(line, 1), Column: max(column, 1), Message: message, Hint: hint, Name: s.name}
	if lines := strings.Split(s.text, "\n"); e.Line <= len(lines) && strings.TrimSpace(s.text) != "" {
		e.Source = strings.TrimRight(lines[e.Line-1], "\r")
	}
	return e
}

// show returns the sub-expression id as it was written, in normal spacing.
func (s *source) show(id int64) string {
	s.index.Do(func() {
		s.byID = map[int64]ast.Expr{}
		ast.PostOrderVisit(s.tree, ast.NewExprVisitor(func(e ast.Expr) { s.byID[e.ID()] = e }))
	})
	e, ok := s.byID[id]
	if !ok {
		return ""
	}
	text, err := parser.Unparse(e, s.info, parser.WrapOnColumn(1<<20))
	if err != nil {
		return ""
	}
	return text
}
