package webhook

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// Sign returns the value of the header webhook-signature: for each secret, by
// spaces, "v1," and the base64 of HMAC-SHA-256 over "id.timestamp.body".
func Sign(secrets [][]byte, id string, at time.Time, body []byte) string {
	var out []string
	for _, secret := range secrets {
		h := hmac.New(sha256.New, secret)
		h.Write([]byte(id + "." + strconv.FormatInt(at.Unix(), 10) + "."))
		h.Write(body)
		out = append(out, "v1,"+base64.StdEncoding.EncodeToString(h.Sum(nil)))
	}
	return strings.Join(out, " ")
}

// secretPrefix marks a secret as one, for people and for scanners of leaked keys.
const secretPrefix = "whsec_"

// FormatSecret writes a secret as receivers' libraries take it.
func FormatSecret(secret []byte) string {
	return secretPrefix + base64.StdEncoding.EncodeToString(secret)
}

// ParseSecret reads what FormatSecret wrote: 24 to 64 bytes.
func ParseSecret(text string) ([]byte, error) {
	coded, ok := strings.CutPrefix(text, secretPrefix)
	secret, err := base64.StdEncoding.DecodeString(coded)
	if !ok || err != nil || len(secret) < 24 || len(secret) > 64 {
		return nil, cx.E(cx.Invalid, "", "a secret is whsec_ and the base64 of 24 to 64 bytes")
	}
	return secret, nil
}
