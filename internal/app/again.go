package app

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/kikubari/kikubari/internal/access"
	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

// ReadErasures reads receipts of erasures from a file: what kikubari erasures has
// printed, or a control.db. Kind Invalid when it is neither.
func ReadErasures(ctx context.Context, path string) ([]sqlite.Erasure, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	if bytes.HasPrefix(b, []byte("SQLite format 3\x00")) {
		return erasuresOf(ctx, path)
	}
	var printed struct {
		Erasures *[]api.Erasure `json:"erasures"`
		api.Erasure
	}
	if err := json.Unmarshal(b, &printed); err != nil || printed.Erasures == nil && printed.ID == "" {
		return nil, errors.Join(cx.E(cx.Invalid, "read erasures", path+" is neither what kikubari erasures prints nor a control.db"), err)
	}
	all := []api.Erasure{printed.Erasure}
	if printed.Erasures != nil {
		all = *printed.Erasures
	}
	out := make([]sqlite.Erasure, len(all))
	for i := range all {
		if out[i], err = erasureOf(&all[i]); err != nil {
			return nil, cx.E(cx.Invalid, "read erasures", fmt.Sprintf("%s: erasure %q: %v", path, all[i].ID, err))
		}
	}
	return out, nil
}

// erasuresOf reads a control.db, whose program need not be able to run any more,
// and leaves it as it is.
func erasuresOf(ctx context.Context, path string) (all []sqlite.Erasure, err error) {
	dir, err := os.MkdirTemp("", "kikubari-erasures-")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	copied := filepath.Join(dir, "control.db")
	if err := sqlite.CopyFile(ctx, path, copied); err != nil {
		return nil, err
	}
	control, err := sqlite.OpenControl(ctx, copied)
	if err != nil {
		return nil, err
	}
	all, err = control.Erasures(ctx, access.Everywhere, "", 1<<20)
	return all, errors.Join(err, control.Close())
}

// erasureOf reads a receipt as far as it says whom to erase.
func erasureOf(r *api.Erasure) (e sqlite.Erasure, err error) {
	e = sqlite.Erasure{ID: r.ID, Workspace: cx.Workspace(r.Workspace), Who: cx.KeyID(r.Who)}
	asked, err := time.Parse(time.RFC3339Nano, string(r.AskedAt))
	if err != nil {
		return e, err
	}
	e.AskedAt = cx.InstantOf(asked)
	for _, text := range r.Customers {
		id, ok := cx.ParseCustomerID(text)
		if !ok {
			return e, fmt.Errorf("%q is no customer's id", text)
		}
		e.Customers = append(e.Customers, id)
	}
	ok := true
	if r.Position != "" {
		e.Position, ok = cx.ParsePosition(r.Position)
	}
	if !ok || e.ID == "" || len(e.Customers) == 0 {
		return e, errors.New("it is not whole")
	}
	return e, nil
}

// eraseAgain notes in a restored control.db, whose log ends with the record last,
// who was erased since the backup was made, and returns how many persons of those
// are in it. The program erases them when it starts.
func eraseAgain(ctx context.Context, path string, all []sqlite.Erasure, last uint64) (persons int, err error) {
	if len(all) == 0 {
		return 0, nil
	}
	control, err := sqlite.OpenControl(ctx, path)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, control.Close()) }()
	known, err := control.Erasures(ctx, access.Everywhere, "", 1<<20)
	if err != nil {
		return 0, err
	}
	for _, e := range all {
		if slices.ContainsFunc(known, func(k sqlite.Erasure) bool { return k.ID == e.ID }) {
			continue
		}
		e = sqlite.Erasure{ID: e.ID, Workspace: e.Workspace, Customers: e.Customers, Who: e.Who, AskedAt: e.AskedAt, Position: e.Position}
		if e.Position == 0 || e.Position.Sequence() > last { // the log does not have the command
			e.Position, e.Again = 0, true
			e.Customers = slices.DeleteFunc(slices.Clone(e.Customers), func(id cx.CustomerID) bool { return id.Position().Sequence() > last })
		}
		if len(e.Customers) == 0 {
			continue // they came after the backup
		}
		if err := control.AddErasure(ctx, &e, nil); err != nil {
			return persons, err
		}
		persons++
	}
	return persons, nil
}
