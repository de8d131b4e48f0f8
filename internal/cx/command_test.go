package cx_test

import (
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
)

// TestCommandCodec holds the format still and refuses every shortened form.
func TestCommandCodec(t *testing.T) {
	c := cx.Command{Kind: cx.CommandMerge, Workspace: "demo", Who: "k_a", Why: "同じ人", Body: cx.AppendPair(nil, 7, 9)}
	b := cx.AppendCommand(nil, &c)
	const want = "010104" + "64656d6f" + "03" + "6b5f61" + "09" + "e5908ce38198e4baba" + "10" + "0700000000000000" + "0900000000000000"
	if got := hex.EncodeToString(b); got != want {
		t.Errorf("encoding\n%s, want\n%s", got, want)
	}
	back, err := cx.DecodeCommand(b)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(c, back); diff != "" {
		t.Errorf("decoded (-want +got):\n%s", diff)
	}
	for n := range b {
		if _, err := cx.DecodeCommand(b[:n]); err == nil {
			t.Errorf("the first %d bytes are accepted", n)
		}
	}
	if _, err := cx.DecodeCommand(append(b, 0)); err == nil {
		t.Error("a byte too many is accepted")
	}
}
