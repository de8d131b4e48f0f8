package rule

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"github.com/kikubari/kikubari/internal/cx"
)

// statisticArgs names the arguments of each statistic in order; an argument
// with a question mark may be left out.
var statisticArgs = map[string][]string{
	"count":     {"event", "window"},
	"sum":       {"event", "field", "window", "currency?"},
	"min":       {"event", "field", "window", "currency?"},
	"max":       {"event", "field", "window", "currency?"},
	"avg":       {"event", "field", "window", "currency?"},
	"first":     {"event", "field", "window"},
	"last":      {"event", "field", "window"},
	"distinct":  {"event", "field", "window"},
	"top":       {"event", "field", "n", "window"},
	"recent":    {"event", "field", "n", "window"},
	"last_time": {"event", "window"},
}

var aggregates = map[string]cx.Aggregate{
	"count": cx.Count, "sum": cx.SumOf, "min": cx.Min, "max": cx.Max, "avg": cx.Avg, "first": cx.First,
	"last": cx.Last, "distinct": cx.Distinct, "top": cx.TopN, "recent": cx.RecentN, "last_time": cx.LastTime,
}

const windowHelp = `write "session", "previous_session", "day", "week", "month", "all", or a span such as "45m", "36h", "7d" (1 minute to 3 years)`

// ParseStatistic reads one call of a statistic, such as the text of
// cx.StatisticSpec.String.
func ParseStatistic(text string) (cx.StatisticSpec, error) {
	src, _, err := parse(text, "")
	if err != nil {
		return cx.StatisticSpec{}, err
	}
	x := &expander{main: src}
	if src.tree.Kind() != ast.CallKind || src.tree.AsCall().IsMemberFunction() || statisticArgs[src.tree.AsCall().FunctionName()] == nil {
		return cx.StatisticSpec{}, src.at(src.tree.ID(), "this is not a statistic", "write one call such as "+functionHelp["count"])
	}
	return x.spec(src.tree)
}

// statistic replaces a call by the variable that stands for its value.
func (x *expander) statistic(e ast.Expr) error {
	spec, err := x.spec(e)
	if err != nil {
		return err
	}
	switch spec.Aggregate {
	case cx.LastTime:
		return x.fail(e, "last_time is not used in rules", "since("+strconv.Quote(string(spec.Event))+") is how long ago it was, in seconds")
	case cx.First, cx.Last:
		return x.input(e, spec, prefixAny, &node{op: opStatistic, typ: Anything})
	case cx.TopN, cx.RecentN:
		return x.input(e, spec, prefixList, &node{op: opStatistic, typ: List})
	default:
		return x.input(e, spec, prefixNumber, &node{op: opStatistic, typ: Number})
	}
}

func (x *expander) since(e ast.Expr) error {
	c := e.AsCall()
	if len(c.Args()) != 1 {
		return x.fail(e, "since takes one event", "write "+functionHelp["since"])
	}
	event, err := x.eventArg(c.Args()[0])
	if err != nil {
		return err
	}
	spec := cx.StatisticSpec{Aggregate: cx.LastTime, Event: event, Window: cx.Window{Kind: cx.AllTime}}
	return x.input(e, spec, prefixNumber, &node{op: opSince, typ: Number})
}

// input replaces e by the variable for spec, making one when spec is new.
func (x *expander) input(e ast.Expr, spec cx.StatisticSpec, prefix string, n *node) error {
	name, ok := x.specs[spec]
	if !ok {
		if len(x.specs) == maxInputs {
			return x.fail(e, fmt.Sprintf("the rule reads more than %d different statistics", maxInputs), "split it into segments")
		}
		if x.env.Slot == nil {
			return x.fail(e, "statistics cannot be used here", "use traits or the event")
		}
		name = prefix + strconv.Itoa(len(x.specs))
		x.specs[spec] = name
		n.spec = spec
		x.inputs[name] = n
		x.statistics = append(x.statistics, n)
	}
	x.replace(e, x.fac.NewIdent(e.ID(), name))
	return nil
}

// segment replaces segment("name") by the variable for that membership.
func (x *expander) segment(e ast.Expr) error {
	args := e.AsCall().Args()
	if len(args) != 1 {
		return x.fail(e, "segment takes one name", "write "+functionHelp["segment"])
	}
	label, err := x.text(args[0], "the name of a segment", "vip")
	if err != nil {
		return err
	}
	slot, ok := x.env.Segments[label]
	if !ok {
		names := slices.Sorted(maps.Keys(x.env.Segments))
		hint := "define it, or use one of: " + strings.Join(names, ", ")
		if near := nearest(label, names); near != "" {
			hint = "did you mean " + strconv.Quote(near) + "?"
		} else if len(names) == 0 {
			hint = "define it first"
		}
		return x.fail(args[0], "there is no segment "+strconv.Quote(label), hint)
	}
	name, ok := x.segments[label]
	if !ok {
		if len(x.segments) == maxInputs {
			return x.fail(e, fmt.Sprintf("the rule names more than %d segments", maxInputs), "split it into segments")
		}
		name = prefixSegment + strconv.Itoa(len(x.segments))
		x.segments[label] = name
		x.inputs[name] = &node{op: opSegment, typ: Condition, slot: slot, name: label}
	}
	x.replace(e, x.fac.NewIdent(e.ID(), name))
	return nil
}

// spans are the functions that write a span in seconds.
var spans = map[string]float64{"seconds": 1, "minutes": 60, "hours": 3600, "days": 86400}

// span replaces minutes(30) by 1800.
func (x *expander) span(e ast.Expr) error {
	c := e.AsCall()
	name := c.FunctionName()
	if len(c.Args()) == 1 && c.Args()[0].Kind() == ast.LiteralKind {
		switch v := c.Args()[0].AsLiteral().(type) {
		case types.Int:
			x.replace(e, x.fac.NewLiteral(e.ID(), types.Double(float64(v)*spans[name])))
			return nil
		case types.Double:
			x.replace(e, x.fac.NewLiteral(e.ID(), types.Double(float64(v)*spans[name])))
			return nil
		}
	}
	return x.fail(e, name+" takes one number, written out", "write "+functionHelp[name])
}

// spec reads the arguments of a statistic.
func (x *expander) spec(e ast.Expr) (cx.StatisticSpec, error) {
	c := e.AsCall()
	name, args := c.FunctionName(), c.Args()
	want := statisticArgs[name]
	spec := cx.StatisticSpec{Aggregate: aggregates[name]}
	least := len(want)
	if want[least-1] == "currency?" {
		least--
	}
	if len(args) < least || len(args) > len(want) {
		return spec, x.fail(e, name+" takes "+strings.Replace(strings.Join(want, ", "), ", currency?", " and perhaps a currency", 1), "write "+functionHelp[name])
	}
	for i, arg := range args {
		if err := x.argument(&spec, want[i], arg); err != nil {
			return spec, err
		}
	}
	return spec, nil
}

// argument reads one argument of a statistic into spec.
func (x *expander) argument(spec *cx.StatisticSpec, what string, arg ast.Expr) (err error) {
	var text string
	switch what {
	case "event":
		spec.Event, err = x.eventArg(arg)
	case "field":
		spec.Field, spec.Times, err = x.fieldArg(arg)
	case "n":
		n, ok := arg.AsLiteral().(types.Int)
		if arg.Kind() != ast.LiteralKind || !ok || n < 1 || n > 30 {
			return x.fail(arg, "how many must be a whole number from 1 to 30, written out", "write "+functionHelp["top"])
		}
		spec.N = int(n)
	case "window":
		if text, err = x.text(arg, "a window", "7d"); err != nil {
			return err
		}
		var ok bool
		if spec.Window, ok = cx.ParseWindow(text); !ok {
			return x.fail(arg, "there is no window "+strconv.Quote(text), windowHelp)
		}
	case "currency?":
		if text, err = x.text(arg, "a currency", "JPY"); err != nil {
			return err
		}
		if len(text) != 3 || strings.Trim(text, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") != "" {
			return x.fail(arg, strconv.Quote(text)+" is not a currency", `write the three letters of ISO 4217, such as "JPY"`)
		}
		spec.Currency = cx.Currency(text)
	}
	return err
}

// eventArg reads the name of an event; "*" and "" are any event.
func (x *expander) eventArg(arg ast.Expr) (cx.EventName, error) {
	text, err := x.text(arg, "the name of an event", "Product Added")
	if text == "*" {
		text = ""
	}
	return cx.EventName(text), err
}

// fieldArg reads the path of a field, or the product of two.
func (x *expander) fieldArg(arg ast.Expr) (field, times string, err error) {
	text, err := x.text(arg, "a field of the event", "price")
	if err != nil {
		return "", "", err
	}
	field, times, product := strings.Cut(text, "*")
	field, times = strings.TrimSpace(field), strings.TrimSpace(times)
	if !isPath(field) || product && !isPath(times) {
		return "", "", x.fail(arg, strconv.Quote(text)+" is not a field", `write a path such as "price" or "cart.total", or a product of two: "price * quantity"`)
	}
	return field, times, nil
}

func isPath(p string) bool {
	return !strings.Contains(p, "*") && !slices.Contains(cx.PathParts(p), "")
}

// text reads an argument that must be a literal text.
func (x *expander) text(arg ast.Expr, what, example string) (string, error) {
	if arg.Kind() == ast.LiteralKind {
		if s, ok := arg.AsLiteral().(types.String); ok {
			return string(s), nil
		}
	}
	return "", x.fail(arg, what+" must be written out, in quotes", "write a text such as "+strconv.Quote(example))
}
