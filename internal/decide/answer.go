package decide

import (
	"strconv"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/template"
)

// render writes what action a says now, as the raw JSON a client shows or a
// destination is sent. It must have passed the gates.
func (d *Decider) render(in *Input, a *Action) []byte {
	d.lacks(in, a)
	if a.Channel != cx.Web {
		return d.words.keep(d.address(in, a))
	}
	return d.words.keep(d.write(in.ID, a, languageOf(in), false))
}

// words holds what was said lately, many answers to a block. Nearly all of it is
// over after half a minute, and then the whole block is free: between what
// customers keep for long it would leave holes. What is seen, and so stays, moves
// out; see Report.
type words struct {
	free []byte
	said []cx.Said
}

const (
	wordsBlock = 16 << 10 // bytes
	saidBlock  = 64
)

// keep returns a copy of content.
func (w *words) keep(content []byte) []byte {
	if len(content) > cap(w.free)-len(w.free) {
		w.free = make([]byte, 0, max(len(content), wordsBlock))
	}
	start := len(w.free)
	w.free = append(w.free, content...)
	return w.free[start:len(w.free):len(w.free)]
}

// say returns s as a line keeps it.
func (w *words) say(s cx.Said) *cx.Said {
	if len(w.said) == cap(w.said) {
		w.said = make([]cx.Said, 0, saidBlock)
	}
	w.said = append(w.said, s)
	return &w.said[len(w.said)-1]
}

// write renders d.values into scratch memory, valid until the next write.
func (d *Decider) write(id cx.DecisionID, a *Action, lang template.Language, update bool) []byte {
	d.filled = grown(d.filled, len(a.Variables))
	a.Message.Fill(d.filled, d.values, lang)
	b := d.content[:0]
	b = append(b, `{"decision":"`...)
	b = id.Append(b)
	b = append(b, `","action":`...)
	b = template.AppendString(b, a.Name)
	b = append(b, `,"place":`...)
	b = template.AppendString(b, a.Place)
	b = append(b, `,"channel":"`...)
	b = append(b, a.Channel...)
	b = append(b, `","layout":"`...)
	b = append(b, a.Message.Layout...)
	b = append(b, `","lang":"`...)
	b = append(b, lang.String()...)
	b = append(b, `","update":`...)
	b = strconv.AppendBool(b, update)
	b = append(b, `,"live":`...)
	b = strconv.AppendBool(b, a.Live)
	b = append(b, `,"content":`...)
	b = a.Message.AppendContent(b, lang, d.filled)
	b = append(b, `,"tone":"`...)
	b = append(b, a.Message.Tone...)
	b = append(b, '"')
	b = appendExpiry(b, int64(Reservation/cx.Second))
	d.content = b
	return b
}

// expiry starts the last member of what write puts out.
var expiry = []byte(`,"expires_in":`)

// appendExpiry writes the last member, in seconds, and closes the object.
func appendExpiry(b []byte, seconds int64) []byte {
	return append(strconv.AppendInt(append(b, expiry...), seconds, 10), '}')
}

// languageOf returns the language of the page the person is on, or the
// workspace's own when it is not known.
func languageOf(in *Input) template.Language {
	if ev := in.Scope.Event; ev != nil {
		return template.LanguageOf(ev.Locale, in.Offer.Language)
	}
	return in.Offer.Language
}

// languageOn is languageOf for something on screen already, which keeps its
// language when the event does not say another.
func languageOn(in *Input, content []byte) template.Language {
	if ev := in.Scope.Event; ev == nil || ev.Locale == "" {
		if l, ok := template.ParseLanguage(cx.ParseValue(cx.Member(content, "lang")).Str()); ok {
			return l
		}
	}
	return languageOf(in)
}
