package cx

// Purpose is what data or attention is used for. Consent is asked per purpose.
type Purpose string

// The purposes.
const (
	OnSiteService   Purpose = "on_site_service" // help on the page the person is on
	Analytics       Purpose = "analytics"
	Personalization Purpose = "personalization" // using history to choose content
	Marketing       Purpose = "marketing"       // promotion, in any channel
	Replay          Purpose = "replay"          // recording the visit
	Transactional   Purpose = "transactional"   // what somebody asked for or is owed: confirmations, records for a company's own systems
)

// Purposes lists every purpose, in the order in which they are shown.
var Purposes = []Purpose{OnSiteService, Analytics, Personalization, Marketing, Replay, Transactional}

// Channel is where something is said. "" in a grant means every channel.
type Channel string

// The channels.
const (
	Web     Channel = "web"
	Email   Channel = "mail"
	LINE    Channel = "line"
	Push    Channel = "push"
	SMS     Channel = "sms"
	Webhook Channel = "webhook"
)

// Grant is one answer of one person to one question of consent.
type Grant struct {
	Purpose Purpose
	Channel Channel // "" for all
	Allowed bool
	At      Instant // event time of the answer
}

// Consent is what a person has answered so far, at most one Grant for each
// purpose and channel, sorted by both. The zero value allows nothing.
type Consent []Grant

// Allows reports whether purpose is allowed on channel: the person's answer for
// that channel, else their answer for all channels, else fallback, which is the
// workspace's default for the purpose.
func (c Consent) Allows(p Purpose, ch Channel, fallback bool) bool {
	for _, g := range c {
		if g.Purpose == p && g.Channel == ch && ch != "" {
			return g.Allowed
		}
	}
	for _, g := range c {
		if g.Purpose == p && g.Channel == "" {
			return g.Allowed
		}
	}
	return fallback
}

// With returns c with g put in, keeping whichever of two answers to the same
// question is later; of two at the same instant the refusal wins. It is
// commutative and associative, so consents can be merged with it.
func (c Consent) With(g Grant) Consent {
	i := 0
	for ; i < len(c); i++ {
		if c[i].Purpose == g.Purpose && c[i].Channel == g.Channel {
			if g.At > c[i].At || g.At == c[i].At && !g.Allowed {
				out := append(Consent(nil), c...)
				out[i] = g
				return out
			}
			return c
		}
		if c[i].Purpose > g.Purpose || c[i].Purpose == g.Purpose && c[i].Channel > g.Channel {
			break
		}
	}
	out := make(Consent, 0, len(c)+1)
	return append(append(append(out, c[:i]...), g), c[i:]...)
}
