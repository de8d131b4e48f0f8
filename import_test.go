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
	for n := 0; n < 100_000; n = p.counted() {
		time.Sleep(50 * time.Millisecond)
	}
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
	req, err := http.NewRequestWithContext(p.t.Context(), http.MethodGet, p.address+"/api/v1/customers/"+customer, http.NoBody)
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
	t       *testing.T
	dir     string
	server  *exec.Cmd
	address string
	admin   string
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
	self, err := os.Executable()
	if err != nil {
		p.t.Fatal(err)
	}
	c := exec.CommandContext(p.t.Context(), self, args...)
	c.Args[0], c.Dir = "kikubari", p.dir
	c.Env = append(os.Environ(), "TESTSCRIPT_COMMAND=kikubari", "KIKUBARI_SERVER="+p.address, "KIKUBARI_KEY="+p.admin)
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

func (p *program) start() {
	p.t.Helper()
	log, err := os.OpenFile(filepath.Join(p.dir, "serve.log"), os.O_CREATE|os.O_TRUNC|os.O_RDWR, 0o600)
	if err != nil {
		p.t.Fatal(err)
	}
	defer log.Close()
	p.server = p.command("serve", "--data", "data", "--listen", "127.0.0.1:0")
	p.server.Stdout = log
	if err := p.server.Start(); err != nil {
		p.t.Fatal(err)
	}
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(20 * time.Millisecond) {
		said, err := os.ReadFile(log.Name())
		if err != nil || time.Now().After(deadline) {
			p.t.Fatalf("the server does not start: %v\n%s", err, said)
		}
		if key := saysAdmin.Find(said); key != nil {
			p.admin = string(key)
		}
		if m := saysServes.FindSubmatch(said); m != nil {
			p.address = string(m[1])
			break
		}
	}
	for p.status("/readyz") != http.StatusOK {
		time.Sleep(20 * time.Millisecond)
	}
}

// kill ends the server as a crash would.
func (p *program) kill() {
	if p.server == nil {
		return
	}
	_ = p.server.Process.Kill()
	_ = p.server.Wait() // it was killed
	p.server = nil
}

func (p *program) status(path string) int {
	res, err := http.Get(p.address + path)
	if err != nil {
		return 0
	}
	_ = res.Body.Close()
	return res.StatusCode
}

// counted is how many events the warehouse has.
func (p *program) counted() (n int) {
	fields := strings.Fields(p.run("sql", "--format", "csv", "SELECT count(*) AS n FROM events"))
	_, _ = fmt.Sscan(fields[len(fields)-1], &n)
	return n
}
