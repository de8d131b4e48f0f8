package rule

import "strings"

// explainSyntax says what is probably meant by a rule that does not parse. found
// is the parser's message; column is where it gave up, from 1, in line.
func explainSyntax(found, line string, column int) (message, hint string) {
	runes := []rune(line)
	at := min(column-1, len(runes))
	before, after := string(runes[:at]), string(runes[at:])
	prev := strings.TrimRight(before, " \t")
	switch {
	case strings.Contains(found, "recursion") || strings.Contains(found, "nesting") || strings.Contains(found, "depth"):
		return "the rule is nested too deeply", "split it into named expressions or segments"
	case strings.HasPrefix(found, "reserved identifier: "):
		return strings.TrimPrefix(found, "reserved identifier: ") + " is a reserved word", `put it in quotes if it is a text; a field of that name is read as event.properties["…"]`
	case strings.Contains(found, "invalid argument to has()"):
		return "has(…) takes a field", "write " + functionHelp["has"]
	case strings.Contains(found, "argument must be a simple name"), strings.Contains(found, "iteration variable"):
		return "the first argument of exists and all is a name for the element", "write " + functionHelp["exists"]
	case strings.Contains(line, `\`) && oddEscape(line):
		return "a backslash is followed by something that it cannot stand before", `write a backslash itself twice: "\\d+"`
	case oddQuotes(line):
		return "a quote is opened and not closed", `close the text with the same quote: "text"`
	case strings.HasPrefix(found, "invalid") && strings.HasSuffix(found, "literal"):
		return "the number is too large", "write a smaller one"
	case strings.HasPrefix(after, "=>") || strings.HasPrefix(after, "=<"):
		return after[:2] + " does not compare", "write the = last: " + after[1:2] + "="
	case strings.HasPrefix(after, "=") && !strings.HasSuffix(prev, "="):
		return "= alone does not compare", "write == to compare"
	case strings.HasPrefix(after, "&") || strings.HasSuffix(prev, "&") && !strings.HasSuffix(prev, "&&"):
		return "& alone does not join", "write && for and"
	case strings.HasPrefix(after, "|") || strings.HasSuffix(prev, "|") && !strings.HasSuffix(prev, "||"):
		return "| alone does not join", "write || for or"
	}
	for _, word := range []string{firstWord(after), lastWord(prev)} {
		if symbol := wordSymbols[strings.ToLower(word)]; symbol != "" {
			return word + " is not part of the language", "write " + symbol
		}
	}
	if strings.HasPrefix(after, "“") || strings.HasPrefix(after, "”") || strings.HasPrefix(after, "「") {
		return "these quotes are not understood", `use straight quotes: "text"`
	}
	if open := strings.Count(line, "(") - strings.Count(line, ")"); open > 0 && strings.TrimSpace(after) == "" {
		return "a ( is opened and not closed", "add )"
	} else if open < 0 {
		return "there is a ) too many", "take it out, or open a ( for it"
	}
	if strings.TrimSpace(after) == "" {
		return "the rule ends too early", "complete it, or take out what is left over at its end"
	}
	return "this is not understood: " + strings.TrimSpace(after), "check what stands just before it; texts go in quotes, conditions are joined with && and ||"
}

// wordSymbols are words that people write for operators.
var wordSymbols = map[string]string{
	"and": "&&", "or": "||", "not": "! before the condition", "is": "==", "equals": "==", "then": "a ? b : c",
}

// oddQuotes reports whether a text in line is not closed.
func oddQuotes(line string) bool {
	var open rune
	escaped := false
	for _, r := range line {
		switch {
		case escaped:
			escaped = false
		case open != 0 && r == '\\':
			escaped = true
		case open == 0 && (r == '"' || r == '\''):
			open = r
		case r == open:
			open = 0
		}
	}
	return open != 0
}

// oddEscape reports whether a backslash in line stands before a character that
// CEL gives no meaning to.
func oddEscape(line string) bool {
	for i := 0; i < len(line); i++ {
		if line[i] != '\\' {
			continue
		}
		if i++; i == len(line) || !strings.ContainsRune(`abfnrtvxXuU01234567\"'?`+"`", rune(line[i])) {
			return true
		}
	}
	return false
}

func firstWord(s string) string {
	return s[:len(s)-len(strings.TrimLeftFunc(s, isNameRune))]
}

func lastWord(s string) string {
	return s[len(strings.TrimRightFunc(s, isNameRune)):]
}
