// Package demo holds the demo shop, a small site that shows Kikubari at work,
// and the definitions of the workspace "demo" that it talks to.
package demo

import (
	"embed"
	"io/fs"
)

// WriteKey is the browser key that the shop's pages carry.
const WriteKey = "demo"

//go:embed shop all:definitions
var files embed.FS

// Shop holds the pages of the shop, to be served under /shop/. They load the
// SDK from /sdk/cx.js of the same host and work under a Content-Security-Policy
// of default-src 'self' with trusted types required.
func Shop() fs.FS { return sub("shop") }

// Definitions holds the YAML files of the workspace.
func Definitions() fs.FS { return sub("definitions") }

func sub(name string) fs.FS {
	fsys, err := fs.Sub(files, name)
	if err != nil {
		panic(err) // the names are fixed and valid
	}
	return fsys
}
