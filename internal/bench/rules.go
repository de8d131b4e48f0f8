package bench

import (
	"context"
	"time"
)

func (r *Result) rules(ctx context.Context, d time.Duration) error { return nil }
