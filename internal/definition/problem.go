package definition

import (
	"fmt"
	"sort"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// Problem is one thing that is wrong with the definitions, and what to do.
type Problem struct {
	File     string
	Line     int    // from 1; 0 when the problem is with no line in particular
	Column   int    // from 1, in characters
	Document string // "action free-shipping-bar", when it is known
	Message  string
}

// String gives "FILE:LINE:COLUMN: document: message".
func (p Problem) String() string {
	var b strings.Builder
	if p.File != "" {
		b.WriteString(p.File + ":")
		if p.Line > 0 {
			fmt.Fprintf(&b, "%d:%d:", p.Line, p.Column)
		}
		b.WriteByte(' ')
	}
	if p.Document != "" {
		b.WriteString(p.Document + ": ")
	}
	b.WriteString(p.Message)
	return b.String()
}

// AsError joins problems into one error of kind Invalid, a line each; nil when
// there are none.
func AsError(problems []Problem) error {
	if len(problems) == 0 {
		return nil
	}
	lines := make([]string, len(problems))
	for i, p := range problems {
		lines[i] = p.String()
	}
	return cx.E(cx.Invalid, "read definitions", strings.Join(lines, "\n"))
}

// sorted orders problems by file and place and drops repetitions.
func sorted(problems []Problem) []Problem {
	sort.SliceStable(problems, func(i, j int) bool {
		a, b := &problems[i], &problems[j]
		switch {
		case a.File != b.File:
			return a.File < b.File
		case a.Line != b.Line:
			return a.Line < b.Line
		case a.Column != b.Column:
			return a.Column < b.Column
		}
		return a.Message < b.Message
	})
	var out []Problem
	for _, p := range problems {
		if n := len(out); n == 0 || out[n-1] != p {
			out = append(out, p)
		}
	}
	return out
}
