// Package console holds the pages with which people look at a running program.
package console

import (
	"embed"
	"io/fs"
)

//go:embed status
var files embed.FS

// Status holds the status page, to be served under /status: who is here, each
// customer's story, and why each decision was made. It asks /api/v1 of the same
// host with a key that its reader gives it, and works under a
// Content-Security-Policy of default-src 'self' with trusted types required.
func Status() fs.FS {
	fsys, err := fs.Sub(files, "status")
	if err != nil {
		panic(err) // the name is fixed and valid
	}
	return fsys
}
