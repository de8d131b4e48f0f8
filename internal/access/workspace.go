package access

import (
	"crypto/rand"

	"github.com/kikubari/kikubari/internal/cx"
)

// Workspace is one brand or site.
type Workspace struct {
	Slug          cx.Workspace
	Name          string
	SigningSecret []byte // key of the HMAC-SHA-256 by which a site signs user ids
	CreatedAt     cx.Instant
}

// NewWorkspace returns a workspace with a fresh signing secret of 256 bits. A
// slug or name of the wrong form is refused with kind Invalid.
func NewWorkspace(slug cx.Workspace, name string, now cx.Instant) (Workspace, error) {
	if !ValidSlug(slug) {
		return Workspace{}, badSlug("make workspace", slug)
	}
	if len(name) > MaxNameText {
		return Workspace{}, cx.E(cx.Invalid, "make workspace", "the name of a workspace may have at most 100 bytes")
	}
	secret := make([]byte, 32)
	rand.Read(secret) // never fails: crypto/rand ends the program instead
	return Workspace{Slug: slug, Name: name, SigningSecret: secret, CreatedAt: now}, nil
}

// ValidSlug reports whether w has the form of a workspace's slug: 1 to 40
// lower-case letters, digits and dashes, beginning and ending without a dash.
func ValidSlug(w cx.Workspace) bool {
	if len(w) == 0 || len(w) > 40 || w[0] == '-' || w[len(w)-1] == '-' {
		return false
	}
	for _, c := range []byte(w) {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return true
}

func badSlug(op string, w cx.Workspace) error {
	shown := string(w)
	if len(shown) > 60 {
		shown = shown[:60] + "…"
	}
	return cx.E(cx.Invalid, op, "workspace \""+shown+"\": use 1 to 40 lower-case letters, digits and dashes, such as \"my-shop\"")
}
