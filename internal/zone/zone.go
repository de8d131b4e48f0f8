// Package zone holds the time zone database. Calendar days, weeks and months
// must be the same on every machine and on every replay, so the zone files of
// the operating system, which differ in age, are not used.
//
// zoneinfo.zip is the IANA time zone database, which is in the public domain,
// as Go distributes it in lib/time. A newer one may change past decisions where
// a country has changed its rules: it belongs into the changelog.
package zone

import (
	"archive/zip"
	"bytes"
	_ "embed"
	"fmt"
	"io"
	"sync"
	"time"
)

//go:embed zoneinfo.zip
var database []byte

var files = sync.OnceValue(func() map[string]*zip.File {
	r, err := zip.NewReader(bytes.NewReader(database), int64(len(database)))
	if err != nil {
		panic("zone: the embedded database is broken: " + err.Error())
	}
	m := make(map[string]*zip.File, len(r.File))
	for _, f := range r.File {
		m[f.Name] = f
	}
	return m
})

// Load returns the zone with an IANA name such as "Asia/Tokyo". "UTC" is
// always known; "" and "Local" are not names of zones.
func Load(name string) (*time.Location, error) {
	if name == "UTC" {
		return time.UTC, nil
	}
	f := files()[name]
	if f == nil {
		return nil, fmt.Errorf("there is no time zone %q", name)
	}
	r, err := f.Open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	return time.LoadLocationFromTZData(name, data)
}
