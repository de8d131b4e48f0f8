package access

import (
	"crypto/rand"

	"github.com/kikubari/kikubari/internal/cx"
)

// DestinationSecret is with what deliveries to a destination are signed.
type DestinationSecret struct {
	Workspace   cx.Workspace
	Destination string
	Secret      []byte
	CreatedAt   cx.Instant
}

// SecretOverlap is how long an earlier secret goes on to sign beside a new one.
const SecretOverlap = cx.Day

// NewDestinationSecret returns a fresh secret of 256 bits.
func NewDestinationSecret(w cx.Workspace, destination string, now cx.Instant) *DestinationSecret {
	secret := make([]byte, 32)
	rand.Read(secret) // never fails: crypto/rand ends the program instead
	return &DestinationSecret{Workspace: w, Destination: destination, Secret: secret, CreatedAt: now}
}
