package sqlite

import (
	"encoding/hex"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// TestMergeColumns holds the packed columns of a kept merge still.
func TestMergeColumns(t *testing.T) {
	f := &pipeline.MergeFact{WinnerBefore: []byte("win"), LoserBefore: []byte("lose")}
	f.Reason, f.Named = "operator", [2]cx.CustomerID{1, 1 << 63}
	f.Identity, f.Lead = cx.Identity{Namespace: cx.AnonymousID, Value: "a"}, cx.Identity{Namespace: cx.UserID, Value: "u"}
	const link = "01" + "08" + "6f70657261746f72" + "06" + "01" + "61" + "01" + "01" + "75" + "0100000000000000" + "0000000000000080"
	if got := hex.EncodeToString(appendLink(nil, f)); got != link {
		t.Errorf("link %s, want %s", got, link)
	}
	const states = "01" + "03" + "77696e" + "6c6f7365"
	if got := hex.EncodeToString(appendStates(nil, f)); got != states {
		t.Errorf("states %s, want %s", got, states)
	}
}
