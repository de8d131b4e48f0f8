package bench

import (
	"fmt"
	"math"
	"math/rand/v2"
	"strconv"
)

// product is one thing on sale. Its texts are ready to be copied into JSON.
type product struct {
	id       string
	name     string
	category string
	price    int    // yen
	listing  string // the members of properties: "product_id":…,"currency":"JPY"
	path     string
}

var (
	categories = []string{"shirts", "socks", "coats", "shoes", "bags", "hats", "scarves", "gloves", "knitwear", "denim", "sleepwear", "kids"}
	materials  = []string{"Linen", "Cotton", "Wool", "Silk", "Hemp", "Cashmere", "Denim", "Canvas", "Leather", "Bamboo"}
	brands     = []string{"Nagi", "Kumo", "Sora", "Hinata", "Tsumugi", "Asagao"}
	prices     = []int{480, 980, 1000, 1480, 1980, 2480, 2980, 3980, 4000, 4980, 6800, 9800, 12800, 19800}
)

// catalogueSize and popularBits set how many products there are, and how finely
// their popularity is drawn.
const (
	catalogueSize = 2000
	popularBits   = 16
)

// catalogue is what the shop sells, and how often each is looked at: the n-th
// most popular product 1/n times as often as the first (Zipf).
type catalogue struct {
	products []product
	popular  [1 << popularBits]uint16 // a product for each value of 16 random bits
}

func newCatalogue(r *rand.Rand) *catalogue {
	c := &catalogue{products: make([]product, catalogueSize)}
	for i := range c.products {
		c.products[i] = newProduct(i, r)
	}
	var total float64
	for n := range catalogueSize {
		total += 1 / float64(n+1)
	}
	var upto float64
	slot := 0
	for n := range catalogueSize {
		upto += 1 / float64(n+1)
		for end := int(math.Round(upto / total * (1 << popularBits))); slot < end; slot++ {
			c.popular[slot] = uint16(n)
		}
	}
	return c
}

func newProduct(i int, r *rand.Rand) product {
	p := product{
		id:       fmt.Sprintf("p-%04d", i),
		category: categories[r.IntN(len(categories))],
		price:    prices[r.IntN(len(prices))],
	}
	p.name = materials[r.IntN(len(materials))] + " " + p.category + " " + strconv.Itoa(i)
	p.path = "/products/" + p.id
	p.listing = fmt.Sprintf(`"product_id":"%s","sku":"KK-%s","category":"%s","name":"%s","brand":"%s","price":%d,"currency":"JPY"`,
		p.id, p.id[2:], p.category, p.name, brands[r.IntN(len(brands))], p.price)
	return p
}

// draw picks a product by its popularity.
func (c *catalogue) draw(r *rand.Rand) *product {
	return &c.products[c.popular[r.Uint64()>>(64-popularBits)]]
}
