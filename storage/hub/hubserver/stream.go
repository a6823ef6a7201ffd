package hubserver

import (
	"io"
	"net"
	"net/http"
	"sync"
	"time"
)

const (
	// slowest is how fast a body has to come on average, in bytes a second, once
	// it has had the time that nothing need come or go.
	slowest = 1 << 10
	// piece is how much is written under one deadline, in bytes.
	piece = 64 << 10
)

// paced moves the deadlines of a request with its progress: a client that neither
// sends nor reads for too long, or hardly anything, loses its connection. Time in
// which the server works does not count against what is read or written next.
type paced struct {
	http.ResponseWriter
	control *http.ResponseController
	stall   time.Duration
	written int64
}

// pace returns w and r with deadlines, and what ends them.
func (s *Server) pace(w http.ResponseWriter, r *http.Request) (http.ResponseWriter, *http.Request, func()) {
	p := &paced{ResponseWriter: w, control: http.NewResponseController(w), stall: s.config.Stall}
	if r.Body != nil && r.Body != http.NoBody {
		r = r.WithContext(r.Context()) // the caller's stays as it is
		r.Body = &pacedBody{ReadCloser: r.Body, p: p, begun: time.Now()}
	}
	return p, r, p.end
}

// Unwrap lets http.ResponseController find what p wraps.
func (p *paced) Unwrap() http.ResponseWriter { return p.ResponseWriter }

// Write implements http.ResponseWriter. A writer without deadlines, as tests
// have, is written to all the same.
func (p *paced) Write(b []byte) (n int, err error) {
	for {
		part := b[n:min(n+piece, len(b))]
		p.control.SetWriteDeadline(time.Now().Add(p.stall))
		m, err := p.ResponseWriter.Write(part)
		n += m
		p.written += int64(m)
		if err != nil || n == len(b) {
			return n, err
		}
	}
}

// end sends what is still on its way and leaves the connection, which others may
// use after, without deadlines.
func (p *paced) end() {
	if p.written > piece { // less has its length told when it is sent
		p.control.SetWriteDeadline(time.Now().Add(p.stall))
		p.control.Flush()
	}
	p.control.SetWriteDeadline(time.Time{})
	// The deadline for reading stays while net/http reads the rest of a body; it
	// sets another one for the next request.
}

// pacedBody is the body of a request.
type pacedBody struct {
	io.ReadCloser
	p     *paced
	begun time.Time
	n     int64
}

func (b *pacedBody) Read(p []byte) (int, error) {
	deadline := time.Now().Add(b.p.stall)
	if average := b.begun.Add(b.p.stall + time.Duration(b.n)*time.Second/slowest); average.Before(deadline) {
		deadline = average
	}
	b.p.control.SetReadDeadline(deadline)
	n, err := b.ReadCloser.Read(p)
	b.n += int64(n)
	return n, err
}

// crowds counts the requests that are being answered, by who makes them.
type crowds struct {
	mu  sync.Mutex
	now map[string]int
}

// enter counts a request; false if there are as many as there may be.
func (c *crowds) enter(who string, most int) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now[who] >= most {
		return false
	}
	c.now[who]++
	return true
}

func (c *crowds) leave(who string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.now[who]--; c.now[who] == 0 {
		delete(c.now, who)
	}
}

// crowd is whom the requests at one time are counted for: whoever has a token,
// otherwise an address.
func (s *Server) crowd(r *http.Request) string {
	if a, c := s.caller(r); a == full && c.Name != "" && s.closed() {
		return "token " + c.Name
	}
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		host = r.RemoteAddr
	}
	return "address " + host
}

// errCrowded refuses a request beside too many others of the same client.
var errCrowded = &httpError{http.StatusTooManyRequests, "", "Too many requests at one time: wait for some of them to end"}
