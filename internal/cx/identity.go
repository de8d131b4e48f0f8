package cx

import (
	"encoding/base32"
	"encoding/binary"
	"strings"
)

// CustomerID names a customer for ever. It is a scattered form of the position
// of the entry that created the customer, so it is unique and its top bits
// spread customers evenly over lanes. 0 is nobody.
type CustomerID uint64

// NewCustomerID returns the id of a customer created by the entry at p.
func NewCustomerID(p Position) CustomerID { return CustomerID(mix(uint64(p))) }

// Position returns the position of the entry that created the customer: the
// smaller it is, the older the customer.
func (id CustomerID) Position() Position { return Position(unmix(uint64(id))) }

// Lanes is the number of virtual lanes of a shard; it never changes.
const Lanes = 64

// Lane returns the virtual lane, 0 to 63, that owns the customer.
func (id CustomerID) Lane() int { return int(id >> 58) }

var idText = base32.NewEncoding("0123456789abcdefghjkmnpqrstvwxyz").WithPadding(base32.NoPadding)

func formatID(prefix string, v uint64) string {
	return string(appendID(make([]byte, 0, 16), prefix, v))
}

func appendID(dst []byte, prefix string, v uint64) []byte {
	var b [8]byte
	binary.BigEndian.PutUint64(b[:], v)
	return idText.AppendEncode(append(dst, prefix...), b[:])
}

func parseID(prefix, s string) (uint64, bool) {
	s, ok := strings.CutPrefix(s, prefix)
	if !ok || len(s) != 13 {
		return 0, false
	}
	b, err := idText.DecodeString(s)
	if err != nil || len(b) != 8 {
		return 0, false
	}
	v := binary.BigEndian.Uint64(b)
	return v, formatID("", v) == s
}

// String writes the id as people and URLs see it: "c_" and 13 characters.
func (id CustomerID) String() string { return formatID("c_", uint64(id)) }

// Append appends what String returns.
func (id CustomerID) Append(dst []byte) []byte { return appendID(dst, "c_", uint64(id)) }

// ParseCustomerID reads what String wrote.
func ParseCustomerID(s string) (CustomerID, bool) {
	v, ok := parseID("c_", s)
	return CustomerID(v), ok
}

// Namespace says what kind of name an identity is. A smaller number is a
// stronger identity. The numbers are part of the format.
type Namespace uint8

// The namespaces, strongest first.
const (
	UserID        Namespace = 1 // vouched for by the company
	ClaimedUserID Namespace = 2 // what a browser said, unsigned
	LineUserID    Namespace = 3
	Mail          Namespace = 4
	Phone         Namespace = 5
	AnonymousID   Namespace = 6
)

var namespaceNames = [...]string{"", "user_id", "claimed_user_id", "line_user_id", "mail", "phone", "anonymous_id"}

// String names the namespace.
func (n Namespace) String() string { return namespaceNames[n] }

// ParseNamespace reads what String wrote.
func ParseNamespace(s string) (Namespace, bool) {
	for i, name := range namespaceNames {
		if name == s && i > 0 {
			return Namespace(i), true
		}
	}
	return 0, false
}

// Identity is one name by which a customer is known.
type Identity struct {
	Namespace Namespace
	Value     string
	Since     Instant // log time when it was linked
}

// Hash returns the key under which the identity is looked up in a workspace.
func (i Identity) Hash(w Workspace) HashKey {
	return Hash128(string(w), i.Namespace.String(), i.Value)
}

// Junk reports whether v is one of the well-known placeholder ids that stand
// for nobody and must never link two people.
func Junk(v string) bool {
	v = strings.TrimSpace(v)
	if len(v) > 36 || len(v) > len("[object object]") && v[0] != '0' {
		return false
	}
	switch strings.ToLower(v) {
	case "", "null", "undefined", "none", "nil", "nan", "n/a", "na", "unknown", "anonymous",
		"0", "-1", "00000000-0000-0000-0000-000000000000", "00000000000000000000000000000000",
		"guest", "test", "true", "false", "[object object]", "(null)", "nobody", "user", "default", "not set", "(not set)":
		return true
	}
	return false
}
