package cx_test

import (
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
)

// TestBackfillCodec holds the body of the command still.
func TestBackfillCodec(t *testing.T) {
	for want, b := range map[string]cx.Backfill{
		"010100":         {Number: 1, From: 1},
		"ac0200d00f":     {Number: 300, Since: 1000},
		"07d1860380897a": {Number: 7, From: 50_001, Since: 1_000_000},
	} {
		body := cx.AppendBackfill(nil, b)
		if got := hex.EncodeToString(body); got != want {
			t.Errorf("encoding\n%s, want\n%s", got, want)
		}
		if back, err := cx.DecodeBackfill(body); err != nil || back != b {
			t.Errorf("%+v comes back as %+v, %v", b, back, err)
		}
		for n := range body {
			if _, err := cx.DecodeBackfill(body[:n]); err == nil {
				t.Errorf("the first %d bytes are accepted", n)
			}
		}
		if _, err := cx.DecodeBackfill(append(body, 0)); err == nil {
			t.Error("a byte too many is accepted")
		}
	}
}

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
