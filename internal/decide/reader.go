package decide

import (
	"math"

	"github.com/kikubari/kikubari/internal/cx"
)

// reader takes a stored decision apart.
type reader struct{ cx.Reader }

func (r *reader) float() float64 { return math.Float64frombits(r.Uint64()) }
