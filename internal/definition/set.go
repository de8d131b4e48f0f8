package definition

import (
	"time"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/decide"
	"github.com/kikubari/kikubari/internal/segment"
	"github.com/kikubari/kikubari/internal/template"
)

// Set is one published set of definitions, compiled. It is immutable.
type Set struct {
	Sequence  uint64 // number of the publication, ascending for ever
	Workspace cx.Workspace
	Settings  Settings
	Segments  *segment.Set
	Offer     *decide.Offer  // the enabled actions; Offer.Names() is what traces count in
	Policy    *decide.Policy // never nil

	Destinations []Endpoint // by name

	Statistics []SlotSpec // what profile has to keep, by slot
	Values     []Value    // named expressions, by name
	Documents  []Document // what the set was built from, by kind and name
	Warnings   []Problem  // what is odd but not wrong
}

// Settings are what the workspace document says.
type Settings struct {
	Zone       *time.Location
	Currency   cx.Currency
	Language   template.Language // for people whose locale is not known
	Allowed    []cx.Purpose      // consent until a person says otherwise, in the order of cx.Purposes
	Categories []Category        // by name
	Redact     []string          // dotted paths of properties and names of query parameters, sorted
	MergeOn    []cx.Namespace    // weak identities that may merge customers, ascending
	Batching   bool              // tells clients to send events in batches
}

// Category says which purpose one of the site's consent categories stands for.
type Category struct {
	Name    string
	Purpose cx.Purpose
}

// SlotSpec is a statistic and its slot.
type SlotSpec struct {
	Slot int
	Spec cx.StatisticSpec
}

// Value is a named expression and its source.
type Value struct {
	Name   string
	Source string
}
