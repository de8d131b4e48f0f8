// Command kikubari is the whole platform in one program.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"

	"github.com/kikubari/kikubari/internal/cli"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := cli.Run(ctx, os.Args[1:], cli.Streams{In: os.Stdin, Out: os.Stdout, Err: os.Stderr, Env: os.Environ()})
	stop()
	os.Exit(code)
}
