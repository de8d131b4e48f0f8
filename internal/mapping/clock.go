package mapping

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// clock reads the time of a record.
type clock struct {
	value  text
	layout string // Go's; "" tries the usual ones
	unix   string // unix or unix_ms: a number
	zone   *time.Location
	zoned  bool   // the mapping names a zone
	lucky  string // the usual layout that fitted last
}

// usual are the layouts that are known without being told. Those in which day
// and month could be confused are not among them.
var usual = []string{
	"2006-01-02 15:04:05", time.RFC3339, "2006-01-02T15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02",
	"2006-01-02 15:04:05Z07:00", "2006-01-02 15:04:05 -0700",
	"2006/1/2 15:04:05", "2006/1/2 15:04", "2006/1/2", "20060102150405", "20060102",
}

// read returns the time that s says.
func (c *clock) read(s string) (time.Time, error) {
	if c.unix != "" {
		n, err := strconv.ParseInt(s, 10, 64)
		if err != nil {
			return time.Time{}, fmt.Errorf("%q is no number of seconds", s)
		}
		if c.unix == "unix_ms" {
			return time.UnixMilli(n), nil
		}
		return time.Unix(n, 0), nil
	}
	if c.layout != "" {
		t, err := time.ParseInLocation(c.layout, s, c.zone)
		if err != nil {
			return t, fmt.Errorf("%q is not written as the layout says", s)
		}
		return t, nil
	}
	if c.lucky != "" {
		if t, err := time.ParseInLocation(c.lucky, s, c.zone); err == nil {
			return t, nil
		}
	}
	for _, layout := range usual {
		if t, err := time.ParseInLocation(layout, s, c.zone); err == nil {
			c.lucky = layout
			return t, nil
		}
	}
	return time.Time{}, fmt.Errorf("%q is no time that is understood by itself; add a layout, such as layout: \"%%d/%%m/%%Y %%H:%%M\"", s)
}

// directives are strftime's, as Go writes them. Days, months and hours may come
// without a leading zero.
var directives = map[byte]string{
	'Y': "2006", 'y': "06", 'm': "1", 'd': "2", 'e': "2", 'H': "15", 'I': "3", 'M': "4", 'S': "5", 'p': "PM",
	'b': "Jan", 'B': "January", 'a': "Mon", 'A': "Monday", 'z': "-0700", 'Z': "MST", 'f': "000000", '%': "%",
}

// layoutOf turns a layout of strftime into Go's.
func layoutOf(s string) (string, error) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '%' {
			b.WriteByte(s[i])
			continue
		}
		i++
		if i == len(s) || directives[s[i]] == "" {
			return "", fmt.Errorf("%q: after %% stands one of Y y m d e H I M S p b B a A z Z f", s)
		}
		b.WriteString(directives[s[i]])
	}
	if !strings.Contains(s, "%") {
		return "", fmt.Errorf("%q has no %%; write it as %%Y-%%m-%%d %%H:%%M:%%S, or unix or unix_ms for a number", s)
	}
	return b.String(), nil
}
