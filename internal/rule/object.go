package rule

import (
	"reflect"
	"sort"
	"strings"

	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/common/types/traits"
)

// object shows a JSON object to cel-go as a map that is iterated in order of its
// keys, whatever Go's maps do.
type object struct{ entries []entry }

var _ traits.Mapper = (*object)(nil)

func newObject(sorted []entry) *object { return &object{sorted} }

// Find returns the value of a key; a key that is not a text is not found.
func (o *object) Find(key ref.Val) (ref.Val, bool) {
	name, ok := key.(types.String)
	if !ok {
		return nil, false
	}
	i, found := sort.Find(len(o.entries), func(i int) int { return strings.Compare(string(name), o.entries[i].name) })
	if !found {
		return nil, false
	}
	return o.entries[i].toCel(), true
}

// Get is Find with an error for what is not there.
func (o *object) Get(key ref.Val) ref.Val {
	if v, ok := o.Find(key); ok {
		return v
	}
	return types.ValOrErr(key, "no such key: %v", key)
}

// Contains reports whether there is such a key.
func (o *object) Contains(key ref.Val) ref.Val {
	_, ok := o.Find(key)
	return types.Bool(ok)
}

// Size returns how many keys there are.
func (o *object) Size() ref.Val { return types.Int(len(o.entries)) }

// Iterator goes over the keys in order.
func (o *object) Iterator() traits.Iterator {
	names := make([]string, len(o.entries))
	for i, e := range o.entries {
		names[i] = e.name
	}
	return types.NewStringList(types.DefaultTypeAdapter, names).Iterator()
}

// Equal reports whether other is a map with equal members.
func (o *object) Equal(other ref.Val) ref.Val {
	m, ok := other.(traits.Mapper)
	if !ok || m.Size() != o.Size() {
		return types.False
	}
	for i := range o.entries {
		e := &o.entries[i]
		v, ok := m.Find(types.String(e.name))
		if !ok || types.Equal(e.toCel(), v) != types.True {
			return types.False
		}
	}
	return types.True
}

// ConvertToNative is not needed: nothing takes a map out of cel-go.
func (o *object) ConvertToNative(t reflect.Type) (any, error) {
	return nil, &Error{Message: "a map cannot become a " + t.String()}
}

// ConvertToType only knows maps.
func (o *object) ConvertToType(t ref.Type) ref.Val {
	if t == types.MapType {
		return o
	}
	return types.NewErr("a map cannot become a %s", t.TypeName())
}

// Type returns the type of maps.
func (o *object) Type() ref.Type { return types.MapType }

// Value returns the object itself.
func (o *object) Value() any { return o }
