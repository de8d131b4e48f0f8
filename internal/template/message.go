package template

import (
	"net/url"
	"strings"

	"github.com/kikubari/kikubari/internal/cx"
)

// Layout is how a message is laid out on the page.
type Layout string

// The layouts.
const (
	Bar   Layout = "bar"   // a line at the edge of the page
	Modal Layout = "modal" // a card over the page
)

// Tone is the mood of a message; a client picks its colours by it.
type Tone string

// The tones.
const (
	Info    Tone = "info"
	Success Tone = "success"
)

// Variable says how one value is written into copies.
type Variable struct {
	Name     string
	Format   Format
	Currency cx.Currency // AsMoney only
	Default  cx.Value    // stands in for a value that is missing; Missing for none
}

// Copy is the text of a message in one language.
type Copy struct {
	Title *Text // may be empty
	Text  *Text
	Close *Text // name of the button that closes the message
	Label *Text // name of the button, nil when there is none
	URL   *URL  // where the button leads, nil when it only closes
}

// Uses reports whether the variable with index i stands anywhere in the copy.
func (c *Copy) Uses(i int) bool {
	for _, t := range [...]*Text{c.Title, c.Text, c.Close, c.Label} {
		if t != nil && t.Uses(i) {
			return true
		}
	}
	return c.URL != nil && c.URL.text.Uses(i)
}

// Message is a compiled message: one copy a language, or off site a body.
type Message struct {
	Layout    Layout
	Tone      Tone
	Variables []Variable
	Copies    [3]Copy // by Language
	Body      []Field // by name
}

// Uses reports whether the variable with index i stands in any copy or the body.
func (m *Message) Uses(i int) bool {
	for _, l := range Languages {
		if m.Copies[l].Uses(i) {
			return true
		}
	}
	return m.bodyUses(i)
}

// Missing returns the index of the first variable that has neither a value that
// can be shown nor a default, or −1 when all have one. values has one element
// for each variable, in their order.
func (m *Message) Missing(values []cx.Value) int {
	for i := range m.Variables {
		v := &m.Variables[i]
		if !showable(values[i], v.Format) && !showable(v.Default, v.formatOf(v.Default)) {
			return i
		}
	}
	return -1
}

// Fill formats values, one for each variable and in their order, for language
// l into out, which has the same length. What Missing reports stays empty.
func (m *Message) Fill(out []string, values []cx.Value, l Language) {
	for i := range m.Variables {
		v := &m.Variables[i]
		if showable(values[i], v.Format) {
			out[i] = format(values[i], v.Format, l, v.Currency)
		} else {
			out[i] = format(v.Default, v.formatOf(v.Default), l, v.Currency)
		}
	}
}

// formatOf lets the default of a number be a word: "some", "いくらか".
func (v *Variable) formatOf(value cx.Value) Format {
	if value.Kind == cx.Text {
		return AsText
	}
	return v.Format
}

// AppendContent writes the copy in language l as the JSON object
//
//	{"title":…,"text":…,"button":{"label":…,"url":…},"close":…}
//
// without the members that the copy does not have. filled is what Fill put out
// for the same language.
func (m *Message) AppendContent(dst []byte, l Language, filled []string) []byte {
	c := &m.Copies[l]
	var buf [256]byte
	dst = append(dst, '{')
	if !c.Title.Empty() {
		dst = append(dst, `"title":`...)
		dst = appendJSON(dst, c.Title.appendTo(buf[:0], filled, plain))
		dst = append(dst, ',')
	}
	dst = append(dst, `"text":`...)
	dst = appendJSON(dst, c.Text.appendTo(buf[:0], filled, plain))
	if c.Label != nil {
		dst = append(dst, `,"button":{"label":`...)
		dst = appendJSON(dst, c.Label.appendTo(buf[:0], filled, plain))
		if c.URL != nil {
			dst = append(dst, `,"url":`...)
			dst = appendJSON(dst, c.URL.text.appendTo(buf[:0], filled, escapeURL))
		}
		dst = append(dst, '}')
	}
	dst = append(dst, `,"close":`...)
	dst = appendJSON(dst, c.Close.appendTo(buf[:0], filled, plain))
	return append(dst, '}')
}

// URL is a template of an address that can only lead to http, https or the same
// site, whatever its variables hold.
type URL struct{ text *Text }

// ParseURL reads an address with placeholders, which may stand in its path,
// query and fragment only; their values are percent-encoded. Its error is an
// *Error.
func ParseURL(source string, variables []string) (*URL, error) {
	t, err := Parse(source, variables)
	if err != nil {
		return nil, err
	}
	sample := string(t.appendTo(nil, make([]string, len(variables)), func(dst []byte, _ string) []byte { return append(dst, 'x') }))
	u, err := url.Parse(sample)
	if err != nil || sample == "" || strings.ContainsAny(sample, " \\\"<>") {
		return nil, &Error{0, "this is not an address", "write https://… or a path like /cart"}
	}
	switch {
	case u.Scheme == "" && u.Host == "" && u.Opaque == "" && !strings.HasPrefix(sample, "//"):
	case (u.Scheme == "https" || u.Scheme == "http") && u.Host != "" && u.User == nil:
	default:
		return nil, &Error{0, "an address leads to http, https or the same site only", "write https://… or a path like /cart"}
	}
	if !fixedOrigin(t) {
		return nil, &Error{0, "a placeholder may not stand in the host of an address", "write the host out, and use placeholders after it"}
	}
	return &URL{t}, nil
}

// fixedOrigin reports whether where the address leads is settled by what stands
// before its first placeholder.
func fixedOrigin(t *Text) bool {
	first := ""
	if len(t.parts) > 0 && t.parts[0].variable < 0 {
		first = t.parts[0].literal
	}
	if len(t.parts) <= 1 && first != "" {
		return true
	}
	if _, rest, ok := strings.Cut(first, "://"); ok {
		return strings.ContainsAny(rest, "/?#")
	}
	return strings.ContainsAny(first, "/?#")
}

// escapeURL percent-encodes everything that could mean something in an address.
func escapeURL(dst []byte, s string) []byte {
	return append(dst, strings.ReplaceAll(url.QueryEscape(s), "+", "%20")...)
}
