package sqlite

import (
	"testing"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

func TestEarlierSecretSignsForADay(t *testing.T) {
	c := newControl(t)
	put := func(destination, secret string, at cx.Instant) {
		t.Helper()
		s := &access.DestinationSecret{Workspace: "shop", Destination: destination, Secret: []byte(secret), CreatedAt: at}
		if err := c.Apply(ctx, access.Update{Secret: s, Change: access.Change{At: at, Workspace: "shop"}}); err != nil {
			t.Fatal(err)
		}
	}
	put("crm", "first", 1)
	put("mail", "other", 1)
	put("crm", "second", 10)
	for now, want := range map[cx.Instant]string{10: "second first ", 9 + access.SecretOverlap: "second first ", 10 + access.SecretOverlap: "second "} {
		known, err := c.DestinationSecrets(ctx, "shop", "crm", now)
		got := ""
		for _, s := range known {
			got += string(s.Secret) + " "
		}
		if got != want || err != nil {
			t.Errorf("at %d %q sign, want %q: %v", now, got, want, err)
		}
	}
	if known, err := c.DestinationSecrets(ctx, "rival", "crm", 10); len(known) != 0 || err != nil {
		t.Errorf("another workspace's: %v, %v", known, err)
	}
}
