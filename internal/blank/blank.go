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
	erased map[cx.Position]cx.Lesson
	stored func(cx.Position) (bool, error)

	theirs map[Name]bool // of erased persons; true: of others too
	loose  []loose
	kept   int
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
func NewSurvey(erased map[cx.Position]cx.Lesson, stored func(cx.Position) (bool, error)) *Survey {
	return &Survey{erased: erased, stored: stored, theirs: map[Name]bool{}}
}

// Learn notes the names in an entry of an erased person; it leaves others alone.
// It must have seen every one before Look sees the first entry.
func (s *Survey) Learn(at cx.Position, e cx.Entry) error {
	x, ok, err := remains(s.erased, at, e)
	if err != nil || !ok {
		return err
	}
	for _, n := range namesOf(&x) {
		s.theirs[n] = false
	}
	return nil
}

// Look sees whom an entry names. It is to be shown the whole log, up to where
// the last person was erased.
func (s *Survey) Look(at cx.Position, e cx.Entry) error {
	if e.Kind == cx.EntryCommand {
		return s.lookAtCommand(at, e)
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
	if !slices.ContainsFunc(names, s.isTheirs) {
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

// lookAtCommand leaves the names alone that an un-merge carries: it says whose
// they are from then on, and what is said before it must fit.
func (s *Survey) lookAtCommand(at cx.Position, e cx.Entry) error {
	c, err := cx.DecodeCommand(e.Payload)
	if err != nil {
		return fmt.Errorf("command at %v: %w", at, err)
	}
	if c.Kind != cx.CommandUnmerge {
		return nil
	}
	found := false
	for n := range s.theirs { // in any order: each is looked at by itself
		if n.Workspace == c.Workspace && bytes.Contains(c.Body, []byte(n.Value)) {
			s.theirs[n], found = true, true
		}
	}
	if found {
		s.kept++
	}
	return nil
}

// Kept returns how many entries hold something of the persons and stay as they
// are: un-merges, which carry the states of others too.
func (s *Survey) Kept() int { return s.kept }

// isTheirs reports whether n names an erased person.
func (s *Survey) isTheirs(n Name) bool {
	_, ok := s.theirs[n]
	return ok
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
		if !shared {
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
func namesOf(x *cx.Erased) (names []Name) {
	for i, v := range x.Names() {
		if *v != "" && x.Pseudonymous&(1<<i) == 0 {
			names = append(names, Name{cx.Workspace(strings.Clone(string(x.Workspace))), strings.Clone(*v)})
		}
	}
	return names
}

// Blanking puts what stays in the place of entries. It may be used again, also by
// another run of the program, on a log of which it has changed a part.
type Blanking struct {
	erased map[cx.Position]cx.Lesson
	tokens map[Name]string
}

// New returns what blanks the erased events of a survey with the tokens that it
// ended with.
func New(erased map[cx.Position]cx.Lesson, tokens map[Name]string) *Blanking {
	return &Blanking{erased, tokens}
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

// changeCommand blanks the name in a command that takes one out of quarantine.
func (b *Blanking) changeCommand(at cx.Position, e cx.Entry) (cx.Entry, bool, error) {
	c, err := cx.DecodeCommand(e.Payload)
	if err != nil {
		return e, false, fmt.Errorf("command at %v: %w", at, err)
	}
	if c.Kind != cx.CommandRelease {
		return e, false, nil
	}
	id, err := cx.DecodeIdentity(c.Body)
	if err != nil {
		return e, false, fmt.Errorf("command at %v: %w", at, err)
	}
	token, ok := b.tokens[Name{c.Workspace, id.Value}]
	if !ok {
		return e, false, nil
	}
	id.Value = token
	c.Body = cx.AppendIdentity(nil, id)
	return cx.Entry{Kind: cx.EntryCommand, Payload: cx.AppendCommand(nil, &c)}, true, nil
}
