package rule

import (
	"cel.dev/cel-go/common/types"
	"cel.dev/cel-go/common/types/ref"
	"cel.dev/cel-go/interpreter"

	"github.com/kikubari/kikubari/internal/cx"
)

// activation shows a Scope to cel-go. inputs are the statistics and segments of
// the rule by variable.
type activation struct {
	scope  *Scope
	inputs map[string]valueFunc
}

// Parent returns nil: there is nothing behind a scope.
func (a *activation) Parent() interpreter.Activation { return nil }

// ResolveName returns the value of a variable; false makes cel-go fail with "no
// such attribute".
func (a *activation) ResolveName(name string) (any, bool) {
	s := a.scope
	switch name {
	case "traits":
		if s.Customer == nil {
			return nil, false
		}
		fields := make(cx.Fields, len(s.Customer.Traits))
		for i, t := range s.Customer.Traits {
			fields[i] = cx.Field{Name: t.Name, Raw: t.Raw}
		}
		return newObject(entriesOf(fields)), true
	case "event.properties":
		if s.Event == nil {
			return nil, false
		}
		return newObject(entriesOf(s.Fields)), true
	case "event.context":
		if s.Event == nil {
			return nil, false
		}
		return newObject(entriesOf(cx.ParseFields(nil, s.Event.Context))), true
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
		var list []cx.Value
		elements(v, func(e cx.Value) bool { list = append(list, e); return true })
		return types.NewDynamicList(adapter{}, list)
	case cx.Map:
		return newObject(members(v))
	case cx.Unknown:
		return types.NewUnknown(1, nil)
	default:
		return types.NewErr("no such value")
	}
}

// adapter lets cel-go's lists hold values of ours.
type adapter struct{}

// NativeToValue converts a cx.Value, and anything else as cel-go does.
func (adapter) NativeToValue(v any) ref.Val {
	if own, ok := v.(cx.Value); ok {
		return toCel(own)
	}
	return types.DefaultTypeAdapter.NativeToValue(v)
}
