package api

import (
	"context"
	"time"

	"github.com/kikubari/kikubari/internal/cx"
)

// maxWait bounds how long a request for entries may wait for new ones: it must
// not hold up the end of the program.
const maxWait = 5 * time.Second

func (a *API) logStat(ctx context.Context, _ *struct{}) (*answer[LogStat], error) {
	s, err := a.records.Stat(ctx)
	s.Archive.Checkpoints = some(s.Archive.Checkpoints)
	return &answer[LogStat]{s}, err
}

type entriesInput struct {
	InWorkspace
	After string `query:"after" example:"1234.0" doc:"Give entries behind this position; without it, the newest ones"`
	Limit int    `query:"limit" default:"20" minimum:"1" maximum:"1000" doc:"How many"`
	Wait  int    `query:"wait" minimum:"0" maximum:"5" doc:"With after: how many seconds to wait when there are none"`
	Full  bool   `query:"full" doc:"With properties, context and consent"`
}

// entries shows what is in the log. That is personal data of all workspaces, and
// so for the installation's own key.
func (a *API) entries(ctx context.Context, in *entriesInput) (*answer[LogEntries], error) {
	w, err := a.scope(ctx, in.Workspace)
	if err != nil {
		return nil, err
	}
	asked := EntriesAsked{Workspace: w, Limit: in.Limit, Full: in.Full}
	var out LogEntries
	if in.After == "" {
		out, err = a.records.Newest(ctx, asked)
	} else {
		after, ok := cx.ParsePosition(in.After)
		if !ok {
			return nil, cx.E(cx.Invalid, "", quote(in.After)+" is no position: give one as it stands in next or position, such as 1234.0")
		}
		asked.After, asked.Wait = after, min(time.Duration(in.Wait)*time.Second, maxWait)
		out, err = a.records.Entries(ctx, asked)
	}
	out.Entries = some(out.Entries)
	return &answer[LogEntries]{out}, err
}

type archiveInput struct {
	Body struct {
		Release bool `json:"release,omitempty" doc:"Let the journal drop what is archived and not needed any more, whether it needs the room or not"`
	}
}

// archive changes nothing that is known: asking twice is asking once.
func (a *API) archive(ctx context.Context, in *archiveInput) (*answer[LogStat], error) {
	s, err := a.records.Archive(ctx, in.Body.Release)
	s.Archive.Checkpoints = some(s.Archive.Checkpoints)
	return &answer[LogStat]{s}, err
}
