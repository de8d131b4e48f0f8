// Package sdk holds the built browser script, dist/cx.js. It is built from
// src/ by npm and not kept in git.
package sdk

import (
	"embed"
	"io/fs"
)

//go:embed all:dist
var dist embed.FS

// Files holds cx.js; it is empty when the script has not been built, which
// `make build` does.
func Files() fs.FS {
	files, err := fs.Sub(dist, "dist")
	if err != nil {
		panic(err) // the name is fixed and valid
	}
	return files
}
