package cx

import (
	"encoding/hex"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestErasedKeepsItsFormat(t *testing.T) {
	for name, c := range map[string]struct {
		erased Erased
		golden string
	}{
		"a report": {
			Erased{
				Workspace: "demo", KeyKind: BrowserKey, Type: Track, UserID: "u1", AnonymousID: "t0k", PreviousID: "p",
				Pseudonymous: ErasedAnonymousID | ErasedPreviousID, Taught: Lesson{Action: "bar", Exposed: true, Responded: true},
			},
			"0101010000" + "30" + "03" + "00" + "0464656d6f" + "00" + "027531" + "000000" + "0374306b" + "0170" + "03626172",
		},
		"a line of an import": {
			Erased{
				Workspace: "demo", KeyKind: ServerKey, Type: Identify, Flags: Verified | Historical, Job: "old", Line: 300,
				UserID: "a", LineUserID: "b", Mail: "c", Phone: "d", Pseudonymous: ErasedUserID | ErasedLineUserID | ErasedMail | ErasedPhone,
			},
			"0102020300" + "0f" + "00" + "ac02" + "0464656d6f" + "036f6c64" + "0161" + "0162" + "0163" + "0164" + "0000" + "00",
		},
	} {
		b := AppendErased(nil, &c.erased)
		if got := hex.EncodeToString(b); got != c.golden {
			t.Errorf("%s is written as %s, want %s", name, got, c.golden)
		}
		var back Erased
		if err := DecodeErased(b, &back); err != nil {
			t.Errorf("%s: %v", name, err)
		} else if diff := cmp.Diff(c.erased, back); diff != "" {
			t.Errorf("%s comes back as another (-written +read):\n%s", name, diff)
		}
		for n := range b {
			if err := DecodeErased(b[:n], &back); err == nil {
				t.Errorf("%s is read from its first %d bytes", name, n)
			}
		}
		if err := DecodeErased(append(b, 0), &back); err == nil {
			t.Errorf("%s is read with a byte too many", name)
		}
	}
}
