package cx_test

import (
	"strings"
	"testing"

	"github.com/kikubari/kikubari/internal/cx"
)

func TestSendKey(t *testing.T) {
	d := cx.NewDecisionID(cx.At(3, 0))
	k := cx.NewSendKey(d, 1000, "confirm", "crm")
	if got := k.String(); got != "s_apswzx2vt4nf07btpx68psnx2p" {
		t.Errorf("the key is %s: receivers remember keys, and a replay must give the same", got)
	}
	if back, ok := cx.ParseSendKey(k.String()); !ok || back != k {
		t.Errorf("%s is read back as %s", k, back)
	}
	for _, other := range []cx.SendKey{
		cx.NewSendKey(d+1, 1000, "confirm", "crm"), cx.NewSendKey(d, 1001, "confirm", "crm"),
		cx.NewSendKey(d, 1000, "confirmc", "rm"), cx.NewSendKey(d, 1000, "confirm", "mail"),
	} {
		if other == k {
			t.Error("two deliveries have one key")
		}
	}
	for _, wrong := range []string{"", "s_", k.String()[1:], k.String() + "0", strings.ToUpper(k.String()), strings.Replace(k.String(), "s_", "d_", 1)} {
		if _, ok := cx.ParseSendKey(wrong); ok {
			t.Errorf("%q is read as a key", wrong)
		}
	}
}

func TestDeliveryStates(t *testing.T) {
	for _, s := range cx.DeliveryStates {
		if back, ok := cx.ParseDeliveryState(s.String()); !ok || back != s {
			t.Errorf("%d is written as %s and read as %d", s, s, back)
		}
	}
	if cx.DeliveryTrying.Settled() || !cx.DeliverySent.Settled() || !cx.DeliveryWithheld.Settled() || cx.DeliveryState(7).Settled() {
		t.Error("what is settled is mixed up")
	}
}
