package journal

import "time"

// worthwhile is how many appends a commit must expect while it lingers. What a
// commit costs is shared by its appends, so waiting for a few of them makes each
// cheaper; waiting for one or two only makes them late.
const worthwhile = 8

// memory is over how long the rate of appends is averaged.
const memory = 20 * time.Millisecond

// pace knows how fast appends come. The committer alone uses it.
type pace struct {
	began time.Time // the last commit
	rate  float64   // appends a nanosecond
}

// begin counts the appends that a commit takes at its beginning.
func (p *pace) begin(now time.Time, appends int) {
	passed := float64(max(now.Sub(p.began), time.Microsecond))
	share := passed / (passed + float64(memory))
	p.rate += share * (float64(appends)/passed - p.rate)
	p.began = now
}

// wait is how long the next commit may wait for company, so that there are
// linger between two of them: no time at all unless enough appends are expected.
func (p *pace) wait(now time.Time, linger time.Duration) time.Duration {
	if p.rate*float64(linger) < worthwhile {
		return 0
	}
	return linger - now.Sub(p.began)
}
