// Package api is the HTTP side of the program: the front door that takes events
// in, and our own API under /api/v1 with health, readiness and metrics.
//
// Handlers are thin: they find out who is asking, read the input, ask one of
// the small interfaces declared here, and answer. Every failure goes through
// one table from cx.Kind to HTTP status, in errors.go. The routes of /api/v1
// are declared once, and that declaration is also the OpenAPI document and the
// check of who may use them.
package api
