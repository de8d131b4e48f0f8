package definition_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/definition"
)

// TestDocs publishes the examples of the manual, which are one set. What stands
// around them is blanked, so that a problem names the line of the manual.
func TestDocs(t *testing.T) {
	manual, err := os.ReadFile("../../docs/definitions.md")
	if err != nil {
		t.Fatal(err)
	}
	var yaml bytes.Buffer
	inside, blocks := false, 0
	for line := range strings.Lines(string(manual)) {
		switch {
		case strings.HasPrefix(line, "```yaml"):
			inside, blocks = true, blocks+1
			line = "---\n"
		case strings.HasPrefix(line, "```"):
			inside = false
			line = "\n"
		case !inside:
			line = "\n"
		}
		yaml.WriteString(line)
	}
	if blocks != 5 {
		t.Errorf("%d examples, want one for each kind", blocks)
	}
	set := built(t, new(definition.Registry), definition.File{Name: "docs/definitions.md", Text: yaml.Bytes()})
	a := set.Offer.Action("free-shipping-bar")
	if a == nil || a.Lever != 35 || len(a.Context) != 2 || a.Caps != (decide.Caps{Session: 3, Day: 5, Total: 100}) {
		t.Errorf("the action of the manual: %+v", a)
	}
	if hook := set.Offer.Action("tell-crm"); hook == nil || hook.Place != "orders" || set.Destination("crm") == nil {
		t.Errorf("the destination of the manual: %+v", hook)
	}
	if set.Segments.Len() != 2 || set.Policy.Caps.Session != 6 {
		t.Errorf("%d segments, policy %+v", set.Segments.Len(), set.Policy)
	}
}
