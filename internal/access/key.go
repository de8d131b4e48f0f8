package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// Everywhere is the workspace of keys that are bound to none: the
// installation's own admin and read keys. No event and no row carries it.
const Everywhere cx.Workspace = "*"

// Key is what is kept about one key. Its text is known only to its holder.
type Key struct {
	ID        cx.KeyID
	Workspace cx.Workspace // Everywhere for the installation's own keys
	Kind      cx.KeyKind
	Name      string   // what people call it
	Hash      [32]byte // SHA-256 of the text
	CreatedAt cx.Instant
	RevokedAt cx.Instant // 0 while it is good
}

// Revoked reports whether the key has been taken back.
func (k *Key) Revoked() bool { return k.RevokedAt != 0 }

// MayWrite reports whether the key may send events.
func (k *Key) MayWrite() bool { return k.Kind == cx.BrowserKey || k.Kind == cx.ServerKey }

// Covers reports whether the key speaks for workspace w.
func (k *Key) Covers(w cx.Workspace) bool { return k.Workspace == w || k.Workspace == Everywhere }

// Limits of the texts that people choose.
const (
	MaxKeyText  = 100 // bytes
	MaxNameText = 100
)

var keyText = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

// NewKeyText makes the text of a new key: "ck_", the kind, and 160 random bits
// in base 32.
func NewKeyText(kind cx.KeyKind) string {
	var b [20]byte
	rand.Read(b[:]) // never fails: crypto/rand ends the program instead
	return "ck_" + kind.String() + "_" + keyText.EncodeToString(b[:])
}

// NewKey returns the record of the key with the given text. The id is derived
// from the text's hash, so the same text always has the same id.
//
// A text that a person chose is fine for a browser key, which is public
// anyway; any other kind must have a text from NewKeyText. Wrong input is
// refused with kind Invalid.
func NewKey(w cx.Workspace, kind cx.KeyKind, name, text string, now cx.Instant) (Key, error) {
	switch {
	case kind == cx.NoKey:
		return Key{}, cx.E(cx.Invalid, "make key", "say which kind of key: browser, server, admin or read")
	case w == Everywhere && kind != cx.AdminKey && kind != cx.ReadKey:
		return Key{}, cx.E(cx.Invalid, "make key", "a key that sends events must belong to one workspace")
	case w != Everywhere && !ValidSlug(w):
		return Key{}, badSlug("make key", w)
	case len(name) > MaxNameText:
		return Key{}, cx.E(cx.Invalid, "make key", "the name of a key may have at most 100 bytes")
	case !validText(kind, text):
		return Key{}, cx.E(cx.Invalid, "make key", "the text of a browser key is 3 to 100 letters, digits, '-' and '_'; the text of any other key must be generated")
	}
	h := HashText(text)
	return Key{ID: idOf(h), Workspace: w, Kind: kind, Name: name, Hash: h, CreatedAt: now}, nil
}

// HashText returns what is stored of a key's text. Generated texts hold 160
// random bits, so a plain hash cannot be searched backwards.
func HashText(text string) [32]byte { return sha256.Sum256([]byte(text)) }

func idOf(h [32]byte) cx.KeyID { return cx.KeyID("k_" + keyText.EncodeToString(h[:10])) }

func validText(kind cx.KeyKind, text string) bool {
	if kind != cx.BrowserKey {
		random, ok := strings.CutPrefix(text, "ck_"+kind.String()+"_")
		b, err := keyText.DecodeString(random)
		return ok && err == nil && len(b) >= 20 && len(text) <= MaxKeyText
	}
	if len(text) < 3 || len(text) > MaxKeyText {
		return false
	}
	for _, c := range []byte(text) {
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z'
		if !letter && (c < '0' || c > '9') && c != '-' && c != '_' {
			return false
		}
	}
	return true
}
