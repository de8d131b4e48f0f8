package profile

import (
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// foldConsent takes the answers that the event carries: each category that
// stands for a purpose and is true or false, for all channels. Of two
// categories for one purpose in the same event the refusal counts.
func (f *Folder) foldConsent(p *Plan, c *cx.Customer, e *occurrence) {
	if len(e.Consent) == 0 {
		return
	}
	var room [16]cx.Field
	for _, answer := range cx.ParseFields(room[:0], e.Consent) {
		purpose, ok := p.purpose(answer.Name)
		v := cx.ParseValue(answer.Raw)
		if !ok || v.Kind != cx.Bool {
			continue
		}
		if grant(c, cx.Grant{Purpose: purpose, Allowed: v.IsTrue(), At: e.at}) {
			f.change.Consent = true
		}
	}
}

// purpose returns what a consent category stands for.
func (p *Plan) purpose(category string) (cx.Purpose, bool) {
	if purpose, ok := p.purposes[category]; ok {
		return purpose, true
	}
	purpose, ok := p.purposes[strings.ToLower(category)]
	return purpose, ok
}

// grant puts g into c's consent as Consent.With does, in place when the answer
// stays the same, and reports whether it changed.
func grant(c *cx.Customer, g cx.Grant) bool {
	for i := range c.Consent {
		if h := &c.Consent[i]; h.Purpose == g.Purpose && h.Channel == g.Channel && h.Allowed == g.Allowed {
			h.At = max(h.At, g.At)
			return false
		}
	}
	before := c.Consent
	c.Consent = before.With(g)
	return len(c.Consent) != len(before) || len(before) > 0 && &c.Consent[0] != &before[0]
}
