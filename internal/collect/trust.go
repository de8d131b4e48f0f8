package collect

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"github.com/kikubari/kikubari/internal/cx"
)

// fillTrust marks the event as Verified when somebody vouches for its user id:
// the holder of a server key, or whoever knows the workspace's secret and has
// signed it.
func (c *Collector) fillTrust(i int, e *cx.Event, f facts) {
	if c.from.Kind == cx.ServerKey {
		e.Flags |= cx.Verified
		return
	}
	signature := c.raw(f.signature)
	if integrations := c.integrationsOf(c.last); signature == nil && integrations != nil {
		signature = cx.Member(cx.Member(integrations, "Kikubari"), "signature")
	}
	if signature == nil || e.UserID == "" {
		return
	}
	if !Signed(c.from.Secret, e.UserID, cx.ParseValue(signature).Str()) {
		c.altered(i, BadSignature)
		return
	}
	e.Flags |= cx.Verified
}

// Sign returns the signature of a user id: HMAC-SHA-256 by the workspace's
// secret, in hex.
func Sign(secret []byte, userID string) string {
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(userID))
	return hex.EncodeToString(h.Sum(nil))
}

// Signed reports, in a time that does not depend on the signature, whether it
// is that of userID. Nothing is signed by an empty secret.
func Signed(secret []byte, userID, signature string) bool {
	given, err := hex.DecodeString(signature)
	if err != nil || len(secret) == 0 {
		return false
	}
	h := hmac.New(sha256.New, secret)
	h.Write([]byte(userID))
	return hmac.Equal(h.Sum(nil), given)
}
