//go:build chaos

package fault

import (
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

var targets = mustParse(os.Getenv(Variable))

// spot is a point and what happens there: the end at a pass, counted from 1, or
// a delay at the first so many.
type spot struct {
	point  string
	pass   uint64
	delay  time.Duration
	slow   uint64
	passes atomic.Uint64
}

// Point does what KIKUBARI_FAULT says about the point. It may be called from many
// goroutines.
func Point(name string) {
	for _, s := range targets {
		if s.point != name {
			continue
		}
		pass := s.passes.Add(1)
		if pass == s.pass {
			die()
		}
		if pass <= s.slow {
			time.Sleep(s.delay)
		}
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

// parse reads "point:pass", "point:delay=duration" and
// "point:delay=duration*passes", with commas between several; "" is no fault.
func parse(text string) (spots []*spot, err error) {
	if text == "" {
		return nil, nil
	}
	for one := range strings.SplitSeq(text, ",") {
		s := &spot{}
		point, what, ok := strings.Cut(one, ":")
		if delay, found := strings.CutPrefix(what, "delay="); found {
			span, times, limited := strings.Cut(delay, "*")
			s.slow = math.MaxUint64
			if limited {
				s.slow, err = strconv.ParseUint(times, 10, 64)
			}
			if err == nil {
				s.delay, err = time.ParseDuration(span)
			}
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
