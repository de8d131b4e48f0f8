package profile

import (
	"slices"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// name is one identity of the event at hand.
type name struct {
	cx.Identity
	key   cx.HashKey
	alias bool // the previous id of an alias call
}

// names lists the identities an event tells, strongest first, then the previous
// id of an alias call. Placeholders are left out. Line user ids, mail addresses
// and phone numbers count only when the company tells them (a server key or a
// signature), the latter two only where the workspace lists them.
func (r *Resolver) names(ev *cx.Event) []name {
	r.scratch = r.scratch[:0]
	if ev.Has(cx.Verified) {
		r.name(ev, cx.UserID, ev.UserID)
	} else {
		r.name(ev, cx.ClaimedUserID, ev.UserID)
	}
	if ev.Type == cx.Identify && ev.Has(cx.Verified) {
		r.contactNames(ev)
	}
	r.name(ev, cx.AnonymousID, ev.AnonymousID)
	if ev.Type == cx.Alias {
		r.previousName(ev)
	}
	return r.scratch
}

func (r *Resolver) name(ev *cx.Event, n cx.Namespace, value string) {
	if value = strings.TrimSpace(value); value == "" || cx.Junk(value) {
		return
	}
	id := cx.Identity{Namespace: n, Value: value}
	r.hear(name{Identity: id, key: id.Hash(ev.Workspace)})
}

// hear adds n unless it is one that does not count.
func (r *Resolver) hear(n name) {
	if r.heeds == nil || r.heeds(n.key) {
		r.scratch = append(r.scratch, n)
	}
}

func (r *Resolver) contactNames(ev *cx.Event) {
	var room [32]cx.Field
	traits := cx.ParseFields(room[:0], ev.Properties)
	if v := traits.Get("line_user_id"); v.Kind == cx.Text {
		r.name(ev, cx.LineUserID, v.Str())
	}
	s := r.settings[ev.Workspace]
	if v := traits.Get("email"); v.Kind == cx.Text && listed(s.MergeOn, cx.Mail) {
		r.name(ev, cx.Mail, Mail(v.Str()))
	}
	if v := traits.Get("phone"); v.Kind == cx.Text && listed(s.MergeOn, cx.Phone) {
		r.name(ev, cx.Phone, Phone(v.Str()))
	}
}

// previousName adds the previous id of an alias call: a user id of the company
// when the company speaks and knows it as one, else an anonymous id.
func (r *Resolver) previousName(ev *cx.Event) {
	previous := strings.TrimSpace(ev.PreviousID)
	if previous == "" || cx.Junk(previous) {
		return
	}
	id := cx.Identity{Namespace: cx.AnonymousID, Value: previous}
	if ev.Has(cx.Verified) {
		user := cx.Identity{Namespace: cx.UserID, Value: previous}
		if r.isUser(user.Hash(ev.Workspace), id.Hash(ev.Workspace)) {
			id = user
		}
	}
	r.hear(name{Identity: id, key: id.Hash(ev.Workspace), alias: true})
}

// isUser reports whether the previous id of an alias call is known as a user id.
func (r *Resolver) isUser(user, device cx.HashKey) bool {
	return r.index.find(user) != 0 || r.elsewhere != nil && r.elsewhere(user, device)
}

func listed(list []cx.Namespace, n cx.Namespace) bool {
	return slices.Contains(list, n)
}

// Mail returns the form in which mail addresses are compared: trimmed, lower
// case. "" stands for text that is none.
func Mail(s string) string {
	s = strings.ToLower(strings.TrimSpace(s))
	at := strings.LastIndexByte(s, '@')
	if at <= 0 || at == len(s)-1 || len(s) > 254 || strings.ContainsAny(s, " \t\r\n,;<>") {
		return ""
	}
	return s
}

// Phone returns the form in which phone numbers are compared: E.164, a plus and
// 7 to 15 digits. "" stands for text that is none; a number without its country
// could be anyone's and is none.
func Phone(s string) string {
	s = strings.TrimSpace(s)
	if !strings.HasPrefix(s, "+") {
		return ""
	}
	out := []byte{'+'}
	for i := 1; i < len(s); i++ {
		switch c := s[i]; {
		case c >= '0' && c <= '9':
			out = append(out, c)
		case strings.IndexByte(" -.()", c) < 0:
			return ""
		}
	}
	if len(out) < 8 || len(out) > 16 || out[1] == '0' {
		return ""
	}
	return string(out)
}
