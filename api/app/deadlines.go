package app

import (
	"io"
	"net/http"
	"time"
)

const (
	// readWithin is how long a client may take to send the next part of a body,
	// and writeWithin how long it may take to receive the next part of an answer.
	// Both begin anew with every part, so that a long upload or download lasts as
	// long as it makes progress.
	readWithin  = 30 * time.Second
	writeWithin = 30 * time.Second
	// part is how much of an answer is written under one deadline, in bytes.
	part = 64 << 10
)

// withDeadlines serves h with deadlines that move with progress.
func withDeadlines(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		control := http.NewResponseController(w)
		if r.Body != nil && r.Body != http.NoBody {
			r.Body = &timedBody{r.Body, control}
		}
		h.ServeHTTP(&timedWriter{w, control}, r)
		// For what net/http still has to write.
		_ = control.SetWriteDeadline(time.Now().Add(writeWithin)) // a connection that is gone has no deadlines
	})
}

// timedBody is a request's body with a deadline for each part. Between parts
// there is none: net/http watches the connection while the handler works.
type timedBody struct {
	io.ReadCloser
	control *http.ResponseController
}

// Read implements io.Reader.
func (b *timedBody) Read(p []byte) (int, error) {
	_ = b.control.SetReadDeadline(time.Now().Add(readWithin)) // as above
	defer b.control.SetReadDeadline(time.Time{})
	return b.ReadCloser.Read(p)
}

// timedWriter is an answer with a deadline for each part.
type timedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
}

// Write implements io.Writer.
func (w *timedWriter) Write(p []byte) (n int, err error) {
	for {
		_ = w.control.SetWriteDeadline(time.Now().Add(writeWithin)) // as above
		next := p[:min(len(p), part)]
		m, err := w.ResponseWriter.Write(next)
		n += m
		if p = p[len(next):]; err != nil || len(p) == 0 {
			return n, err
		}
	}
}

// Unwrap is for http.ResponseController.
func (w *timedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// Flush implements http.Flusher, for those who do not ask a ResponseController.
func (w *timedWriter) Flush() { _ = w.control.Flush() }
