package bench

import "strconv"

const site = "https://shop.example"

// What a browser says about itself; a customer keeps theirs.
var browsers = [...]string{
	`"userAgent":"Mozilla/5.0 (iPhone; CPU iPhone OS 19_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Mobile/15E148 Safari/604.1","locale":"ja-JP"`,
	`"userAgent":"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Safari/537.36","locale":"ja"`,
	`"userAgent":"Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/19.1 Safari/605.1.15","locale":"en-US"`,
	`"userAgent":"Mozilla/5.0 (Linux; Android 16; Pixel 11) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/156.0.0.0 Mobile Safari/537.36","locale":"ja-JP"`,
}

const library = `,"library":{"name":"analytics.js","version":"npm:next-1.84.0"},"timezone":"Asia/Tokyo"}`

// render writes one call as a JSON object without its closing brace, so that a
// single call can add its own sentAt.
func (v *Visitors) render(dst []byte, who *visit, what call) []byte {
	dst = append(append(append(dst, `{"timestamp":"`...), v.clock.text...), `","integrations":{},`...)
	path, title := "/", "Home"
	v.letter = what.letter()
	switch what {
	case callPage:
		if who.done > 1 {
			c := categories[v.r.Uint32()%uint32(len(categories))]
			path, title = "/c/"+c, c
		}
		dst = append(append(append(append(dst, `"type":"page","properties":{"path":"`...), path...), `","url":"`+site...), path...)
		dst = append(append(append(dst, `","referrer":"`+site+`/","search":"","title":"`...), title...), `"}`...)
	case callIdentify:
		dst = append(dst, `"type":"identify","traits":{"plan":"gold","language":"ja","member_since":"2024-04-01","newsletter":false}`...)
	default:
		dst = append(append(append(dst, `"type":"track","event":"`...), callNames[what]...), `","properties":{`...)
		dst, path, title = v.properties(dst, who, what)
		dst = append(dst, '}')
	}
	dst = append(append(append(append(dst, `,"context":{"page":{"path":"`...), path...), `","referrer":"`+site+`/","search":"","title":"`...), title...)
	dst = append(append(append(dst, ` | Kikubari shop","url":"`+site...), path...), `"},`...)
	dst = append(append(dst, browsers[who.customer%uint32(len(browsers))]...), library...)
	return v.identities(dst, who.customer)
}

// properties writes the members of a track call's properties and says on which
// page it happened.
func (v *Visitors) properties(dst []byte, who *visit, what call) (_ []byte, path, title string) {
	switch what {
	case callView, callAdd:
		p := who.looking
		return append(append(dst, p.listing...), `,"quantity":1`...), p.path, p.name
	case callRemove:
		p := who.removed()
		return append(append(dst, p.listing...), `,"quantity":1`...), "/cart", "Cart"
	case callSearch:
		c := categories[v.r.Uint32()%uint32(len(categories))]
		return append(append(append(dst, `"query":"`...), c...), `"`...), "/search", "Search"
	case callOrder:
		dst = v.order(dst, who)
		who.cart, who.paying = who.cart[:0], false
		return dst, "/thanks", "Thank you"
	case callCheckout:
		return v.order(dst, who), "/checkout", "Checkout"
	default:
		return append(v.products(append(dst, `"cart_id":"main",`...), who), ']'), "/cart", "Cart"
	}
}

func (v *Visitors) order(dst []byte, who *visit) []byte {
	subtotal := who.total()
	shipping := 500
	if subtotal >= 5000 {
		shipping = 0
	}
	dst = append(appendUUID(append(dst, `"order_id":"`...), scatter(v.sent), v.stream), `","subtotal":`...)
	dst = append(strconv.AppendInt(dst, int64(subtotal), 10), `,"shipping":`...)
	dst = append(strconv.AppendInt(dst, int64(shipping), 10), `,"total":`...)
	dst = append(strconv.AppendInt(dst, int64(subtotal+shipping), 10), `,"currency":"JPY",`...)
	return append(v.products(dst, who), ']')
}

// products writes up to five products of the cart; the closing bracket is the
// caller's.
func (v *Visitors) products(dst []byte, who *visit) []byte {
	dst = append(dst, `"products":[`...)
	for i, p := range who.cart {
		if i == 5 {
			break
		}
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(append(append(dst, '{'), p.listing...), `,"quantity":1}`...)
	}
	return dst
}

// identities writes who it was and the message's id, which is unique in the
// seed, the stream and the millisecond.
func (v *Visitors) identities(dst []byte, customer uint32) []byte {
	seed := v.shop.seed
	dst = append(append(append(dst, `,"messageId":"ajs-next-`...), v.clock.unix...), '-')
	dst = appendUUID(dst, scatter(v.sent<<16|v.stream&0xffff), scatter(seed+v.stream))
	dst = append(dst, `","anonymousId":"`...)
	dst = append(appendUUID(dst, scatter(seed^uint64(customer)<<1), scatter(seed+uint64(customer)<<20)), '"')
	if known(customer) {
		dst = append(strconv.AppendUint(append(dst, `,"userId":"u-`...), uint64(customer), 10), '"')
	}
	return dst
}
