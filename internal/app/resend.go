package app

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/kikubari/kikubari/internal/api"
	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/deliver"
)

// resendAtOnce is how many deliveries are sent again by one request: each is an
// entry of the journal.
const resendAtOnce = 500

// Resend makes sending an api.Sends.
func (s sending) Resend(ctx context.Context, r api.Resend) (out api.Resent, err error) {
	f := deliver.Filter{Workspace: r.Workspace, Destination: r.Destination, State: r.State, Since: r.Since, Key: r.Send}
	items, err := s.courier.Resendable(ctx, f, resendAtOnce+1)
	if err != nil {
		return out, err
	}
	if len(items) == 0 && r.Send != (cx.SendKey{}) {
		return out, cx.E(cx.NotFound, "", fmt.Sprintf("%s neither waits nor has it ended without arriving, or what it said is not kept any more; kikubari sends list shows what is known", r.Send))
	}
	if !r.MayRepeat {
		if err := s.mayRepeat(items); err != nil {
			return out, err
		}
	}
	if out.More = len(items) > resendAtOnce; out.More {
		items = items[:resendAtOnce]
	}
	for n := range items {
		i := &items[n]
		_, err := s.shard.Command(ctx, &cx.Command{Kind: cx.CommandResend, Workspace: i.Workspace, Who: r.Who, Why: r.Why, Body: cx.AppendResend(nil, &i.Delivery)})
		switch cx.KindOf(err) {
		case cx.Conflict, cx.NotFound:
			out.Refused = append(out.Refused, err.Error())
		default:
			if err != nil {
				return out, err
			}
			out.Sends++
		}
	}
	return out, nil
}

// mayRepeat fails when some of the items may have arrived, and says which way we
// err when they are sent again.
func (s sending) mayRepeat(items []deliver.Item) error {
	var tell, twice []string // destinations
	unknown := 0
	for n := range items {
		i := &items[n]
		if i.State != cx.DeliveryUnknown {
			continue
		}
		unknown++
		list := &tell
		if s.courier.Repeats(i) {
			list = &twice
		}
		if !slices.Contains(*list, i.Destination) {
			*list = append(*list, i.Destination)
		}
	}
	if unknown == 0 {
		return nil
	}
	text := fmt.Sprintf("nothing is sent yet: %d may have arrived already.", unknown)
	if len(tell) > 0 {
		text += fmt.Sprintf(" %s can tell a repetition by its key and takes each once.", strings.Join(tell, ", "))
	}
	if len(twice) > 0 {
		text += fmt.Sprintf(" %s cannot: what has arrived arrives a second time.", strings.Join(twice, ", "))
	}
	return cx.E(cx.Conflict, "", text+" Ask again with may_repeat (--yes) if that is better than not at all")
}
