package httpapi

import (
	"bufio"
	"compress/gzip"
	"errors"
	"io"
	"mime"
	"net/http"
	"strings"

	"github.com/labstack/echo/v4"
)

// outside reports whether a path belongs to the embedded Hub, which speaks a
// protocol of its own.
func outside(path string) bool { return path == hubPath || strings.HasPrefix(path, hubPath+"/") }

// asGet is a HEAD request as the GET that it stands for, on every route; net/http
// leaves the body of its answer out. An event stream, which would not end, is
// asked for as a list.
func asGet(r *http.Request) *http.Request {
	if r.Method != http.MethodHead || outside(r.URL.Path) {
		return r
	}
	get := r.Clone(r.Context())
	get.Method = http.MethodGet
	if strings.Contains(get.Header.Get("Accept"), eventStream) {
		get.Header.Del("Accept")
	}
	return get
}

const eventStream = "text/event-stream"

// decodeBody undoes what a client has done to a body on its way: gzip, and the byte
// order mark that some editors put before JSON. Limits count what comes out. Any
// other encoding is refused.
func decodeBody(next echo.HandlerFunc) echo.HandlerFunc {
	return func(c echo.Context) error {
		r := c.Request()
		if r.Body == nil || r.Body == http.NoBody || outside(r.URL.Path) {
			return next(c)
		}
		r.Body = decodedBody{&arriving{r: r.Body, detail: "the connection broke before the whole body had arrived"}, r.Body}
		switch encoding := strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Encoding"))); encoding {
		case "", "identity":
		case "gzip", "x-gzip":
			plain, err := gzip.NewReader(r.Body)
			if err != nil {
				return newProblem(http.StatusBadRequest, Malformed, "the body is not gzip, as its Content-Encoding says: "+err.Error())
			}
			r.Body, r.ContentLength = decodedBody{&arriving{r: plain, detail: "the body is not whole gzip, as its Content-Encoding says"}, r.Body}, -1
			r.Header.Del("Content-Encoding")
		default:
			return newProblem(http.StatusUnsupportedMediaType, MediaType, "the Content-Encoding "+encoding+" is not supported: send gzip, or no encoding")
		}
		if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err == nil && kind == "application/json" {
			r.Body = decodedBody{withoutMark(r.Body), r.Body}
		}
		return next(c)
	}
}

// decodedBody is a body, which closes the one that came.
type decodedBody struct {
	io.Reader
	io.Closer
}

// arriving is a body whose errors, other than a limit's, are the client's fault
// and say so, at every Read after.
type arriving struct {
	r      io.Reader
	detail string
	failed error
}

// Read implements io.Reader.
func (a *arriving) Read(p []byte) (int, error) {
	if a.failed != nil {
		return 0, a.failed
	}
	n, err := a.r.Read(p)
	var tooLarge *http.MaxBytesError
	var known *Problem
	switch {
	case err == nil || errors.Is(err, io.EOF):
		return n, err
	case errors.As(err, &tooLarge), errors.As(err, &known):
		a.failed = err
	default:
		a.failed = newProblem(http.StatusBadRequest, Malformed, a.detail)
	}
	return n, a.failed
}

// withoutMark is r without the byte order mark of UTF-8 at its beginning. Nothing
// is read before its first Read.
func withoutMark(r io.Reader) io.Reader { return &unmarked{r: bufio.NewReader(r)} }

type unmarked struct {
	r     *bufio.Reader
	begun bool
}

// Read implements io.Reader.
func (u *unmarked) Read(p []byte) (int, error) {
	if !u.begun {
		u.begun = true
		if start, err := u.r.Peek(3); err == nil && string(start) == "\xef\xbb\xbf" {
			if _, err := u.r.Discard(3); err != nil {
				return 0, err
			}
		}
	}
	return u.r.Read(p)
}
