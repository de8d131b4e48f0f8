package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humago"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/cx"
)

// personFormat is the format of what exportPerson writes.
const personFormat = 1

type personInput struct {
	CustomerInput
	Why string `query:"why" maxLength:"500" doc:"Why, for the record of changes"`
}

// exportPerson streams everything that is kept about a person as one JSON
// object, and keeps who asked for it.
func (a *API) exportPerson(ctx context.Context, in *personInput) (*huma.StreamResponse, error) {
	w, id, err := a.who(ctx, &in.CustomerInput)
	if err != nil {
		return nil, err
	}
	c, err := a.customers.Customer(ctx, w, id)
	if err != nil {
		return nil, err
	}
	c.fill()
	c.Traits, c.Consent, c.Statistics, c.Ledger = some(c.Traits), some(c.Consent), some(c.Statistics), some(c.Ledger)
	root, ok := cx.ParseCustomerID(c.ID)
	if !ok {
		root = id
	}
	note := access.Change{At: a.now(), Workspace: w, Who: callerOf(ctx).key.ID, Why: in.Why, What: "export the data of customer " + c.ID}
	if err := a.store.Apply(ctx, access.Update{Change: note}); err != nil {
		return nil, err
	}
	return &huma.StreamResponse{Body: func(hc huma.Context) { //nolint:contextcheck // hc carries the request's context
		_, out := humago.Unwrap(hc)
		out.Header().Set("Content-Type", "application/json; charset=utf-8")
		out.Header().Set("Content-Disposition", `attachment; filename="`+c.ID+`.json"`)
		out.WriteHeader(http.StatusOK)
		if err := a.writePerson(hc.Context(), out, w, root, &c); err != nil {
			// The status has gone out: a torn connection is how the client is told.
			a.log.ErrorContext(hc.Context(), "an export was broken off", slog.Any("error", err))
			panic(http.ErrAbortHandler)
		}
	}}, nil
}

// writePerson writes the whole object.
func (a *API) writePerson(ctx context.Context, out io.Writer, w cx.Workspace, id cx.CustomerID, c *Customer) error {
	buffer := bufio.NewWriterSize(out, 64<<10)
	member := func(name string, v any) error {
		b, err := json.Marshal(v)
		if err == nil {
			_, err = buffer.WriteString(",\n\"" + name + "\": " + string(b))
		}
		return err
	}
	if _, err := fmt.Fprintf(buffer, "{\"format\": %d", personFormat); err != nil {
		return err
	}
	for _, m := range []struct {
		name  string
		value any
	}{{"exported_at", TimeOf(a.now())}, {"workspace", string(w)}, {"customer", c}} {
		if err := member(m.name, m.value); err != nil {
			return err
		}
	}
	tables := tableWriter{out: buffer, left: a.history.PersonTables()}
	if err := a.history.Person(ctx, w, id, tables.row); err != nil {
		return err
	}
	for len(tables.left) > 0 || tables.open {
		tables.next()
	}
	buffer.WriteString("\n}\n") //nolint:errcheck // Flush returns the first error
	return buffer.Flush()
}

// tableWriter writes rows as members of an object, each an array, in order. An
// error stays in out until it is flushed.
type tableWriter struct {
	out  *bufio.Writer
	left []string // tables to come
	name string   // of the open table
	open bool
	rows int // in it
}

// next ends the open table and begins the next one, if there is one.
func (t *tableWriter) next() {
	if t.open {
		t.out.WriteString("]") //nolint:errcheck // see tableWriter
		t.open = false
	}
	if len(t.left) == 0 {
		return
	}
	t.name, t.left, t.open, t.rows = t.left[0], t.left[1:], true, 0
	t.out.WriteString(",\n\"" + t.name + "\": [") //nolint:errcheck // see tableWriter
}

func (t *tableWriter) row(table string, row json.RawMessage) error {
	for (!t.open || t.name != table) && (len(t.left) > 0 || t.open) {
		t.next()
	}
	if t.rows > 0 {
		t.out.WriteString(",") //nolint:errcheck // see tableWriter
	}
	t.rows++
	t.out.WriteString("\n") //nolint:errcheck // see tableWriter
	_, err := t.out.Write(row)
	return err
}
