package cli

import (
	"fmt"
	"io"
	"os"
	"strings"
	"time"
)

// showProgress prints how far the import has come, on one line of a terminal and
// every few seconds elsewhere, until the returned function is called.
func (r *importRun) showProgress() (stop func()) {
	every, end := 5*time.Second, "\n"
	if terminal(r.out.Err) {
		every, end = 200*time.Millisecond, "\r"
	}
	done, stopped := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(stopped)
		ticker := time.NewTicker(every)
		defer ticker.Stop()
		for {
			select {
			case <-done:
				if end == "\r" {
					fmt.Fprintln(r.out.Err)
				}
				return
			case <-ticker.C:
				fmt.Fprint(r.out.Err, r.bar(), end)
			}
		}
	}()
	return func() { close(done); <-stopped }
}

func (r *importRun) bar() string {
	const width = 30
	part := min(1, float64(r.source.read.Load())/float64(max(r.source.size, 1)))
	spent := time.Since(r.began)
	left := "…"
	if part > 0.01 {
		left = time.Duration(float64(spent) * (1 - part) / part).Round(time.Second).String()
	}
	full := int(part * width)
	return fmt.Sprintf("[%s%s] %3.0f %%  %d lines  %.0f/s  %s left ", strings.Repeat("#", full), strings.Repeat("-", width-full), 100*part, r.sent.Load(), float64(r.sent.Load())/spent.Seconds(), left)
}

// terminal reports whether w is a screen.
func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	if !ok {
		return false
	}
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
