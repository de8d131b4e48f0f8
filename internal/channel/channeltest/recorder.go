package channeltest

import (
	"io"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Mood is how a receiver answers.
type Mood uint8

// The moods.
const (
	Willing   Mood = iota // accepts
	Refusing              // will never accept
	Busy                  // may accept later: see Recorder.After
	Broken                // accepts, and says that it failed
	Silent                // accepts, and does not answer until the sender gives up
	Redirect              // sends the sender elsewhere
	Hanging               // ends the connection after it was given the delivery
	Garrulous             // accepts, and answers without end
)

// Recorder is a receiver of webhooks: an http.Handler that notes what it is given
// and answers by its mood.
type Recorder struct {
	Book
	After time.Duration // what Busy asks for

	mu   sync.Mutex
	mood Mood
}

// Become changes how the recorder answers.
func (r *Recorder) Become(m Mood) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.mood = m
}

// ServeHTTP makes Recorder an http.Handler.
func (r *Recorder) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	r.mu.Lock()
	mood := r.mood
	r.mu.Unlock()
	body, err := io.ReadAll(http.MaxBytesReader(w, req.Body, 1<<20))
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	switch mood {
	case Refusing:
		http.Error(w, "no\r\n\x00thank you", http.StatusGone)
		return
	case Busy:
		w.Header().Set("Retry-After", strconv.Itoa(int(r.After/time.Second)))
		w.WriteHeader(http.StatusTooManyRequests)
		return
	case Redirect:
		http.Redirect(w, req, "/elsewhere", http.StatusTemporaryRedirect)
		return
	case Willing, Broken, Silent, Hanging, Garrulous:
	}
	r.Arrive(req.Header.Get("Idempotency-Key"), body)
	switch mood {
	case Broken:
		w.WriteHeader(http.StatusInternalServerError)
	case Silent:
		<-req.Context().Done()
	case Hanging:
		panic(http.ErrAbortHandler)
	case Garrulous:
		for chunk := make([]byte, 64<<10); ; {
			if _, err := w.Write(chunk); err != nil {
				return
			}
		}
	case Willing, Refusing, Busy, Redirect:
	}
}
