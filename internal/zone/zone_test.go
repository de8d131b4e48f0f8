package zone

import (
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	for name, want := range map[string]struct{ winter, summer int }{
		"Asia/Tokyo": {9, 9}, "Europe/London": {0, 1}, "America/New_York": {-5, -4}, "UTC": {0, 0},
	} {
		z, err := Load(name)
		if err != nil {
			t.Fatal(err)
		}
		if z.String() != name {
			t.Errorf("%s calls itself %s", name, z)
		}
		for month, hours := range map[time.Month]int{time.January: want.winter, time.July: want.summer} {
			if _, offset := time.Date(2026, month, 15, 12, 0, 0, 0, z).Zone(); offset != hours*3600 {
				t.Errorf("%s in %v is %d seconds from UTC, want %d hours", name, month, offset, hours)
			}
		}
	}
	for _, name := range []string{"", "Local", "Asia/Nowhere", "../etc/passwd"} {
		if _, err := Load(name); err == nil {
			t.Errorf("%q was taken for a zone", name)
		}
	}
}
