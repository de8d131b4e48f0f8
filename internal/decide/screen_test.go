package decide_test

import (
	"encoding/json"
	"fmt"
	"testing"

	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/template"
)

// screen is a browser that does what it is told: what it shows, by place.
type screen map[string]shown

type shown struct {
	message
	Decision string
	Live     bool
	Seconds  int64      `json:"expires_in"`
	expires  cx.Instant // when it is given up unless it has been seen
	seen     bool
}

// take applies one answer.
func (s screen) take(t *rapid.T, p *play, now cx.Instant) {
	for _, w := range p.result.Withdraw {
		for place, m := range s {
			if m.Decision+"/"+m.Action == w {
				delete(s, place)
			}
		}
	}
	for _, treatments := range [][]cx.Treatment{p.result.Updates, p.result.Decision.Treatments} {
		for _, tr := range treatments {
			var m shown
			if err := json.Unmarshal(tr.Content, &m); err != nil {
				t.Fatal(err)
			}
			m.expires = now + cx.Instant(m.Seconds)*cx.Second
			if old, ok := s[tr.Place]; ok && old.Decision == m.Decision {
				m.seen, m.expires = old.seen, old.expires
			} else if m.Update {
				m.seen = true
			}
			s[tr.Place] = m
		}
	}
}

// forget drops what a page view clears and what has waited too long.
func (s screen) forget(now cx.Instant, page bool) {
	for place, m := range s {
		if page && !m.Live || !m.seen && now >= m.expires {
			delete(s, place)
		}
	}
}

// TestTheScreenAgreesWithTheLedger walks through random visits to the demo shop
// with a browser that gets every answer, and checks after each step that it
// shows just what the ledger says it shows, in today's words.
func TestTheScreenAgreesWithTheLedger(t *testing.T) { visits(t, func(*rapid.T) bool { return false }) }

// TestTheScreenCatchesUp loses every third answer or so. Live messages agree
// again with the first page view whose answer arrives.
func TestTheScreenCatchesUp(t *testing.T) {
	visits(t, func(t *rapid.T) bool { return rapid.IntRange(0, 2).Draw(t, "lost") == 0 })
}

// visits walks through visits in which lost says of each answer whether it gets
// lost.
func visits(t *testing.T, lost func(*rapid.T) bool) {
	t.Helper()
	shop := newPlay(t, demoFiles(t)...)
	rapid.Check(t, func(rt *rapid.T) {
		p := &play{t: t, set: shop.set, plan: shop.plan, day: shop.day, customer: shop.customer}
		s, now, cart, behind := screen{}, noon, 0, false
		for range rapid.IntRange(1, 40).Draw(rt, "steps") {
			now += cx.Instant(rapid.SampledFrom([]int64{1, 1, 5, 29, 30, 31, 600, 1800, 2400}).Draw(rt, "seconds")) * cx.Second
			if !p.customer.InSession(now) {
				cart = 0
			}
			s.forget(now, false)
			verb, line := walk(rt, s, &cart)
			s.forget(now, verb == "page")
			if line == "" {
				continue
			}
			p.step(now, p.event(now, verb, line))
			if lost(rt) {
				behind = true
			} else {
				s.take(rt, p, now)
				behind = behind && verb != "page"
			}
			s.note(verb, line)
			if !behind {
				s.check(rt, p, now, cart)
			}
		}
	})
}

// walk draws what happens next; line is "" when nothing does.
func walk(t *rapid.T, s screen, cart *int) (verb, line string) {
	verb = rapid.SampledFrom([]string{"page", "add", "add", "remove", "view", "order", "shown", "shown", "clicked", "dismissed"}).Draw(t, "verb")
	price := rapid.IntRange(1, 40).Draw(t, "price") * 100
	switch verb {
	case "page":
		return verb, verb
	case "add":
		*cart += price
		return verb, fmt.Sprintf(`Product Added {"price":%d,"quantity":1}`, price)
	case "remove":
		if price > *cart {
			return verb, ""
		}
		*cart -= price
		return verb, fmt.Sprintf(`Product Removed {"price":%d,"quantity":1}`, price)
	case "view":
		return verb, "Product Viewed {}"
	case "order":
		line = fmt.Sprintf(`Order Completed {"subtotal":%d}`, *cart)
		*cart = 0
		return verb, line
	}
	for _, place := range []string{"top-bar", "bottom-bar", "center"} {
		if m, ok := s[place]; ok && rapid.Bool().Draw(t, "this") {
			return verb, verb + " " + m.Action
		}
	}
	return verb, ""
}

// note does what the browser does by itself when it reports something.
func (s screen) note(verb, line string) {
	for place, m := range s {
		switch line {
		case "shown " + m.Action:
			m.seen = true
			s[place] = m
		case verb + " " + m.Action:
			delete(s, place)
		}
	}
}

// check compares the screen with the ledger.
func (s screen) check(t *rapid.T, p *play, now cx.Instant, cart int) {
	onScreen := map[string]string{}
	for _, l := range p.customer.Ledger {
		if l.State == cx.Shown && l.End == 0 && l.At >= p.customer.Session.Start || l.State == cx.Reserved && now < l.End {
			if other, ok := onScreen[l.Place()]; ok {
				t.Fatalf("%s and %s are both at %s", other, l.Action(), l.Place())
			}
			onScreen[l.Place()] = l.Decision.String() + "/" + l.Action()
		}
	}
	for place, want := range onScreen {
		m, ok := s[place]
		if !ok || m.Decision+"/"+m.Action != want {
			t.Fatalf("the ledger has %s at %s, the screen %+v", want, place, m)
		}
	}
	for place, m := range s {
		if _, ok := onScreen[place]; !ok && m.Live {
			t.Fatalf("the screen has %s at %s, the ledger nothing", m.Action, place)
		}
	}
	bar, ok := s["top-bar"]
	more := fmt.Sprintf("あと%sで送料無料", yen(t, 5000-cart))
	if ok && cart < 5000 && bar.Content.Text != more || ok && cart >= 5000 && bar.Content.Text != "送料無料になりました" || ok && cart <= 0 {
		t.Fatalf("the cart is %d and the bar says %q", cart, bar.Content.Text)
	}
}

// yen writes an amount as the shop does.
func yen(t *rapid.T, n int) string {
	m := &template.Message{Variables: []template.Variable{{Name: "v", Format: template.AsMoney, Currency: "JPY"}}}
	out := make([]string, 1)
	m.Fill(out, []cx.Value{cx.NumberValue(float64(n))}, template.Japanese)
	if out[0] == "" {
		t.Fatalf("%d yen cannot be written", n)
	}
	return out[0]
}
