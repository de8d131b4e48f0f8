package sqlite_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/pipeline"
	"github.com/kikubari/kikubari/internal/store/sqlite"
)

func ExampleState() {
	ctx := context.Background()
	dir, err := os.MkdirTemp("", "state")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	s, err := sqlite.OpenState(ctx, sqlite.StateOptions{Path: filepath.Join(dir, "state.db")})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer s.Close()

	last, err := s.Recover(ctx) // from here on any earlier user is fenced off
	if err != nil {
		fmt.Println(err)
		return
	}
	err = s.Checkpoint(ctx, &pipeline.Checkpoint{
		Epoch: last.Epoch, Previous: last.Position, Position: cx.At(1, 0),
		Customers: []pipeline.CustomerRow{{ID: 7, Workspace: "demo", Blob: []byte("seven")}},
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = s.Customers(ctx, []cx.CustomerID{7, 8}, func(id cx.CustomerID, blob []byte) error {
		fmt.Printf("%v %s\n", id, blob)
		return nil
	})
	fmt.Println(err)
	// Output:
	// c_000000000000e seven
	// <nil>
}
