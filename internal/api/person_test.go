package api

import (
	"encoding/json"
	"strings"
	"testing"
)

// The object that an export streams has every kind of row, those without rows
// too, in order.
func TestPersonIsExported(t *testing.T) {
	b := newBench(t)
	id := b.shop.customer.String()
	if res, _ := b.ask(t, b.read, "GET", "/api/v1/customers/"+id+"/export", ""); res.StatusCode != 403 {
		t.Errorf("a read key exports: %d", res.StatusCode)
	}
	res, body := b.ask(t, b.admin, "GET", "/api/v1/customers/"+id+"/export?why=asked", "")
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "application/json; charset=utf-8" {
		t.Fatalf("%d %v %s", res.StatusCode, res.Header, body)
	}
	var out map[string]json.RawMessage
	if err := json.Unmarshal([]byte(body), &out); err != nil {
		t.Fatalf("%v\n%s", err, body)
	}
	for name, want := range map[string]string{
		"format": "1", "workspace": `"shop"`, "e": "[]", "o": `[{"row":"one"}]`, "t": `[{"row":"two"}]`, "n": "[]", "f": `[{"row":"four"}]`, "x": "[]",
	} {
		if got := strings.ReplaceAll(string(out[name]), "\n", ""); got != want {
			t.Errorf("%s is %s, want %s", name, got, want)
		}
	}
	if c := b.store.changed[len(b.store.changed)-1]; c.Why != "asked" || c.What != "export the data of customer "+id {
		t.Errorf("kept is %+v", c)
	}
}
