package bench

import "math/rand/v2"

// call is one thing that a visitor does.
type call uint8

const (
	callPage call = iota
	callSearch
	callView
	callAdd
	callRemove
	callCart
	callCheckout
	callOrder
	callIdentify
)

var callNames = [...]string{
	"", "Products Searched", "Product Viewed", "Product Added", "Product Removed", "Cart Viewed", "Checkout Started", "Order Completed", "",
}

// visit is one person's way through the shop.
type visit struct {
	customer uint32
	left     int // things to do before leaving
	done     int
	looking  *product   // seen last
	cart     []*product // what is in the cart, in order
	paying   bool       // at the checkout
}

// start begins a visit of another customer: 3 things to do at least, 10 on
// average.
func (v *visit) start(customer uint32, r *rand.Rand) {
	*v = visit{customer: customer, left: 3, cart: v.cart[:0]}
	for v.left < 60 && r.Uint32()%8 != 0 {
		v.left++
	}
}

// over reports whether the visitor has left.
func (v *visit) over() bool { return v.left <= 0 }

// next says what the visitor does now. A third of those who leave with
// something in the cart buy it on the way out.
func (v *visit) next(c *catalogue, r *rand.Rand) call {
	v.left--
	v.done++
	switch {
	case v.done == 1:
		return callPage
	case v.done == 2 && known(v.customer) && r.Uint32()%4 == 0:
		return callIdentify
	case v.left == 1 && len(v.cart) > 0 && v.customer%3 == 0:
		v.paying = true
		return callCheckout
	case v.paying:
		return callOrder
	}
	return v.browse(c, r)
}

func (v *visit) browse(c *catalogue, r *rand.Rand) call {
	switch p := r.Uint32() % 100; {
	case p < 30:
		return callPage
	case p < 36:
		return callSearch
	case p < 80 || v.looking == nil && len(v.cart) == 0:
		v.looking = c.draw(r)
		return callView
	case p < 93 && v.looking != nil && len(v.cart) < 20:
		v.cart = append(v.cart, v.looking)
		return callAdd
	case p < 96 && len(v.cart) > 0:
		return callRemove
	}
	return callCart
}

// removed takes the newest thing out of the cart.
func (v *visit) removed() *product {
	p := v.cart[len(v.cart)-1]
	v.cart = v.cart[:len(v.cart)-1]
	return p
}

// total is what the cart costs, in yen.
func (v *visit) total() int {
	sum := 0
	for _, p := range v.cart {
		sum += p.price
	}
	return sum
}

// known reports whether a customer has an account: one in four has.
func known(customer uint32) bool { return customer%4 == 0 }

// letter is the first letter of the type of the call.
func (c call) letter() byte {
	switch c {
	case callPage:
		return 'p'
	case callIdentify:
		return 'i'
	default:
		return 't'
	}
}
