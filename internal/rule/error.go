package rule

import (
	"fmt"
	"strings"
)

// Error says what is wrong with a rule, where, and what to do about it.
type Error struct {
	Line    int    // from 1
	Column  int    // from 1, in characters
	Message string // what is wrong
	Hint    string // what to do; may be empty
	Name    string // the named expression that the position is in; "" is the rule itself
	Source  string // the line that the position is in
}

// Error gives the position, the message, the hint, and the line with a caret
// under the place:
//
//	1:7: there is no event.nam; did you mean event.name?
//	  event.nam == "Product Added"
//	        ^
func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Short())
	if e.Source != "" {
		fmt.Fprintf(&b, "\n  %s\n  %s^", e.Source, blank(e.Source, e.Column-1))
	}
	return b.String()
}

// Short gives the position, message and hint on one line.
func (e *Error) Short() string {
	where := fmt.Sprintf("%d:%d", e.Line, e.Column)
	if e.Name != "" {
		where = e.Name + ":" + where
	}
	return where + ": " + e.Text()
}

// Text gives the message and the hint, without the position.
func (e *Error) Text() string {
	if e.Hint == "" {
		return e.Message
	}
	return e.Message + "; " + e.Hint
}

// blank returns white space as wide as the first n characters of line: tabs
// stay tabs, and a full-width character takes two columns.
func blank(line string, n int) string {
	var b strings.Builder
	for _, r := range line {
		if n--; n < 0 {
			break
		}
		switch {
		case r == '\t':
			b.WriteByte('\t')
		case wide(r):
			b.WriteString("  ")
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// wide reports whether terminals show r two columns wide: kana, CJK ideographs,
// hangul, and full-width forms.
func wide(r rune) bool {
	return r >= 0x1100 && r <= 0x115f || r >= 0x2e80 && r <= 0xa4cf || r >= 0xac00 && r <= 0xd7a3 ||
		r >= 0xf900 && r <= 0xfaff || r >= 0xfe30 && r <= 0xfe6f || r >= 0xff00 && r <= 0xff60 || r >= 0xffe0 && r <= 0xffe6
}
