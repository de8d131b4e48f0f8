package pipeline

import "github.com/kikubari/kikubari/internal/cx"

// Activity is one event, told to those who watch live.
type Activity struct {
	Workspace cx.Workspace
	Position  cx.Position
	Customer  cx.CustomerID
	At        cx.Instant // log time
	Name      cx.EventName
	Session   uint32
	Decision  cx.DecisionID // 0 when nothing was decided
	Entered   []string      // segments
}

// Watcher is told what happens as it happens. Both methods are called by the
// lanes and must never wait.
type Watcher interface {
	Watched() bool // whether anybody looks; if not, nothing is told
	Tell(Activity)
}

// nobody watches.
type nobody struct{}

func (nobody) Watched() bool { return false }
func (nobody) Tell(Activity) {}
