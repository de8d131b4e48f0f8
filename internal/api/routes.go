package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Where our own API lives, and the longest body it takes, in bytes.
const (
	prefix  = "/api/v1"
	maxBody = 4 << 20
)

// metaNeed is the name under which an operation keeps what it asks of a key.
const metaNeed = "need"

// routes declares every route of /api/v1, once.
func (a *API) routes() {
	route(a, "GET /customers", toRead, "Customers seen last, newest first", a.recent)
	route(a, "GET /customers/{id}", toRead, "One customer as known now", a.customer)
	route(a, "GET /customers/lookup", toRead, "The customer whom an identity leads to now", a.find)
	route(a, "GET /customers/{id}/merges", toRead, "The merges that made a customer, with both as they were before", a.merges)
	route(a, "POST /customers/{id}/merge", toChange, "Make two customers one", a.merge)
	route(a, "POST /customers/{id}/unmerge", toChange, "Undo a merge: both are again, each with what was told by it since", a.unmerge)
	route(a, "GET /customers/quarantine", toRead, "Values seen on too many users, which link nobody any more", a.quarantined)
	route(a, "POST /customers/quarantine/release", toChange, "Make such a value an ordinary one again", a.release)
	route(a, "GET /customers/{id}/story", toRead, "What happened to a customer, newest first", a.story)
	route(a, "POST /customers/{id}/erase", toChange, "Forget a person", a.erase)
	route(a, "GET /erasures", toChange, "Who was forgotten, without saying who it was, newest first", a.listErasures)
	route(a, "GET /erasures/{id}", toChange, "The receipt of an erasure", a.erasure)
	route(a, "GET /customers/{id}/export", toChange, "Everything that is kept about a person", a.exportPerson, func(op *huma.Operation) {
		op.Responses = map[string]*huma.Response{"200": {
			Description: "One JSON object: format, exported_at, workspace, customer, and an array for each kind of row",
			Content:     map[string]*huma.MediaType{"application/json": {}},
		}}
	})
	route(a, "GET /decisions/{id}", toRead, "One decision and why", a.decision)
	route(a, "POST /sql", toRead, "Run one read-only statement over events and decisions", a.sql)
	route(a, "GET /status", toRead, "How the program is, and how far each stage is behind", a.status)
	route(a, "GET /refused", toRead, "Input that was refused or altered, masked, newest first", a.refused)
	route(a, "GET /imports/{job}", toSend, "How far the import of a file has come", a.imported)
	route(a, "GET /sends", toRead, "What is on its way to destinations, and what did not arrive", a.listSends)
	route(a, "POST /sends/pause", toChange, "Make no attempts until sends are resumed", a.pauseSends)
	route(a, "POST /sends/resume", toChange, "Go on sending", a.resumeSends)
	route(a, "POST /sends/retry", toChange, "Try what waits for its next attempt now", a.retrySends)
	route(a, "GET /destinations", toRead, "The published destinations, and how they do", a.destinations)
	route(a, "POST /destinations/{name}/secret", toChange, "Show what signs for a destination, or make it anew", a.secret)
	route(a, "GET /definitions", toRead, "Published sets, newest first", a.versions)
	route(a, "POST /definitions", toChange, "Publish a set: all of it, or nothing", a.publish, creates)
	route(a, "GET /backfills", toRead, "Statistics that a set asked for and that are not known yet", a.backfills)
	route(a, "GET /definitions/files", toRead, "A set as YAML files, which can be published again", a.export)
	route(a, "POST /definitions/diff", toRead, "What differs between two sets, or between a set and files", a.compare)
	route(a, "POST /definitions/rollback", toChange, "Publish an earlier set again, as a new one", a.rollback, creates)
	route(a, "GET /journal", toInstall, "How much there is in journal and archive", a.logStat)
	route(a, "GET /journal/entries", toInstall, "Entries of the log: the newest, or those behind a position", a.entries)
	route(a, "POST /journal/archive", toInstall, "Archive what the machine does not need any more", a.archive)
	route(a, "GET /workspaces", toRead, "The workspaces this key sees", a.workspaces)
	route(a, "POST /workspaces", toInstall, "Make a workspace", a.makeWorkspace, creates)
	route(a, "GET /keys", toChange, "The keys of a workspace, without their texts", a.listKeys)
	route(a, "POST /keys", toChange, "Make a key; its text is shown this once", a.makeKey, creates)
	route(a, "DELETE /keys/{id}", toChange, "Take a key back, for good", a.revokeKey)
	route(a, "GET /changes", toChange, "Who changed what and why, newest first", a.changes)
	route(a, "POST /backups", toInstall, "Back the data directory up into a directory of the server's machine", a.beginBackup, accepts)
	route(a, "GET /backups", toInstall, "How the last backup fares", a.backup)
	route(a, "GET /live", toRead, "What happens now, as server-sent events", a.live, func(op *huma.Operation) {
		schema := a.huma.OpenAPI().Components.Schemas.Schema(typeOf[Activity](), true, "Activity")
		op.Responses = map[string]*huma.Response{"200": {
			Description: "event: activity, with an Activity as data",
			Content:     map[string]*huma.MediaType{"text/event-stream": {Schema: schema}},
		}}
	})
}

// route declares one route: who may use it, what it is for, and the handler,
// whose errors go through the one table.
func route[I, O any](a *API, pattern string, n need, summary string, h func(context.Context, *I) (*O, error), more ...func(*huma.Operation)) {
	method, path := splitPattern(pattern)
	op := huma.Operation{
		OperationID: operationID(method, path), Method: method, Path: prefix + path, Summary: summary,
		Description:  "Needs " + n.describe() + ".",
		Metadata:     map[string]any{metaNeed: n},
		MaxBodyBytes: maxBody,
		Errors:       []int{http.StatusBadRequest, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable},
	}
	for _, f := range more {
		f(&op)
	}
	huma.Register(a.huma, op, func(ctx context.Context, in *I) (*O, error) {
		out, err := h(ctx, in)
		if err != nil {
			return nil, problem(ctx, a.log, err)
		}
		return out, nil
	})
}

// creates marks a route that answers 201.
func creates(op *huma.Operation) { op.DefaultStatus = http.StatusCreated }

// answer is what most routes give back.
type answer[T any] struct{ Body T }
