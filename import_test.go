package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// realOrders is a shop's year of order lines: real data, kept outside the
// repository.
const realOrders = "../shared/data/online-retail/online_retail.csv.gz"

const realMapping = `
event: track
name: Order Line
user_id: $CustomerID
anonymous_id: invoice-$InvoiceNo
time: {value: $InvoiceDate, zone: Europe/London}
properties:
  order_id: $InvoiceNo
  sku: $StockCode
  quantity: {value: $Quantity, as: number}
  total: {product: [$Quantity, $UnitPrice]}
  currency: GBP
`

const realDefinitions = `
kind: workspace
name: shop
time_zone: Europe/London
currency: GBP
consent:
  allowed: [on_site_service]
values:
  spent: sum("Order Line", "total", "all")
  lines: count("Order Line", "all")
---
kind: segment
name: customers
when: spent > 1000 && lines > 1
`

// TestImportOfRealOrders brings in 541,909 real order lines, kills the server on
// the way, goes on, and compares the sums in the warehouse, and those in every
// customer's profile, with each other and with the file.
func TestImportOfRealOrders(t *testing.T) {
	if testing.Short() {
		t.Skip("half a million lines are not short")
	}
	if _, err := os.Stat(realOrders); err != nil {
		t.Skip("the real orders are not here:", realOrders)
	}
	p := newProgram(t)
	p.write("map.yaml", realMapping)
	p.write("definitions/all.yaml", realDefinitions)
	p.start()
	p.run("workspace", "create", "shop")
	key := regexp.MustCompile(`ck_server_\w+`).FindString(p.run("key", "create", "server", "--workspace", "shop"))
	p.run("apply", "-f", "definitions")
	orders, err := filepath.Abs(realOrders)
	if err != nil {
		t.Fatal(err)
	}

	first := p.command("import", orders, "--map", "map.yaml", "--key", key)
	if err := first.Start(); err != nil {
		t.Fatal(err)
	}
	p.awaitCount(100_000, 2*time.Minute)
	p.kill()
	_ = first.Process.Kill()
	_ = first.Wait() // it was killed
	p.start()
	t.Log(p.run("import", orders, "--map", "map.yaml", "--key", key))

	got := p.run("sql", "--format", "csv", `
		SELECT count(*), count(DISTINCT user_id), count(DISTINCT properties->>'order_id'),
		       sum(CAST(properties->>'total' AS DECIMAL(38,6))) FROM events`)
	if want := "541909,4372,25900,9747747.934"; !strings.Contains(got, want) {
		t.Errorf("lines, customers, invoices and net total are\n%swant %s", got, want)
	}
	p.compareProfiles()
}

// compareProfiles compares what every profile says was spent with the sum of
// its events in the warehouse.
func (p *program) compareProfiles() {
	p.t.Helper()
	out := json.NewDecoder(strings.NewReader(p.run("sql", "--format", "json", `
		SELECT customer, sum(CAST(properties->>'total' AS DECIMAL(38,6))) AS spent, count(*) AS lines
		FROM events GROUP BY customer`)))
	checked := 0
	for out.More() {
		var row struct {
			Customer     string
			Spent, Lines json.Number
		}
		if err := out.Decode(&row); err != nil {
			p.t.Fatal(err)
		}
		kept := p.statistics(row.Customer)
		if !equal(kept[`sum("Order Line", "total", "all")`], row.Spent) || !equal(kept[`count("Order Line", "all")`], row.Lines) {
			p.t.Fatalf("customer %s: the profile says %v, the warehouse %s in %s lines", row.Customer, kept, row.Spent, row.Lines)
		}
		checked++
	}
	if checked < 4372 {
		p.t.Errorf("only %d customers were compared", checked)
	}
}

// statistics returns what a customer's profile keeps.
func (p *program) statistics(customer string) map[string]json.Number {
	p.t.Helper()
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.server.address+"/api/v1/customers/"+customer, http.NoBody)
	if err != nil {
		p.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+p.admin)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	defer res.Body.Close()
	var c struct {
		Statistics []struct {
			Statistic string
			Value     json.Number
		}
	}
	if err := json.NewDecoder(res.Body).Decode(&c); err != nil {
		p.t.Fatal(err)
	}
	kept := map[string]json.Number{}
	for _, s := range c.Statistics {
		kept[s.Statistic] = s.Value
	}
	return kept
}

func equal(a, b json.Number) bool {
	x, ok := new(big.Rat).SetString(a.String())
	y, ok2 := new(big.Rat).SetString(b.String())
	return ok && ok2 && x.Cmp(y) == 0
}

// program is the real program in a directory of its own.
type program struct {
	t      *testing.T
	dir    string
	server *instance
	admin  string // the admin key
}

func newProgram(t *testing.T) *program {
	t.Helper()
	p := &program{t: t, dir: t.TempDir()}
	t.Cleanup(p.kill)
	return p
}

func (p *program) write(name, text string) {
	p.t.Helper()
	path := filepath.Join(p.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		p.t.Fatal(err)
	}
}

// command is the program with arguments, in the directory, for the server.
func (p *program) command(args ...string) *exec.Cmd {
	p.t.Helper()
	c, err := ourselves(args...)
	if err != nil {
		p.t.Fatal(err)
	}
	c.Dir = p.dir
	if p.server != nil {
		c.Env = append(c.Env, "KIKUBARI_SERVER="+p.server.address, "KIKUBARI_KEY="+p.admin)
	}
	return c
}

// run runs a command to its end and returns what it printed.
func (p *program) run(args ...string) string {
	p.t.Helper()
	c := p.command(args...)
	var out, problems bytes.Buffer
	c.Stdout, c.Stderr = &out, &problems
	if err := c.Run(); err != nil {
		p.t.Fatalf("kikubari %s: %v\n%s%s", strings.Join(args, " "), err, &out, &problems)
	}
	return out.String()
}

// start starts the server and waits until it is ready.
func (p *program) start() {
	p.t.Helper()
	var err error
	if p.server, err = launch(p.command("serve", "--data", "data", "--listen", "127.0.0.1:0")); err != nil {
		p.t.Fatal(err)
	}
	if p.server.key != "" {
		p.admin = p.server.key
	}
	if err := p.server.awaitReady(time.Minute); err != nil {
		p.t.Fatal(err)
	}
}

// kill ends the server as a crash would.
func (p *program) kill() {
	p.server.end(syscall.SIGKILL)
	p.server = nil
}

// counted is how many events the warehouse has.
func (p *program) counted() (n int) {
	fields := strings.Fields(p.run("sql", "--format", "csv", "SELECT count(*) AS n FROM events"))
	_, _ = fmt.Sscan(fields[len(fields)-1], &n)
	return n
}

// awaitCount waits until the warehouse has n events.
func (p *program) awaitCount(n int, patience time.Duration) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); p.counted() < n; time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			p.t.Fatalf("the warehouse has %d events after %v, not yet %d", p.counted(), patience, n)
		}
	}
}
