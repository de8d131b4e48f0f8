//go:build chaos

package fault

import (
	"errors"
	"fmt"
	"math"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

var targets = mustParse(os.Getenv(Variable))

// spot is a point and what happens there: the end at a pass, counted from 1, a
// delay at the first so many, or a wait for a file.
type spot struct {
	point  string
	pass   uint64
	delay  time.Duration
	slow   uint64
	file   string
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
		for s.file != "" && !exists(s.file) {
			time.Sleep(5 * time.Millisecond)
		}
	}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
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

// parse reads what KIKUBARI_FAULT says; "" is no fault.
func parse(text string) (spots []*spot, err error) {
	if text == "" {
		return nil, nil
	}
	for one := range strings.SplitSeq(text, ",") {
		point, what, _ := strings.Cut(one, ":")
		s := &spot{point: point}
		if err := s.parse(what); err != nil || point == "" {
			return nil, fmt.Errorf("%s: %q: want point:pass, as in append.before:17, point:delay=duration or point:delay=duration*passes, or point:until=file", Variable, one)
		}
		spots = append(spots, s)
	}
	return spots, nil
}

var errNothing = errors.New("nothing would happen")

// parse reads what happens at the point.
func (s *spot) parse(what string) (err error) {
	name, value, _ := strings.Cut(what, "=")
	switch name {
	case "until":
		s.file = value
	case "delay":
		span, times, limited := strings.Cut(value, "*")
		s.slow = math.MaxUint64
		if limited {
			if s.slow, err = strconv.ParseUint(times, 10, 64); err != nil {
				return err
			}
		}
		s.delay, err = time.ParseDuration(span)
	default:
		s.pass, err = strconv.ParseUint(what, 10, 64)
	}
	if err == nil && s.file == "" && s.delay <= 0 && s.pass == 0 {
		err = errNothing
	}
	return err
}

func mustParse(text string) []*spot {
	spots, err := parse(text)
	if err != nil {
		panic(err)
	}
	return spots
}
