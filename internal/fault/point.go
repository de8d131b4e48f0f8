//go:build !chaos

package fault

import "time"

// Point does nothing in this build.
func Point(string) {}

// Now is time.Now in this build.
func Now() time.Time { return time.Now() }
