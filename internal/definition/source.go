package definition

import "strings"

// source is the text of a file, to find the place of a character of a value.
type source struct {
	lines [][]rune
}

func newSource(text string) *source {
	s := new(source)
	for l := range strings.SplitSeq(text, "\n") {
		s.lines = append(s.lines, []rune(l))
	}
	return s
}

// place returns the line and column in the file of the character with index
// target of v's text, by reading text and file side by side. When they do not
// match, as with an unusual escape, it returns where v starts.
func (v *value) place(target int) (line, column int) {
	if v.source == nil || v.kind != words {
		return v.line, v.column
	}
	c := cursor{lines: v.source.lines, line: v.line - 1, column: v.column - 1}
	switch v.style {
	case single, double:
		c.column++
	case block:
		c.next()
	case plain:
	}
	text := []rune(v.text)
	for i, r := range text {
		if i == target {
			break
		}
		if !c.pass(r, v.style) {
			return v.line, v.column
		}
	}
	if target < len(text) && !c.settle(text[target]) {
		return v.line, v.column
	}
	return c.line + 1, c.column + 1
}

// cursor is a place in a file, both counted from 0.
type cursor struct {
	lines        [][]rune
	line, column int
}

// rune returns the character at the cursor, '\n' at the end of a line.
func (c *cursor) rune() rune {
	if l := c.lines[c.line]; c.column < len(l) {
		return l[c.column]
	}
	return '\n'
}

// next goes to the first character of the next line that is not indentation.
func (c *cursor) next() bool {
	if c.line+1 >= len(c.lines) {
		return false
	}
	c.line++
	c.column = 0
	for c.column < len(c.lines[c.line]) && c.lines[c.line][c.column] == ' ' {
		c.column++
	}
	return true
}

// settle moves over what YAML drops before r: line ends and blanks.
func (c *cursor) settle(r rune) bool {
	for {
		at := c.rune()
		switch {
		case at == r || at == '\n' && r == ' ':
			return true
		case at == '\\' || at == '\'':
			return true
		case at == '\n':
			if !c.next() {
				return false
			}
		case at == ' ' || at == '\t':
			c.column++
		default:
			return false
		}
	}
}

// pass moves over the character r of a value written in style s.
func (c *cursor) pass(r rune, s style) bool {
	if !c.settle(r) {
		return false
	}
	switch at := c.rune(); {
	case at == '\n':
		return c.next()
	case s == double && at == '\\', s == single && at == '\'':
		c.column += 2
	case at == r:
		c.column++
	default:
		return false
	}
	return true
}

// index returns the index of the character at line and column, both from 1, of
// text.
func index(text string, line, column int) int {
	i := 0
	for _, r := range text {
		if line <= 1 {
			break
		}
		if r == '\n' {
			line--
		}
		i++
	}
	return i + column - 1
}
