package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestClockJumps moves the wall clock, under load and idle, forth and back, also
// over a restart: log time never goes back, ticks and checkpoints go on, people
// are still answered, each timer fires once, and a replay gives the same.
func TestClockJumps(t *testing.T) {
	if testing.Short() {
		t.Skip("a program of its own is not short")
	}
	c := newTrial(t)
	file := filepath.Join(t.TempDir(), "clock")
	c.environ = []string{"KIKUBARI_CLOCK=" + file}
	jump := func(wrong string) {
		t.Helper()
		if err := os.WriteFile(file+".new", []byte(wrong), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(file+".new", file); err != nil {
			t.Fatal(err)
		}
	}
	alive := func() {
		t.Helper()
		said := c.actions()
		c.awaitAcked(200, 30*time.Second)
		c.awaitSaved()
		if c.actions() == said {
			t.Error("nobody is answered any more")
		}
	}
	jump("0s")
	c.start("")
	unload := c.load(5, 4)
	alive()
	unload()
	c.resend() // a day later nobody would know that it was there

	// Idle: the carts were forgotten a quarter of an hour ago, at once.
	jump("16m")
	forgotten := c.awaitForgotten(1)
	jump("-44m")
	c.awaitCondition(true, "ahead of this machine's clock")
	unload = c.load(6, 4) // log time stands still
	alive()
	if more := c.forgotten() - forgotten; more != 0 {
		t.Errorf("%d carts were forgotten although no time has passed", more)
	}
	jump("33m") // what was put into carts meanwhile is forgotten too
	c.awaitForgotten(forgotten + 1)
	alive()
	jump("24h")
	alive()
	jump("23h")
	alive()
	unload()
	c.resend()
	c.stop()
	c.start("")
	c.awaitCondition(true, "ahead of this machine's clock")
	unload = c.load(7, 4)
	alive()
	jump("25h")
	alive()
	if how := c.get("/readyz"); strings.Contains(how, "ahead") {
		t.Errorf("the clock has caught up, and /readyz says %s", how)
	}
	unload()
	c.awaitSaved()
	for what, query := range map[string]string{
		"log time went back between events": `
			select count(*) from (select recorded, lag(recorded) over (order by position) as before from events) where recorded < before`,
		"a segment was entered or left twice in a row": `
			select count(*) from (select entered, lag(entered) over (partition by customer, segment order by position, by_time desc) as before
			from segment_moves where customer not in (select winner from merges union select loser from merges)) where entered = before`,
		"an event was taken for an old one": `select count(*) from events where late`,
	} {
		if n := c.number(query); n != 0 {
			t.Errorf("%s: %d times", what, n)
		}
	}
	c.conclude(unload)
}

// actions is how many actions were answered so far.
func (c *trial) actions() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.said)
}

func (c *trial) number(query string) int {
	c.t.Helper()
	return int(c.query(query)[0][0].(float64))
}

// forgotten is how many carts were found to be forgotten because time passed.
func (c *trial) forgotten() int {
	c.t.Helper()
	return c.number("select count(*) from segment_moves where segment = 'forgotten-cart' and entered and by_time")
}

// awaitForgotten waits until so many were, and until no more come.
func (c *trial) awaitForgotten(want int) (n int) {
	c.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); ; pause(c.t.Context(), 1500*time.Millisecond) {
		before := n
		if n = c.forgotten(); n >= want && n == before {
			return n
		}
		if time.Now().After(deadline) {
			c.t.Fatalf("%d carts are forgotten, want %d and no more\n%s", n, want, c.get("/readyz"))
		}
	}
}
