package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"time"
)

// ticksPerSecond is the unit of CPU time in /proc: USER_HZ, 100 on every Linux.
const ticksPerSecond = 100

// usage is what a process has used.
type usage struct {
	cpu  time.Duration // user and system time of all its threads
	rss  int64         // resident memory now, bytes
	peak int64         // the most it has been
}

// usageOf reads /proc, so it works on Linux only.
func usageOf(pid int) (u usage, err error) {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return u, err
	}
	if u.cpu, err = cpuTime(stat); err != nil {
		return u, err
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return u, err
	}
	u.rss, u.peak = statusBytes(status, "VmRSS:"), statusBytes(status, "VmHWM:")
	return u, nil
}

// cpuTime adds fields 14 and 15 of /proc/PID/stat; the second field, the name
// in brackets, may hold spaces.
func cpuTime(stat []byte) (time.Duration, error) {
	fields := bytes.Fields(stat[bytes.LastIndexByte(stat, ')')+1:])
	if len(fields) < 13 {
		return 0, fmt.Errorf("/proc stat: %.60q", stat)
	}
	user, err := strconv.ParseInt(string(fields[11]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc stat: %w", err)
	}
	system, err := strconv.ParseInt(string(fields[12]), 10, 64)
	if err != nil {
		return 0, fmt.Errorf("/proc stat: %w", err)
	}
	return time.Duration(user+system) * time.Second / ticksPerSecond, nil
}

// statusBytes reads a line such as "VmRSS:   12345 kB"; 0 when it is missing.
func statusBytes(status []byte, name string) int64 {
	_, rest, _ := bytes.Cut(status, []byte(name))
	line, _, _ := bytes.Cut(rest, []byte("\n"))
	fields := bytes.Fields(line)
	if len(fields) == 0 {
		return 0
	}
	kb, err := strconv.ParseInt(string(fields[0]), 10, 64)
	if err != nil {
		return 0
	}
	return kb << 10
}
