package collect_test

import (
	"fmt"

	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
)

func ExampleParse() {
	body := []byte(`{"sentAt": "2026-11-22T08:10:00Z", "batch": [
		{"type": "track", "event": "Product Added", "userId": "u1", "timestamp": "2026-11-22T08:09:58Z",
		 "properties": {"price": 4000, "url": "https://shop.example/?size=m&token=s3cret"}},
		{"type": "track", "userId": "u1"}
	]}`)
	receivedAt, _ := collect.ParseTime([]byte(`"2026-11-22T08:00:00Z"`)) // the client's clock is ten minutes fast
	call, _ := collect.Lookup("/v1/batch")

	got, err := collect.Parse(call, body, collect.Sender{Workspace: "demo", Key: "k_1", Kind: cx.ServerKey}, receivedAt)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range got.Events {
		fmt.Println(e.Name, "by", e.UserID, "at", e.Time.Time().Format("15:04:05"), string(e.Properties))
	}
	for _, n := range got.Rejected {
		fmt.Printf("event %d: %s: %s\n", n.Index, n.Reason, n.Reason.Advice())
	}
	// Output:
	// Product Added by u1 at 07:59:58 {"price":4000,"url":"https://shop.example/?size=m"}
	// event 1: no_event_name: a track call needs a text in "event"
}
