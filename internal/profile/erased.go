package profile

import (
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// ResolveErased is Resolve for what stays of an event whose person was erased:
// it comes to the same, under the names that the rewriting gave.
func (r *Resolver) ResolveErased(x *cx.Erased, at cx.Position, now cx.Instant) Resolution {
	ev := cx.Event{Workspace: x.Workspace, KeyKind: x.KeyKind, Type: x.Type, Flags: x.Flags, PreviousID: x.PreviousID}
	r.scratch = r.scratch[:0]
	user := cx.ClaimedUserID
	if ev.Has(cx.Verified) {
		user = cx.UserID
	}
	r.name(&ev, user, x.UserID)
	if ev.Type == cx.Identify && ev.Has(cx.Verified) {
		s := r.settings[ev.Workspace]
		r.name(&ev, cx.LineUserID, x.LineUserID)
		if listed(s.MergeOn, cx.Mail) {
			r.name(&ev, cx.Mail, x.Mail)
		}
		if listed(s.MergeOn, cx.Phone) {
			r.name(&ev, cx.Phone, x.Phone)
		}
	}
	r.name(&ev, cx.AnonymousID, x.AnonymousID)
	if ev.Type == cx.Alias {
		r.previousName(&ev)
	}
	return r.resolve(&ev, r.scratch, at, now)
}

// Erase returns what stays of ev when its person is erased, with the names as
// they are: those that may have stood for somebody, whatever the workspace's
// settings were.
func Erase(ev *cx.Event) cx.Erased {
	x := cx.Erased{
		Workspace: ev.Workspace, KeyKind: ev.KeyKind, Type: ev.Type, Flags: ev.Flags & (cx.Verified | cx.Historical),
		UserID: telling(ev.UserID), AnonymousID: telling(ev.AnonymousID),
	}
	x.Job, x.Line, _ = ev.ImportLine()
	if ev.Type == cx.Alias {
		x.PreviousID = telling(ev.PreviousID)
	}
	if ev.Type == cx.Identify && ev.Has(cx.Verified) {
		traits := cx.ParseFields(nil, ev.Properties)
		text := func(name string, form func(string) string) string {
			if v := traits.Get(name); v.Kind == cx.Text {
				return telling(form(v.Str()))
			}
			return ""
		}
		x.LineUserID, x.Mail, x.Phone = text("line_user_id", strings.TrimSpace), text("email", Mail), text("phone", Phone)
	}
	return x
}

// telling returns a name in the form in which names are compared, "" for one that
// stands for nobody.
func telling(value string) string {
	if value = strings.TrimSpace(value); cx.Junk(value) {
		return ""
	}
	return value
}
