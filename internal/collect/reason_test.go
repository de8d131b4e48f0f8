package collect

import (
	"os"
	"strings"
	"testing"
)

// Every reason that a client may get is in the manual.
func TestReasonsAreInTheManual(t *testing.T) {
	manual, err := os.ReadFile("../../docs/front-door.md")
	if err != nil {
		t.Fatal(err)
	}
	for reason := range advice {
		if !strings.Contains(string(manual), "`"+string(reason)+"`") {
			t.Errorf("docs/front-door.md does not tell of %q", reason)
		}
	}
	if got := Reason("of another version").Advice(); got != "of another version" {
		t.Errorf("an unknown reason: %q", got)
	}
}
