package bench

import (
	"fmt"
	"os"
	"slices"
	"time"
)

// Mode is what is measured.
type Mode string

// The modes.
const (
	Closed Mode = "closed" // each connection sends when it was answered: what the server can take
	Open   Mode = "open"   // requests come on a schedule: how long an answer takes
	Memory Mode = "memory" // fill with customers of ten events each: what they weigh
	Replay Mode = "replay" // kill at full load: how long until the server is back
	Rules  Mode = "rules"  // in this process: segments and actions for one event
	Floor  Mode = "floor"  // append and fdatasync, no server: what the disk allows

	Backfill Mode = "backfill" // ask for statistics that nobody kept: how fast the log is folded
)

// Modes lists every mode.
var Modes = []Mode{Closed, Open, Memory, Replay, Rules, Floor, Backfill}

// Options say what to measure. The zero value of a field takes the default that
// is given with it.
type Options struct {
	Mode Mode // Closed

	// A running server; "" starts one. Only the loopback interface makes sense.
	Target string // host:port
	Key    string // write key for the target
	Admin  string // read or admin key for the target, to ask what is stored; "" does not ask
	PID    int    // of the target, to read its CPU time and memory; 0 does not read

	// A server of our own.
	Binary string   // the program; this one
	Args   []string // more arguments of serve
	Data   string   // its directory; a temporary one, removed at the end

	Connections int           // 32; 64 when open
	Batch       int           // events a request; 50, and 1 when open
	Rate        float64       // open: requests a second; 2000. backfill: the same beside a second one; 0 is none
	Events      int           // backfill: how many there are to fold; 1,000,000
	Duration    time.Duration // measured time; 30 s, replay 20 s, floor 5 s, rules 2 s
	WarmUp      time.Duration // before it; 5 s, negative for none
	Customers   int           // 1,000,000; 2,000 for rules
	Seed        uint64        // of the visitors; 1
	Actions     bool          // ask for the decision in the answer (?actions=1), with a browser key
	WithFloor   bool          // measure the disk as well, just before
	JSON        bool          // write one line of JSON instead of a table
}

// withDefaults fills in what was left out, and refuses what cannot be.
func (o Options) withDefaults() (Options, error) {
	if o.Mode == "" {
		o.Mode = Closed
	}
	standard(&o.Connections, map[Mode]int{Open: 64}[o.Mode], 32)
	standard(&o.Batch, map[Mode]int{Open: 1}[o.Mode], 50)
	standard(&o.Customers, map[Mode]int{Rules: 2000}[o.Mode], 1_000_000)
	standard(&o.Events, 0, 1_000_000)
	if o.Mode != Backfill {
		standard(&o.Rate, 0, 2000)
	}
	standard(&o.Seed, 0, 1)
	standard(&o.Duration, map[Mode]time.Duration{Replay: 20 * time.Second, Rules: 2 * time.Second, Floor: 5 * time.Second}[o.Mode], 30*time.Second)
	standard(&o.WarmUp, 0, 5*time.Second)
	o.WarmUp = max(o.WarmUp, 0)
	if o.Binary == "" {
		own, err := os.Executable()
		if err != nil {
			return o, fmt.Errorf("find the program to measure: %w", err)
		}
		o.Binary = own
	}
	return o, o.check()
}

// standard sets *v to the first of its standards that is not zero.
func standard[T int | uint64 | float64 | time.Duration](v *T, first, second T) {
	if *v == 0 {
		*v = first
	}
	if *v == 0 {
		*v = second
	}
}

func (o *Options) check() error {
	switch {
	case o.Connections < 0 || o.Connections > 10_000:
		return fmt.Errorf("%d connections: use 1 to 10000", o.Connections)
	case o.Batch < 0 || o.Batch > 500:
		return fmt.Errorf("batches of %d events: use 1 to 500, a request may have 500 KB", o.Batch)
	case o.Events < 0 || o.Mode == Backfill && o.Events < o.Connections*o.Batch:
		return fmt.Errorf("%d events: send at least one batch of %d over each of %d connections", o.Events, o.Batch, o.Connections)
	case o.Rate < 0 || o.Duration < 0:
		return fmt.Errorf("rate %v, duration %v: neither can be negative", o.Rate, o.Duration)
	case o.Customers < 0 || o.Customers > 1<<31:
		return fmt.Errorf("%d customers: use 1 to two thousand million", o.Customers)
	case o.Actions && o.Batch != 1:
		return fmt.Errorf("with actions a request has one event; use a batch of 1, not %d", o.Batch)
	case o.Target != "" && o.Key == "":
		return fmt.Errorf("give the write key of %s", o.Target)
	case o.Target != "" && o.Mode != Closed && o.Mode != Open:
		return fmt.Errorf("%s measures a server of its own and takes no target", o.Mode)
	}
	if slices.Contains(Modes, o.Mode) {
		return nil
	}
	return fmt.Errorf("mode %q: use one of %v", o.Mode, Modes)
}
