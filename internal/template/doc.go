// Package template turns the copy of a message into what is shown: text with
// {{ placeholders }} in Japanese and in English, filled with values in the
// conventions of each language. Everything is checked when a message is
// compiled, so that rendering can only fail for want of a value.
//
// What comes out is text, never markup: a client puts it on the page as text,
// and URLs lead to http, https or the same site only.
package template
