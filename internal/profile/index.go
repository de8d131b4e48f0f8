package profile

import (
	"math/bits"

	"github.com/kikubari/kikubari/internal/cx"
)

// index maps hashed identities to customers in little memory: 24 bytes an
// identity at a load of 64 to 88 %, so at most 38. It is cut into 256 tables
// that grow one by one, so that growing never takes long. Removing is rare and
// builds a table anew.
type index struct {
	tables [256]table
	n      int
}

// table is open addressing with linear probing. customer 0 marks a free slot.
type table struct {
	slots []slot
	n     int
}

type slot struct {
	key      cx.HashKey
	customer cx.CustomerID
}

// find returns the customer under key, 0 for none.
func (x *index) find(key cx.HashKey) cx.CustomerID {
	t := &x.tables[key[0]>>56]
	if t.n == 0 {
		return 0
	}
	return t.slots[t.place(key)].customer
}

// put sets the customer under key.
func (x *index) put(key cx.HashKey, id cx.CustomerID) {
	t := &x.tables[key[0]>>56]
	if 8*(t.n+1) > 7*len(t.slots) {
		t.grow()
	}
	s := &t.slots[t.place(key)]
	if s.customer == 0 {
		t.n++
		x.n++
	}
	*s = slot{key, id}
}

// place returns where key is, or the free slot where it belongs.
func (t *table) place(key cx.HashKey) int {
	hi, _ := bits.Mul64(key[1], uint64(len(t.slots)))
	for i := int(hi); ; {
		if s := &t.slots[i]; s.customer == 0 || s.key == key {
			return i
		}
		if i++; i == len(t.slots) {
			i = 0
		}
	}
}

func (t *table) grow() {
	old := t.slots
	t.slots = make([]slot, max(8, len(old)+len(old)*3/8))
	for _, s := range old {
		if s.customer != 0 {
			t.slots[t.place(s.key)] = s
		}
	}
}
