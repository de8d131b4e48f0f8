package main

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The moments at which the chaos build kills itself, how often each is drawn, and
// how often the program may pass one before it dies.
var moments = []struct {
	name           string
	weight, passes int
}{
	{"append.before", 2, 300},
	{"append.after", 2, 300},
	{"checkpoint.before", 2, 2},
	{"checkpoint.inside", 4, 8},
	{"checkpoint.after", 2, 2},
	{"warehouse.before", 2, 2},
	{"warehouse.inside", 4, 4},
	{"warehouse.after", 2, 2},
	{"archive.before", 1, 3},
	{"archive.inside", 2, 3},
	{"archive.after", 2, 3},
	{"merge.inside", 4, 40},
	{"tick.before", 2, 2},
	{"tick.inside", 2, 2},
}

// draw returns a moment and a pass, as KIKUBARI_FAULT names them.
func draw(r *rand.Rand) string {
	all := 0
	for _, m := range moments {
		all += m.weight
	}
	at := r.IntN(all)
	for _, m := range moments {
		if at -= m.weight; at < 0 {
			return fmt.Sprintf("%s:%d", m.name, 1+r.IntN(m.passes))
		}
	}
	panic("the weights do not add up")
}

// TestChaos kills the program with SIGKILL under load, at moments inside append,
// checkpoint, warehouse commit, archiving, merge and tick, and starts it again.
// The journal is so small that it is archived and trimmed all the time. In the end
// every event is stored exactly once, every decision that was answered is the one
// that a replay makes, and the state is, byte for byte, the one computed from
// archive and journal alone, on one core and on two.
//
// A round is one kill, with recovery and load after it. CHAOS_ROUNDS says how
// many there are, 30 unless given. The moments follow from the seed, which is
// printed and can be given as CHAOS_SEED.
func TestChaos(t *testing.T) {
	if testing.Short() {
		t.Skip("thirty kills are not short")
	}
	rounds, err := strconv.Atoi(os.Getenv("CHAOS_ROUNDS"))
	if err != nil {
		rounds = 30
	}
	seed, err := strconv.ParseUint(os.Getenv("CHAOS_SEED"), 10, 64)
	if err != nil {
		seed = rand.Uint64()
	}
	t.Logf("seed %d, %d rounds", seed, rounds)
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("the same moments again: make chaos ROUNDS=%d SEED=%d", rounds, seed)
		}
	})
	c, r, kills, began := newTrial(t), rand.New(rand.NewPCG(seed, 0)), map[string]int{}, time.Now()
	c.pace = 10 * time.Millisecond // what a thousand kills leave must be read again in the end
	c.settings = append(c.settings, "archive.every=200ms", "journal.max_mb=2")
	c.start("")
	unload := c.load(seed, 8)
	defer unload()
	c.stop()
	for round := 1; round <= rounds; round++ {
		fault := draw(r)
		c.start(fault)
		if !c.awaitDeath(30 * time.Second) {
			t.Fatalf("round %d: the moment %s did not come within 30 s", round, fault)
		}
		name, _, _ := strings.Cut(fault, ":")
		kills[name]++
		if round%25 == 0 && round < rounds {
			c.start("")
			c.verifyStored(false)
			c.stop()
			t.Logf("round %d of %d after %v: %d events acknowledged, all of them stored once", round, rounds, time.Since(began).Round(time.Second), c.acked.Load())
		}
	}
	c.start("")
	c.conclude(unload)
	stat, err := exec.Command(c.binary, "journal", "stat", "--json", "--data", c.data).Output()
	if err != nil || strings.Contains(string(stat), `{"journal":{"first":1,`) {
		t.Errorf("the journal was never trimmed (%v): %s", err, stat)
	}
	for _, name := range slices.Sorted(maps.Keys(kills)) {
		t.Logf("killed at %-18s %4d times", name, kills[name])
	}
	t.Logf("%d kills in %v; %d events acknowledged, %d decisions answered", rounds, time.Since(began).Round(time.Second), c.acked.Load(), len(c.decided))
	if c.acked.Load() < int64(20*rounds) || len(c.decided) < 2*rounds {
		t.Errorf("too little happened to prove anything")
	}
}
