package main

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"strings"
	"testing"
)

// realSlice is how many of the real order lines are taken: the first four months or so.
const realSlice = 150_000

const askedAtFirst = `
kind: workspace
name: shop
time_zone: Europe/London
currency: GBP
consent:
  allowed: [on_site_service]
values:
  lines: count("Order Line", "all")
---
kind: segment
name: customers
when: lines > 1
`

const askedLater = `
---
kind: segment
name: broad
when: distinct("Order Line", "sku", "all") >= 100
---
kind: segment
name: best
when: sum("Order Line", "quantity * price", "all") >= 5000 && max("Order Line", "price", "all") >= 10
---
kind: segment
name: lately
when: count("*", "30d") > 0 && count("*", "all") > 100
`

// TestBackfillOfRealOrders imports real order lines, asks for statistics that
// nobody kept, and compares each of every customer, and who is in which segment by
// them, with what the warehouse says of the events.
func TestBackfillOfRealOrders(t *testing.T) {
	if testing.Short() {
		t.Skip("150,000 lines are not short")
	}
	if _, err := os.Stat(realOrders); err != nil {
		t.Skip("the real orders are not here:", realOrders)
	}
	p := newProgram(t)
	p.write("orders.csv", firstLines(t, realOrders, realSlice+1))
	p.write("map.yaml", realMapping+"  price: {value: $UnitPrice, as: number}\n")
	p.write("definitions/all.yaml", askedAtFirst)
	p.start()
	p.run("workspace", "create", "shop")
	key := regexp.MustCompile(`ck_server_\w+`).FindString(p.run("key", "create", "server", "--workspace", "shop"))
	p.run("apply", "-f", "definitions")
	p.run("import", "orders.csv", "--map", "map.yaml", "--key", key)
	p.write("definitions/all.yaml", askedAtFirst+askedLater)
	if said := p.run("apply", "-f", "definitions", "--wait"); !strings.Contains(said, "5 statistics are being back-filled") || !strings.Contains(said, "all statistics are known") {
		t.Errorf("applying says\n%s", said)
	}
	out := json.NewDecoder(strings.NewReader(p.run("sql", "--format", "json", `
		SELECT customer, count(*) AS lines, count(DISTINCT properties->>'sku') AS skus,
		       sum(CAST(properties->>'quantity' AS DECIMAL(18,0)) * CAST(properties->>'price' AS DECIMAL(18,3))) AS spent,
		       max(CAST(properties->>'price' AS DECIMAL(18,3))) AS dearest
		FROM events GROUP BY customer`)))
	members := map[string]int{}
	checked := 0
	for ; out.More(); checked++ {
		var row struct {
			Customer                    string
			Lines, Skus, Spent, Dearest json.Number
		}
		if err := out.Decode(&row); err != nil {
			t.Fatal(err)
		}
		kept := p.statistics(row.Customer)
		for name, want := range map[string]json.Number{
			`count("Order Line", "all")`: row.Lines, `count("*", "all")`: row.Lines,
			`sum("Order Line", "quantity * price", "all")`: row.Spent, `max("Order Line", "price", "all")`: row.Dearest,
			`distinct("Order Line", "sku", "all")`: row.Skus,
			`count("*", "30d")`:                    "0", // all of it was long ago
		} {
			if got := kept[name]; !equal(got, want) && (!strings.HasPrefix(name, "distinct") || !nearly(got, want)) {
				t.Fatalf("customer %s: %s is %s, and %s by the warehouse", row.Customer, name, got, want)
			}
		}
		skus, _ := kept[`distinct("Order Line", "sku", "all")`].Int64()
		spent, _ := row.Spent.Float64()
		dearest, _ := row.Dearest.Float64()
		for name, in := range map[string]bool{"broad": skus >= 100, "best": spent >= 5000 && dearest >= 10} {
			if in {
				members[name]++
			}
		}
	}
	if checked < 2000 || members["broad"] < 20 || members["best"] < 10 {
		t.Errorf("only %d customers were compared, and of them are %v", checked, members)
	}
	for name, want := range members {
		if got := p.run("sql", "--format", "csv", fmt.Sprintf("SELECT count(*) FROM segment_moves WHERE segment = '%s' AND entered", name)); !strings.HasSuffix(strings.TrimSpace(got), fmt.Sprintf("\n%d", want)) {
			t.Errorf("%s was entered by\n%swant %d", name, got, want)
		}
	}
}

// nearly reports whether an estimate of more than 256 different values is within
// a twentieth.
func nearly(got, want json.Number) bool {
	a, err := got.Float64()
	b, err2 := want.Float64()
	return err == nil && err2 == nil && b > 256 && a > 0.95*b && a < 1.05*b
}

// firstLines returns the first lines of a compressed file.
func firstLines(t *testing.T, path string, n int) string {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out strings.Builder
	lines := bufio.NewScanner(z)
	for ; n > 0 && lines.Scan(); n-- {
		out.WriteString(lines.Text() + "\n")
	}
	if err := lines.Err(); err != nil || n > 0 {
		t.Fatalf("%d lines are missing: %v", n, err)
	}
	return out.String()
}
