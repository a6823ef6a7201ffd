package hubserver

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// live is a Hub on a connection, with a repository that has a large file, and a
// signal for each request that it is done with.
func live(t *testing.T, c Config) (server *httptest.Server, answered chan struct{}) {
	t.Helper()
	s := newServer(t, c)
	must(t, s, "POST", "/api/repos/create", `{"name":"acme/tg"}`)
	must(t, s, "POST", "/api/models/acme/tg/commit/main", header+line("a.csv", strings.Repeat("0123456789abcde\n", 1<<20)))
	answered = make(chan struct{}, 10)
	server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.ServeHTTP(w, r)
		answered <- struct{}{}
	}))
	t.Cleanup(server.Close)
	return server, answered
}

// dial opens a connection and sends the beginning of a request.
func dial(t *testing.T, server *httptest.Server, text string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(time.Minute)) // nothing here waits for that
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	return c
}

// TestStall holds that a client that neither sends nor reads is let go, and that
// one that is slow but goes on is served.
func TestStall(t *testing.T) {
	server, answered := live(t, Config{Stall: 300 * time.Millisecond})
	post := "POST /api/models/acme/tg/commit/main HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n" + header
	c := dial(t, server, post)
	begin := time.Now()
	io.Copy(io.Discard, c) // until the server ends it
	if took := time.Since(begin); took > 30*time.Second {
		t.Errorf("a body of which nothing comes stays open for %v", took)
	}
	get := "GET /acme/tg/resolve/main/a.csv HTTP/1.1\r\nHost: x\r\n\r\n"
	<-answered
	dial(t, server, get) // and is never read from
	select {
	case <-answered:
	case <-time.After(30 * time.Second):
		t.Fatal("an answer that is not read is never given up")
	}
	// The connection is as it was for what comes after.
	c = dial(t, server, get)
	r := bufio.NewReader(c)
	for range 2 {
		resp, err := http.ReadResponse(r, nil)
		if err != nil {
			t.Fatal(err)
		}
		if n, err := io.Copy(io.Discard, resp.Body); n != 16<<20 || err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		if _, err := io.WriteString(c, get); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTrickle holds that a body that comes byte by byte is not waited for.
func TestTrickle(t *testing.T) {
	body := &pacedBody{ReadCloser: io.NopCloser(strings.NewReader(strings.Repeat("x", 1<<20))), begun: time.Now().Add(-2 * time.Minute)}
	set := &deadlines{ResponseWriter: httptest.NewRecorder()}
	body.p = &paced{control: http.NewResponseController(set), stall: time.Minute}
	for range 3 {
		body.Read(make([]byte, 1))
	}
	if left := time.Until(set.read); left > -50*time.Second {
		t.Errorf("a byte in two minutes leaves %v for the next", left)
	}
	body.n = 200 << 10 // in two minutes
	body.Read(make([]byte, 1))
	if left := time.Until(set.read); left < 50*time.Second || left > time.Minute {
		t.Errorf("after 200 KB in two minutes there are %v for the next", left)
	}
}

type deadlines struct {
	http.ResponseWriter
	read time.Time
}

func (d *deadlines) SetReadDeadline(t time.Time) error { d.read = t; return nil }

// TestCrowds holds that one client cannot have all requests, and that others are
// answered meanwhile.
func TestCrowds(t *testing.T) {
	s := newServer(t, Config{Tokens: []Token{{"anna", "hf_local"}, {"bob", "hf_bob"}}, MaxRequests: 4})
	as(s, "hf_local", "POST", "/api/repos/create", `{"name":"acme/tg"}`)
	bodies := make(chan *io.PipeWriter, 4)
	done := make(chan int)
	for range 4 {
		r, w := io.Pipe()
		bodies <- w
		go func() {
			q := httptest.NewRequest(http.MethodPost, "/api/models/acme/tg/commit/main", r)
			q.Header.Set("Authorization", "Bearer hf_local")
			rec := httptest.NewRecorder()
			s.ServeHTTP(rec, q)
			done <- rec.Code
		}()
		if _, err := fmt.Fprint(w, header); err != nil { // it is being read
			t.Fatal(err)
		}
	}
	w := as(s, "hf_local", "GET", "/api/models/acme/tg", "")
	if w.Code != http.StatusTooManyRequests || w.Header().Get("Retry-After") == "" {
		t.Errorf("a fifth request: %d %v", w.Code, w.Header())
	}
	for name, token := range map[string]string{"another token": "hf_bob", "an address": ""} {
		if w := as(s, token, "GET", "/api/models/acme/tg", ""); w.Code != 200 {
			t.Errorf("%s meanwhile: %d", name, w.Code)
		}
	}
	for range 4 {
		(<-bodies).CloseWithError(errors.New("gone"))
		<-done
	}
	if w := as(s, "hf_local", "GET", "/api/models/acme/tg", ""); w.Code != 200 {
		t.Errorf("after the others ended: %d", w.Code)
	}
}
