package rule

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"github.com/kikubari/kikubari/internal/cx"
)

// activation shows a Scope to cel-go for one evaluation. inputs are the
// statistics and segments of the rule by variable. What was opened once stays
// open, because loops ask for the same thing again and again.
type activation struct {
	scope  *Scope
	inputs map[string]valueFunc
	opened [3]*object // traits, properties, context
}

// Parent returns nil: there is nothing behind a scope.
func (a *activation) Parent() interpreter.Activation { return nil }

// ResolveName returns the value of a variable; false makes cel-go fail with "no
// such attribute".
func (a *activation) ResolveName(name string) (any, bool) {
	s := a.scope
	switch name {
	case "traits":
		return a.open(0, s.Customer != nil, func() cx.Fields {
			fields := make(cx.Fields, len(s.Customer.Traits))
			for i, t := range s.Customer.Traits {
				fields[i] = cx.Field{Name: t.Name, Raw: t.Raw}
			}
			return fields
		})
	case "event.properties":
		return a.open(1, s.Event != nil, func() cx.Fields { return s.Fields })
	case "event.context":
		return a.open(2, s.Event != nil, func() cx.Fields { return cx.ParseFields(nil, s.Event.Context) })
	}
	read := a.inputs[name]
	if read == nil {
		read = factReaders[name]
	}
	if read == nil {
		return nil, false
	}
	v := read(s)
	if v.Kind == cx.Missing {
		return nil, false
	}
	return toCel(v), true
}

// open returns one of the open maps, if it is there.
func (a *activation) open(i int, there bool, fields func() cx.Fields) (any, bool) {
	if !there {
		return nil, false
	}
	if a.opened[i] == nil {
		a.opened[i] = newObject(entriesOf(fields()))
	}
	return a.opened[i], true
}

// factReaders read the facts that are not maps.
var factReaders = func() map[string]valueFunc {
	out := map[string]valueFunc{}
	for _, f := range facts {
		if f.typ != openMap {
			out[f.name] = (&node{op: f.op}).val()
		}
	}
	return out
}()

// toCel converts a value for cel-go, lists and maps lazily.
func toCel(v cx.Value) ref.Val {
	switch v.Kind {
	case cx.Null:
		return types.NullValue
	case cx.Bool:
		return types.Bool(v.IsTrue())
	case cx.Number:
		return types.Double(v.Float())
	case cx.Text:
		return types.String(v.Str())
	case cx.List:
		var list []*lazy
		elements(v, func(e cx.Value) bool { list = append(list, &lazy{value: e}); return true })
		return types.NewDynamicList(adapter{}, list)
	case cx.Map:
		return newObject(members(v))
	case cx.Unknown:
		return types.NewUnknown(1, nil)
	default:
		return types.NewErr("no such value")
	}
}

// lazy is a value that is converted for cel-go when it is first asked for.
type lazy struct {
	value     cx.Value
	converted ref.Val
}

func (l *lazy) toCel() ref.Val {
	if l.converted == nil {
		l.converted = toCel(l.value)
	}
	return l.converted
}

// adapter lets cel-go's lists hold values of ours.
type adapter struct{}

// NativeToValue converts a lazy value, and anything else as cel-go does.
func (adapter) NativeToValue(v any) ref.Val {
	if own, ok := v.(*lazy); ok {
		return own.toCel()
	}
	return types.DefaultTypeAdapter.NativeToValue(v)
}
