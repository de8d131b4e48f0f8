// Package blank makes, of the entries that a log holds of erased persons, those
// that stay in their place: a log in which they stand gives the same state for
// everybody else.
//
// A Survey is shown the log, first the entries of the persons and then all; it
// finds out which names nobody else is known by and gives each a token. A Blanking
// then changes entries.
package blank

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
	"github.com/kikubari/kikubari/internal/profile"
)

// Survey finds out what of a log is known of erased persons only. Make one with
// NewSurvey.
type Survey struct {
	erased   map[cx.Position]cx.Lesson
	stored   func(cx.Position) (bool, error)
	unmerges Unmerges

	theirs map[Name]bool // of erased persons; true: of others too
	tokens map[Name]bool // that an earlier rewriting gave
	loose  []loose
}

// Unmerges knows the entries that undo merges: they carry customers as they were,
// erased persons and others.
type Unmerges interface {
	// Names calls found for every name in the body of one; theirs says that an
	// erased person has it there.
	Names(body []byte, found func(name string, theirs bool)) error
	// Blank returns a body in which of erased persons there are only the names, with
	// a token in the place of every name that has one.
	Blank(body []byte, token func(name string) (string, bool)) ([]byte, error)
}

// Name is a value by which somebody is known, whatever it is the name of.
type Name struct {
	Workspace cx.Workspace
	Value     string
}

// loose is an entry that led to nothing: a message that came again.
type loose struct {
	at    cx.Position
	names []Name
}

// NewSurvey begins a survey. erased holds the positions of all events that were
// erased, with what each taught; stored tells of any other event whether it was
// taken: one that was not, because it was received before, is nobody's.
func NewSurvey(erased map[cx.Position]cx.Lesson, unmerges Unmerges, stored func(cx.Position) (bool, error)) *Survey {
	return &Survey{erased: erased, unmerges: unmerges, stored: stored, theirs: map[Name]bool{}, tokens: map[Name]bool{}}
}

// Learn notes the names in an entry of an erased person; it leaves others alone.
// It must have seen every one before Look sees the first entry.
func (s *Survey) Learn(at cx.Position, e cx.Entry) error {
	if e.Kind == cx.EntryCommand {
		return s.eachUnmerged(at, e, func(n Name, theirs bool) {
			if theirs {
				s.theirs[n] = false
			}
		})
	}
	x, ok, err := remains(s.erased, at, e)
	if err != nil || !ok {
		return err
	}
	for _, n := range namesOf(&x) {
		s.theirs[n] = false
	}
	for _, n := range tokensOf(&x) {
		s.tokens[n] = true
	}
	return nil
}

// Look sees whom an entry names. It is to be shown the whole log, up to where
// the last person was erased.
func (s *Survey) Look(at cx.Position, e cx.Entry) error {
	if e.Kind == cx.EntryCommand {
		return s.eachUnmerged(at, e, func(n Name, theirs bool) {
			if !theirs {
				s.share([]Name{n})
			}
		})
	}
	if _, erased := s.erased[at]; erased || e.Kind != cx.EntryEvent {
		return nil
	}
	var ev cx.Event
	if err := cx.DecodeEvent(e.Payload, &ev); err != nil {
		return fmt.Errorf("event at %v: %w", at, err)
	}
	x := profile.Erase(&ev)
	names := namesOf(&x)
	if !slices.ContainsFunc(names, s.isOnlyTheirs) {
		return nil
	}
	stored, err := s.stored(at)
	if err != nil {
		return err
	}
	if !stored {
		s.loose = append(s.loose, loose{at, names})
		return nil
	}
	s.share(names)
	return nil
}

// eachUnmerged calls found for every name in an entry, if it undoes a merge.
func (s *Survey) eachUnmerged(at cx.Position, e cx.Entry, found func(n Name, theirs bool)) error {
	c, err := cx.DecodeCommand(e.Payload)
	if err == nil && c.Kind == cx.CommandUnmerge {
		w := cx.Workspace(strings.Clone(string(c.Workspace)))
		err = s.unmerges.Names(c.Body, func(name string, theirs bool) { found(Name{w, strings.Clone(name)}, theirs) })
	}
	if err != nil {
		return fmt.Errorf("command at %v: %w", at, err)
	}
	return nil
}

// isOnlyTheirs reports whether n names an erased person and nobody else.
func (s *Survey) isOnlyTheirs(n Name) bool {
	shared, ok := s.theirs[n]
	return ok && !shared
}

// share notes that others go by names too.
func (s *Survey) share(names []Name) (news bool) {
	for _, n := range names {
		if s.isOnlyTheirs(n) {
			s.theirs[n], news = true, true
		}
	}
	return news
}

// End ends the survey: it gives a token to every name that nobody else is known
// by. token returns another one each time.
func (s *Survey) End(token func() string) map[Name]string {
	for again := true; again; { // what came again is theirs if all that it names is
		again = false
		for _, l := range s.loose {
			if !all(l.names, s.isOnlyTheirs) && s.share(l.names) {
				again = true
			}
		}
	}
	tokens := map[Name]string{}
	for n, shared := range s.theirs {
		if !shared && !s.tokens[n] {
			tokens[n] = token()
		}
	}
	return tokens
}

func all(names []Name, is func(Name) bool) bool {
	return !slices.ContainsFunc(names, func(n Name) bool { return !is(n) })
}

// remains returns what stays of an entry of an erased person, names as they are;
// ok is false for any other entry.
func remains(erased map[cx.Position]cx.Lesson, at cx.Position, e cx.Entry) (x cx.Erased, ok bool, err error) {
	switch e.Kind {
	case cx.EntryErased: // once blanked; what was shared then may not be any more
		if err := cx.DecodeErased(e.Payload, &x); err != nil {
			return x, false, fmt.Errorf("erased event at %v: %w", at, err)
		}
		return x, true, nil
	case cx.EntryEvent:
		lesson, ok := erased[at]
		if !ok {
			return x, false, nil
		}
		x, err = eventOf(at, e)
		x.Taught = lesson
		return x, err == nil, err
	default:
		return x, false, nil
	}
}

func eventOf(at cx.Position, e cx.Entry) (x cx.Erased, err error) {
	var ev cx.Event
	if err := cx.DecodeEvent(e.Payload, &ev); err != nil {
		return x, fmt.Errorf("event at %v: %w", at, err)
	}
	return profile.Erase(&ev), nil
}

// namesOf lists the names of x that are not tokens. They alias nothing.
func namesOf(x *cx.Erased) []Name { return listed(x, ^x.Pseudonymous) }

// tokensOf lists those that are.
func tokensOf(x *cx.Erased) []Name { return listed(x, x.Pseudonymous) }

func listed(x *cx.Erased, wanted cx.ErasedNames) (names []Name) {
	for i, v := range x.Names() {
		if *v != "" && wanted&(1<<i) != 0 {
			names = append(names, Name{cx.Workspace(strings.Clone(string(x.Workspace))), strings.Clone(*v)})
		}
	}
	return names
}

// Blanking puts what stays in the place of entries. It may be used again, also by
// another run of the program, on a log of which it has changed a part.
type Blanking struct {
	erased   map[cx.Position]cx.Lesson
	unmerges Unmerges
	tokens   map[Name]string
}

// New returns what blanks the erased events of a survey with the tokens that it
// ended with.
func New(erased map[cx.Position]cx.Lesson, unmerges Unmerges, tokens map[Name]string) *Blanking {
	return &Blanking{erased, unmerges, tokens}
}

// Change returns what is to stand in the place of an entry, and whether that is
// another one. The entry must not be behind the last that the survey looked at.
func (b *Blanking) Change(at cx.Position, e cx.Entry) (cx.Entry, bool, error) {
	if e.Kind == cx.EntryCommand {
		return b.changeCommand(at, e)
	}
	x, ok, err := remains(b.erased, at, e)
	if !ok && err == nil && e.Kind == cx.EntryEvent && len(b.tokens) > 0 {
		x, err = eventOf(at, e)
		names := namesOf(&x)
		ok = len(names) > 0 && all(names, b.hides) // it came again: had it been taken, somebody else would be known by them
	}
	if err != nil || !ok {
		return e, false, err
	}
	for i, v := range x.Names() {
		if *v == "" || x.Pseudonymous&(1<<i) != 0 {
			continue
		}
		if token, ok := b.tokens[Name{x.Workspace, *v}]; ok {
			*v, x.Pseudonymous = token, x.Pseudonymous|1<<i
		}
	}
	out := cx.Entry{Kind: cx.EntryErased, Payload: cx.AppendErased(nil, &x)}
	return out, e.Kind != out.Kind || !bytes.Equal(e.Payload, out.Payload), nil
}

func (b *Blanking) hides(n Name) bool {
	_, ok := b.tokens[n]
	return ok
}

// changeCommand blanks names in a command that takes one out of quarantine, and
// persons in one that undoes a merge.
func (b *Blanking) changeCommand(at cx.Position, e cx.Entry) (cx.Entry, bool, error) {
	c, err := cx.DecodeCommand(e.Payload)
	if err != nil {
		return e, false, fmt.Errorf("command at %v: %w", at, err)
	}
	token := func(name string) (string, bool) {
		t, ok := b.tokens[Name{c.Workspace, name}]
		return t, ok
	}
	var body []byte
	switch c.Kind {
	case cx.CommandRelease:
		var id cx.Identity
		if id, err = cx.DecodeIdentity(c.Body); err == nil {
			if t, ok := token(id.Value); ok {
				id.Value = t
			}
			body = cx.AppendIdentity(nil, id)
		}
	case cx.CommandUnmerge:
		body, err = b.unmerges.Blank(c.Body, token)
	default:
		return e, false, nil
	}
	if err != nil {
		return e, false, fmt.Errorf("command at %v: %w", at, err)
	}
	if bytes.Equal(body, c.Body) {
		return e, false, nil
	}
	c.Body = body
	return cx.Entry{Kind: cx.EntryCommand, Payload: cx.AppendCommand(nil, &c)}, true, nil
}
