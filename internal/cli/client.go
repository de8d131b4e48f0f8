package cli

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// server is a running server that a command talks to.
type server struct {
	Server string `env:"KIKUBARI_SERVER" default:"http://127.0.0.1:7700" placeholder:"URL" help:"Address of the running server."`
	Key    string `env:"KIKUBARI_KEY" placeholder:"KEY" help:"Key to speak with; an admin key for changes, a read key for questions."`
}

// apiError is the server's refusal.
type apiError struct {
	Error struct {
		Kind    string   `json:"kind"`
		Message string   `json:"message"`
		Details []string `json:"details"`
	} `json:"error"`
}

// call sends one request and decodes the answer into out, which may be nil.
// A change carries an Idempotency-Key of its own and is repeated when the
// server did not answer, so that a lost answer does not change things twice.
func (s *server) call(ctx context.Context, method, path string, query url.Values, in, out any) error {
	if s.Key == "" {
		return errors.New("no key: give --key or set KIKUBARI_KEY; the first start of the server printed the admin key")
	}
	var body []byte
	if in != nil {
		var err error
		if body, err = json.Marshal(in); err != nil {
			return err
		}
	}
	address := strings.TrimSuffix(s.Server, "/") + path
	if len(query) > 0 {
		address += "?" + query.Encode()
	}
	once := rand.Text()
	var err error
	for try := range 3 {
		if try > 0 {
			select {
			case <-time.After(time.Duration(try) * 300 * time.Millisecond):
			case <-ctx.Done():
				return ctx.Err()
			}
		}
		var again bool
		if again, err = s.once(ctx, method, address, once, body, out); !again {
			return err
		}
	}
	return err
}

// once sends the request once; again says that it is worth repeating.
func (s *server) once(ctx context.Context, method, address, idempotencyKey string, body []byte, out any) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Authorization", "Bearer "+s.Key)
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("Idempotency-Key", idempotencyKey)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return ctx.Err() == nil, fmt.Errorf("no answer from %s: is the server running? (%w)", s.Server, err)
	}
	defer res.Body.Close()
	b, err := io.ReadAll(io.LimitReader(res.Body, 64<<20))
	if err != nil {
		return true, err
	}
	if res.StatusCode >= 400 {
		return res.StatusCode == http.StatusServiceUnavailable, refusal(res.StatusCode, b)
	}
	if out == nil {
		return false, nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber() // every digit of a sum
	if err := d.Decode(out); err != nil {
		return false, fmt.Errorf("the server's answer is not what this version expects: %w", err)
	}
	return false, nil
}

// refusal words the server's refusal for a person.
func refusal(status int, body []byte) error {
	var e apiError
	if json.Unmarshal(body, &e) != nil || e.Error.Message == "" {
		return fmt.Errorf("the server answered %d %s", status, http.StatusText(status))
	}
	if len(e.Error.Details) == 0 {
		return errors.New(e.Error.Message)
	}
	return fmt.Errorf("%s\n  %s", e.Error.Message, strings.Join(e.Error.Details, "\n  "))
}
