package bench

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"time"
)

// Limits of what an answer may be.
const (
	maxHead   = 64 << 10
	maxAnswer = 8 << 20
	patience  = 30 * time.Second // for one answer
)

// wire is one keep-alive HTTP/1.1 connection, of which only what this client
// needs is implemented: requests with a length, answers with a length or in
// chunks. One goroutine may send while another receives.
type wire struct {
	address string
	conn    net.Conn
	in      *bufio.Reader
	body    []byte
	guarded time.Time // when the read deadline was set
}

// reply is one answer. Its body is valid until the next one is received.
type reply struct {
	status     int
	retryAfter time.Duration // 0 when the server does not say
	body       []byte
	closing    bool // the server closes the connection after it
}

// dial connects to address, a host and port.
func dial(ctx context.Context, address string) (*wire, error) {
	w := &wire{address: address}
	return w, w.redial(ctx)
}

// redial replaces the connection by a new one.
func (w *wire) redial(ctx context.Context) error {
	w.close()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", w.address)
	if err != nil {
		return fmt.Errorf("connect to %s: %w", w.address, err)
	}
	w.conn, w.guarded = conn, time.Time{}
	if w.in == nil {
		w.in = bufio.NewReaderSize(conn, 16<<10)
	} else {
		w.in.Reset(conn)
	}
	return nil
}

func (w *wire) close() {
	if w.conn != nil {
		_ = w.conn.Close() // nothing is lost: what was answered has been read
		w.conn = nil
	}
}

// send writes one whole request.
func (w *wire) send(request []byte) error {
	_, err := w.conn.Write(request)
	return err
}

// receive reads one answer.
func (w *wire) receive() (reply, error) {
	if now := time.Now(); now.Sub(w.guarded) > time.Second {
		if err := w.conn.SetReadDeadline(now.Add(patience)); err != nil {
			return reply{}, err
		}
		w.guarded = now
	}
	r, err := w.status()
	if err != nil {
		return r, err
	}
	length, chunked, err := w.headers(&r)
	if err != nil {
		return r, err
	}
	if chunked {
		err = w.chunks()
	} else {
		err = w.fixed(length)
	}
	r.body = w.body
	return r, err
}

// status reads the first line: HTTP/1.1 200 OK.
func (w *wire) status() (reply, error) {
	line, err := w.line()
	if err != nil {
		return reply{}, err
	}
	if len(line) < 12 || !bytes.HasPrefix(line, []byte("HTTP/1.")) {
		return reply{}, fmt.Errorf("no HTTP answer: %.40q", line)
	}
	code, err := strconv.Atoi(string(line[9:12]))
	if err != nil {
		return reply{}, fmt.Errorf("no HTTP status: %.40q", line)
	}
	return reply{status: code, closing: line[7] == '0'}, nil
}

// headers reads up to the empty line and keeps what matters.
func (w *wire) headers(r *reply) (length int, chunked bool, err error) {
	for total := 0; total < maxHead; {
		line, err := w.line()
		if err != nil {
			return 0, false, err
		}
		if len(line) == 0 {
			return length, chunked, nil
		}
		total += len(line)
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimSpace(value)
		switch {
		case is(name, "content-length"):
			if length, err = strconv.Atoi(string(value)); err != nil || length < 0 || length > maxAnswer {
				return 0, false, fmt.Errorf("an answer of %q bytes", value)
			}
		case is(name, "transfer-encoding"):
			chunked = is(value, "chunked")
		case is(name, "connection"):
			r.closing = r.closing || is(value, "close")
		case is(name, "retry-after"):
			if seconds, err := strconv.Atoi(string(value)); err == nil {
				r.retryAfter = time.Duration(seconds) * time.Second
			}
		}
	}
	return 0, false, errors.New("the head of the answer is too long")
}

// is compares a name without regard to case; lower is in lower case.
func is(name []byte, lower string) bool {
	if len(name) != len(lower) {
		return false
	}
	for i, c := range name {
		if 'A' <= c && c <= 'Z' {
			c += 'a' - 'A'
		}
		if c != lower[i] {
			return false
		}
	}
	return true
}

func (w *wire) line() ([]byte, error) {
	line, err := w.in.ReadSlice('\n')
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}

func (w *wire) fixed(length int) error {
	w.body = grow(w.body[:0], length)
	_, err := io.ReadFull(w.in, w.body)
	return err
}

func (w *wire) chunks() error {
	w.body = w.body[:0]
	for {
		line, err := w.line()
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(size), 16, 31)
		if err != nil || len(w.body)+int(n) > maxAnswer {
			return fmt.Errorf("a chunk of %.20q bytes", size)
		}
		if n == 0 {
			return w.trailer()
		}
		at := len(w.body)
		w.body = grow(w.body, int(n))
		if _, err := io.ReadFull(w.in, w.body[at:]); err != nil {
			return err
		}
		if _, err := w.in.Discard(2); err != nil {
			return err
		}
	}
}

func (w *wire) trailer() error {
	for {
		if line, err := w.line(); err != nil || len(line) == 0 {
			return err
		}
	}
}

// grow makes b longer by n bytes of any value.
func grow(b []byte, n int) []byte {
	for cap(b)-len(b) < n {
		b = append(b[:cap(b)], 0)[:len(b)]
	}
	return b[:len(b)+n]
}
