//go:build chaos

package fault

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
)

var (
	target = mustParse(os.Getenv(Variable))
	passes atomic.Uint64
)

// spot is the point to die at and the pass, counted from 1; pass 0 means never.
type spot struct {
	point string
	pass  uint64
}

// Point ends the process with SIGKILL when this is the pass of the point that
// KIKUBARI_FAULT names. It may be called from many goroutines.
func Point(name string) {
	if target.pass == 0 || name != target.point {
		return
	}
	if passes.Add(1) == target.pass {
		die()
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

// parse reads "point:pass"; "" is no fault.
func parse(s string) (spot, error) {
	if s == "" {
		return spot{}, nil
	}
	point, number, ok := strings.Cut(s, ":")
	pass, err := strconv.ParseUint(number, 10, 64)
	if !ok || point == "" || err != nil || pass == 0 {
		return spot{}, fmt.Errorf("%s=%q: want point:pass with a pass of 1 or more, as in append.before:17", Variable, s)
	}
	return spot{point, pass}, nil
}

func mustParse(s string) spot {
	t, err := parse(s)
	if err != nil {
		panic(err)
	}
	return t
}
