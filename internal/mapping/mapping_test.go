package mapping

import (
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"

	"golang.org/x/text/encoding/japanese"
	"pgregory.net/rapid"

	"github.com/kikubari/kikubari/internal/cx"
)

// convert returns the events of a file, one a line, and the faults.
func convert(t *testing.T, m, file string) (events, faults []string) {
	t.Helper()
	parsed, err := Parse([]byte(m))
	if err != nil {
		t.Fatal(err)
	}
	r, err := parsed.NewReader(strings.NewReader(file))
	if err != nil {
		t.Fatal(err)
	}
	for {
		record, err := r.Next()
		var event []byte
		if err == nil {
			event, err = parsed.AppendEvent(nil, record, "j")
		}
		var fault *LineError
		switch {
		case errors.Is(err, io.EOF):
			return events, faults
		case errors.As(err, &fault):
			faults = append(faults, fault.Error())
			if fault.Fatal() {
				return events, faults
			}
		case err != nil:
			t.Fatal(err)
		default:
			events = append(events, string(event))
		}
	}
}

const order = `event: track
name: Order Line
user_id: $Who
anonymous_id: order-${Order No}
time: {value: $When, zone: Asia/Tokyo}
`

func TestEvents(t *testing.T) {
	for name, c := range map[string]struct{ mapping, file, want string }{
		"a line of a table": {
			order + "properties: {order_id: '${Order No}', note: 'costs $$5 at $Shop', total: {product: [$N, $Price]}, gift: {value: $Gift, as: boolean}, level: 3}",
			"Who,Order No,When,Shop,N,Price,Gift\n7,A1,2024-03-31 09:00:00,\"京都 \"\"north\"\"\",3,-0.1,no\n",
			`{"type":"track","messageId":"import:j:2","event":"Order Line","userId":"7","timestamp":"2024-03-31T00:00:00Z","properties":{"order_id":"A1","note":"costs $5 at 京都 \"north\"","total":-0.3,"gift":false,"level":3}}`,
		},
		"empty cells leave fields out": {
			order + "properties: {shop: $Shop, total: {product: [$N, $Price]}, n: {value: $N, as: number}}",
			"Who,Order No,When,Shop,N,Price\n ,A1,2024-03-31,,,2\n",
			`{"type":"track","messageId":"import:j:2","event":"Order Line","anonymousId":"order-A1","timestamp":"2024-03-30T15:00:00Z","properties":{}}`,
		},
		"decimal commas, semicolons, a mark and a layout": {
			"event: track\nname: $What\nseparator: ;\ndecimal: comma\nuser_id: $Who\ntime: {value: $When, layout: '%d/%m/%Y %H:%M', zone: Europe/Paris}\nproperties: {price: {value: $Price, as: number}}",
			"\ufeffWho;What;When;Price\n7;sold;1/7/2024 8:05;1.234.567,50\n",
			`{"type":"track","messageId":"import:j:2","event":"sold","userId":"7","timestamp":"2024-07-01T06:05:00Z","properties":{"price":1234567.5}}`,
		},
		"JSON keeps its types": {
			"format: ndjson\nevent: identify\nuser_id: $id\ntime: {value: $at, layout: unix_ms}\ntraits: {n: $n, deep: $a.b, none: $x, null: $z, text: 'is $n'}",
			`{"id":7,"at":1700000000123,"n":1.50,"a":{"b":[1,{"c":null}]},"z":null}`,
			`{"type":"identify","messageId":"import:j:1","userId":"7","timestamp":"2023-11-14T22:13:20.123Z","traits":{"n":1.50,"deep":[1,{"c":null}],"text":"is 1.50"}}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			events, faults := convert(t, c.mapping, c.file)
			if len(faults) > 0 || len(events) != 1 || events[0] != c.want {
				t.Errorf("got  %s %s\nwant %s", events, faults, c.want)
			}
		})
	}
}

func TestFaultsOfLines(t *testing.T) {
	for name, c := range map[string]struct{ mapping, file, want string }{
		"no number":       {order + "properties: {n: {value: $N, as: number}}", "Who,Order No,When,N\n7,1,2024-01-01,12e3\n", `line 2: properties.n: "12e3" is no number`},
		"groups of two":   {order + "properties: {n: {value: $N, as: number}}", "Who,Order No,When,N\n7,1,2024-01-01,\"12,34\"\n", `line 2: properties.n: "12,34" is no number`},
		"nobody":          {order, "Who,Order No,When\n,,2024-01-01\n", "line 2: the line says nothing about who it is"},
		"no time":         {order, "Who,Order No,When\n7,1,\n", `line 2: time: "" is no time`},
		"an unclear time": {order, "Who,Order No,When\n7,1,3/4/2024\n", `add a layout, such as layout: "%d/%m/%Y`},
		"a missing cell":  {order, "Who,Order No,When\n7,1\n", "line 2: there are 2 cells, the first line names 3 columns"},
		"an open quote":   {order, "Who,Order No,When\n7,1,2024-01-01\n\"7,1\n", `line 3: `},
		"no JSON":         {"format: ndjson\n" + order, "[1]\n", "line 1: the line is no JSON object"},
		"not UTF-8":       {order + "properties: {shop: $Shop}", "Who,Order No,When,Shop\n7,1,2024-01-01,\x93\xfa\n", "line 2: properties.shop: the text is not UTF-8; say what it is, such as encoding: shift_jis"},
		"no truth":        {order + "properties: {gift: {value: $N, as: boolean}}", "Who,Order No,When,N\n7,1,2024-01-01,maybe\n", `"maybe" is neither true nor false`},
		"no event's name": {strings.Replace(order, "Order Line", "$N", 1), "Who,Order No,When,N\n7,1,2024-01-01,\n", "line 2: name: the column is empty"},
	} {
		t.Run(name, func(t *testing.T) {
			_, faults := convert(t, c.mapping, c.file)
			if len(faults) != 1 || !strings.Contains(faults[0], c.want) {
				t.Errorf("got %q, want %q", faults, c.want)
			}
		})
	}
}

func TestFaultsOfMappings(t *testing.T) {
	for name, c := range map[string]struct{ mapping, want string }{
		"unknown field":     {order + "propertys: {}", "propertys"},
		"no event":          {"name: x\nuser_id: $a\ntime: $b", `event: "" is not known; write one of track, identify`},
		"no time":           {"event: track\nname: x\nuser_id: $a", "time: when did it happen?"},
		"nobody":            {"event: track\nname: x\ntime: $a", "user_id: whose events are they?"},
		"unknown zone":      {"event: track\nname: x\nuser_id: $a\ntime: {value: $b, zone: Mars/Base}", "time.zone: "},
		"lonely dollar":     {order + "properties: {x: 'a $ b'}", "properties.x: a $ without a column"},
		"open brace":        {order + "properties: {x: 'a ${b'}", "properties.x: ${ has no }"},
		"lonely factor":     {order + "properties: {x: {product: [$a]}}", "properties.x.product: write two columns or more"},
		"value and product": {order + "properties: {x: {value: $a, product: [$a, $b]}}", "properties.x: write either value or product"},
		"unknown option":    {order + "properties: {x: {vaule: $a}}", "properties.x.vaule: there is no such field; the fields are value, as, product"},
		"unknown kind":      {order + "properties: {x: {value: $a, as: money}}", `properties.x.as: "money" is not known; write one of text, number, boolean`},
		"unknown layout":    {"event: track\nname: x\nuser_id: $a\ntime: {value: $b, layout: '%Q'}", "after % stands one of"},
		"unknown encoding":  {order + "encoding: utf-16", "encoding: "},
		"long separator":    {order + "separator: '||'", "separator: "},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := Parse([]byte(c.mapping)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %q", err, c.want)
			}
		})
	}
	m, err := Parse([]byte(order))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := m.NewReader(strings.NewReader("Who,When\n")); err == nil || !strings.Contains(err.Error(), `no column "Order No"; it has Who, When`) {
		t.Errorf("a missing column: %v", err)
	}
}

func TestShiftJIS(t *testing.T) {
	file, err := japanese.ShiftJIS.NewEncoder().String("Who,Order No,When,店\n7,1,2024-01-01,髙島屋・表\n")
	if err != nil {
		t.Fatal(err)
	}
	events, faults := convert(t, order+"encoding: shift_jis\nproperties: {shop: $店}", file)
	if len(faults) > 0 || len(events) != 1 || !strings.Contains(events[0], `"shop":"髙島屋・表"`) {
		t.Errorf("got %s %s", events, faults)
	}
}

// A product has every digit, whatever the signs, the lengths and the zeros.
func TestProductsAreExact(t *testing.T) {
	m := &Mapping{}
	number := rapid.StringMatching(`[-+]?[0-9]{1,22}(\.[0-9]{0,12})?`)
	rapid.Check(t, func(t *rapid.T) {
		a, b := number.Draw(t, "a"), number.Draw(t, "b")
		x, err := m.decimal(a)
		if err != nil {
			t.Fatal(err)
		}
		y, err := m.decimal(b)
		if err != nil {
			t.Fatal(err)
		}
		p, _ := new(big.Rat).SetString(a)
		q, _ := new(big.Rat).SetString(b)
		got := string(x.times(y).appendTo(nil))
		if back, ok := new(big.Rat).SetString(got); !ok || back.Cmp(p.Mul(p, q)) != 0 {
			t.Errorf("%s × %s = %s, want %s", a, b, got, p.FloatString(24))
		}
		if !validJSON([]byte(got)) {
			t.Errorf("%s × %s = %s, which is no JSON number", a, b, got)
		}
	})
}

// Whatever is in a file, a record becomes JSON that names its line, or a fault.
func FuzzReader(f *testing.F) {
	f.Add("Who,Order No,When,N\n7,1,2024-01-01,3\n", false)
	f.Add(`{"Who":"7","When":"2024-01-01","N":{"a":[1]}}`, true)
	f.Add("Who,Order No,When,N\n\"7\n\",,20240101,-\n,\xff", false)
	f.Fuzz(func(t *testing.T, file string, lines bool) {
		m, err := Parse([]byte(order + "properties: {n: $N, p: {product: [$N, $N]}}"))
		if err != nil {
			t.Fatal(err)
		}
		if lines {
			m.Format = "ndjson"
		}
		r, err := m.NewReader(strings.NewReader(file))
		if err != nil {
			return
		}
		last := uint64(0)
		for {
			record, err := r.Next()
			var fault *LineError
			if errors.As(err, &fault) && !fault.Fatal() {
				continue
			}
			if err != nil {
				return
			}
			if record.Line <= last {
				t.Fatalf("line %d comes after line %d", record.Line, last)
			}
			last = record.Line
			event, err := m.AppendEvent(nil, record, "j")
			if err != nil {
				continue
			}
			if !validJSON(event) {
				t.Fatalf("no JSON: %q", event)
			}
			e := cx.Event{Flags: cx.Historical, MessageID: cx.ParseValue(cx.Member(event, "messageId")).Str()}
			if job, line, ok := e.ImportLine(); !ok || job != "j" || line != record.Line {
				t.Fatalf("the message id of line %d is %q", record.Line, e.MessageID)
			}
		}
	})
}
