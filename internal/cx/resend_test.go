package cx_test

import (
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kikubari/kikubari/internal/cx"
)

// The journal keeps this format for ever.
func TestResendFormat(t *testing.T) {
	d := cx.Delivery{
		Key: cx.SendKey{1<<64 - 2, 3}, Customer: 1<<63 + 5, Decision: 7, Action: "tell-crm", Purpose: cx.Transactional, Channel: cx.Webhook, Destination: "crm",
	}
	const golden = "01feffffffffffffff0300000000000000050000000000008007000000000000000874656c6c2d63726d0d7472616e73616374696f6e616c07776562686f6f6b0363726d"
	full := d
	full.Payload, full.Workspace, full.Position, full.At = []byte("{}"), "shop", 9, 9 // none of these is in it
	b := cx.AppendResend(nil, &full)
	if got := hex.EncodeToString(b); got != golden {
		t.Errorf("encoded as\n%s, want\n%s", got, golden)
	}
	got, err := cx.DecodeResend(b)
	if diff := cmp.Diff(d, got); diff != "" || err != nil {
		t.Errorf("decoded %v (-want +got):\n%s", err, diff)
	}
	for n := range b {
		if _, err := cx.DecodeResend(b[:n]); err == nil {
			t.Errorf("%d of %d bytes are enough", n, len(b))
		}
	}
	if _, err := cx.DecodeResend(append(b, 0)); err == nil {
		t.Error("what follows is passed over")
	}
}
