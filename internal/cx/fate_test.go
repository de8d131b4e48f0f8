package cx_test

import (
	"encoding/hex"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
)

// The encoding of a fate stays as it is: journals keep it.
func TestFateIsReadBack(t *testing.T) {
	f := cx.Fate{
		Key: cx.SendKey{1, 1<<64 - 1}, Workspace: "shop", Customer: 7, Decision: 1 << 63, Action: "tell-crm", Channel: cx.Webhook, Destination: "crm",
		State: cx.DeliveryFailed, Attempts: 300, Reason: "410 Gone",
	}
	const golden = "010401000000000000" + "00ffffffffffffffff" + "0700000000000000" + "0000000000000080" + "ac02" +
		"0473686f70" + "0874656c6c2d63726d" + "07776562686f6f6b" + "0363726d" + "0834313020476f6e65"
	b := cx.AppendFate(nil, &f)
	if hex.EncodeToString(b) != golden {
		t.Errorf("encoded as %x", b)
	}
	got, err := cx.DecodeFate(b)
	if got != f || err != nil {
		t.Errorf("read back as %+v, %v", got, err)
	}
	for n := range b {
		if _, err := cx.DecodeFate(b[:n]); err == nil {
			t.Errorf("%d bytes of %d are taken for a fate", n, len(b))
		}
	}
	for i, wrong := range map[int]byte{0: 2, 1: byte(cx.DeliveryTrying)} {
		bad := append([]byte(nil), b...)
		bad[i] = wrong
		if _, err := cx.DecodeFate(bad); err == nil {
			t.Errorf("byte %d may be %d", i, wrong)
		}
	}
}
