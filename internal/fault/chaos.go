//go:build chaos

package fault

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

var targets = mustParse(os.Getenv(Variable))

// spot is a point and what happens there: the end at a pass, counted from 1, or
// a delay at every pass.
type spot struct {
	point  string
	pass   uint64
	delay  time.Duration
	passes atomic.Uint64
}

// Point does what KIKUBARI_FAULT says about the point. It may be called from many
// goroutines.
func Point(name string) {
	for _, s := range targets {
		if s.point != name {
			continue
		}
		if s.passes.Add(1) == s.pass {
			die()
		}
		time.Sleep(s.delay)
	}
}

// die does not return: no other goroutine's progress may hide the moment.
func die() {
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		panic(fmt.Sprintf("fault: cannot kill this process: %v", err))
	}
	select {}
}

// parse reads "point:pass" and "point:delay=duration", with commas between
// several; "" is no fault.
func parse(text string) (spots []*spot, err error) {
	if text == "" {
		return nil, nil
	}
	for one := range strings.SplitSeq(text, ",") {
		s := &spot{}
		point, what, ok := strings.Cut(one, ":")
		if delay, found := strings.CutPrefix(what, "delay="); found {
			s.delay, err = time.ParseDuration(delay)
			ok = ok && s.delay > 0
		} else {
			s.pass, err = strconv.ParseUint(what, 10, 64)
			ok = ok && s.pass > 0
		}
		if !ok || point == "" || err != nil {
			return nil, fmt.Errorf("%s: %q: want point:pass with a pass of 1 or more, as in append.before:17, or point:delay=duration, as in append.before:delay=200ms", Variable, one)
		}
		s.point = point
		spots = append(spots, s)
	}
	return spots, nil
}

func mustParse(text string) []*spot {
	spots, err := parse(text)
	if err != nil {
		panic(err)
	}
	return spots
}
