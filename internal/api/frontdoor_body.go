package api

import (
	"errors"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/kikubari/kikubari/internal/collect"
	"github.com/kikubari/kikubari/internal/cx"
)

// read takes the whole body into v.body, but never more than a request may
// have, and not for longer than a body may take to arrive. What is left of a
// body that was not taken is not waited for: the connection ends.
func (v *visit) read(w http.ResponseWriter) error {
	err := v.readBody(http.NewResponseController(w))
	v.seen.Read, v.seen.Bytes = v.lap(), len(v.body)
	if err != nil {
		w.Header().Set("Connection", "close")
	}
	return err
}

func (v *visit) readBody(c *http.ResponseController) error {
	v.body = v.body[:0]
	announced := v.request.ContentLength
	if announced > collect.MaxRequest {
		return requestTooLarge()
	}
	_ = c.SetReadDeadline(time.Now().Add(v.door.ReadTimeout)) // what cannot have one is no slow network
	var err error
	v.body, err = readUpTo(v.body, v.request.Body, int(max(announced, 0)), collect.MaxRequest+1)
	switch {
	case len(v.body) > collect.MaxRequest:
		return requestTooLarge()
	case errors.Is(err, os.ErrDeadlineExceeded):
		return &cx.Error{Kind: cx.Unavailable, Err: errors.New("the body did not arrive in time: try again")}
	case err != nil:
		return &cx.Error{Kind: cx.Unavailable, Err: errors.New("the body did not arrive whole: try again")}
	}
	_ = c.SetReadDeadline(time.Time{})
	return nil
}

func requestTooLarge() error {
	return &cx.Error{Kind: cx.Invalid, Err: &collect.Refusal{Reason: collect.RequestTooLarge}}
}

// believed is how many announced bytes are made room for before any arrives:
// whoever announces more and sends nothing costs no more.
const believed = 64 << 10

// readUpTo appends what r gives to dst, at most limit bytes of which expected
// are announced.
func readUpTo(dst []byte, r io.Reader, expected, limit int) ([]byte, error) {
	if need := max(min(expected+1, believed), 4<<10); cap(dst) < need {
		dst = make([]byte, 0, need)
	}
	for len(dst) < limit {
		if len(dst) == cap(dst) {
			dst = append(dst, 0)[:len(dst)]
		}
		n, err := r.Read(dst[len(dst):min(cap(dst), limit)])
		dst = dst[:len(dst)+n]
		if errors.Is(err, io.EOF) {
			return dst, nil
		}
		if err != nil {
			return dst, err
		}
	}
	return dst, nil
}
