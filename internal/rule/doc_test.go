package rule

import (
	"os"
	"strings"
	"testing"
)

// TestDocumentedRules compiles every rule that the package documentation shows.
func TestDocumentedRules(t *testing.T) {
	text, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	shown := 0
	for line := range strings.Lines(string(text)) {
		source, ok := strings.CutPrefix(line, "//\t")
		if !ok {
			continue
		}
		shown++
		if _, err := CompileCondition(strings.TrimSpace(source), counting()); err != nil {
			t.Error(err)
		}
	}
	if shown < 10 {
		t.Errorf("only %d rules are shown", shown)
	}
}
