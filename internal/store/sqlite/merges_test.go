package sqlite

import (
	"database/sql/driver"
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
)

// TestMergeColumns holds the packed columns of a kept merge still, and reads
// those of the version before.
func TestMergeColumns(t *testing.T) {
	f := &pipeline.MergeFact{Filled: 300, WinnerBefore: []byte("win"), LoserBefore: []byte("lose")}
	f.Reason, f.Named = "operator", [2]cx.CustomerID{1, 1 << 63}
	f.Identity, f.Lead = cx.Identity{Namespace: cx.AnonymousID, Value: "a"}, cx.Identity{Namespace: cx.UserID, Value: "u"}
	const rest = "08" + "6f70657261746f72" + "06" + "01" + "61" + "01" + "01" + "75" + "0100000000000000" + "0000000000000080"
	const link = "02" + rest + "ac02"
	if got := hex.EncodeToString(appendLink(nil, f)); got != link {
		t.Errorf("link %s, want %s", got, link)
	}
	const states = "01" + "03" + "77696e" + "6c6f7365"
	if got := hex.EncodeToString(appendStates(nil, f)); got != states {
		t.Errorf("states %s, want %s", got, states)
	}
	for text, filled := range map[string]cx.Position{link: 300, "01" + rest: 0} {
		b, err := hex.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		row := []driver.Value{int64(0), signed(0), signed(0), int64(0), int64(0), "", int64(0), b, appendStates(nil, f)}
		want := *f
		want.Filled = filled
		if got, err := mergeOf(row); err != nil || !cmp.Equal(want, got) {
			t.Errorf("%s gives %+v, %v", text, got, err)
		}
		row[7] = b[:len(b)-1]
		if _, err := mergeOf(row); err == nil {
			t.Errorf("%s: a byte less is accepted", text)
		}
	}
}
