package hubserver

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"polyid-trainer/storage/atomicfile"
)

// maxBody bounds a JSON request, in bytes: a preupload call holds 256 files
// with a sample of 512 bytes each.
const maxBody = 4 << 20

// httpError is an answer that is not a success; code is the X-Error-Code by
// which clients choose their exception.
type httpError struct {
	status        int
	code, message string
}

func (e *httpError) Error() string { return e.message }

func errorf(status int, code, format string, args ...any) error {
	return &httpError{status, code, fmt.Sprintf(format, args...)}
}

func badRequest(format string, args ...any) error {
	return errorf(http.StatusBadRequest, "", format, args...)
}

var (
	errNothing    = &httpError{http.StatusNotFound, "", "Not Found"}
	errNoRevision = &httpError{http.StatusNotFound, "RevisionNotFound", "Invalid rev id"}
	errNoEntry    = &httpError{http.StatusNotFound, "EntryNotFound", "Entry not found"}
	errModelsOnly = &httpError{http.StatusBadRequest, "", "This Hub holds repositories of type model only; leave the type away or say model"}
	errStale      = &httpError{http.StatusPreconditionFailed, "", "A commit has happened since. Please refresh and try again."}
)

func answerError(w http.ResponseWriter, r *http.Request, err error) {
	e := &httpError{http.StatusInternalServerError, "", "Internal error"}
	var tooLarge *http.MaxBytesError
	switch {
	case errors.As(err, &e):
	case errors.As(err, &tooLarge):
		e = &httpError{http.StatusRequestEntityTooLarge, "", "Request too large"}
	case atomicfile.IsFull(err):
		e = &httpError{http.StatusInsufficientStorage, "", "The Hub's storage is full, and nothing was stored: make room, then try again"}
	}
	h := w.Header()
	h.Set("X-Error-Message", e.message)
	if e.code != "" {
		h.Set("X-Error-Code", e.code)
	}
	h.Set("Content-Type", "application/json")
	h.Del("Etag")
	if e.status >= http.StatusBadRequest && r.ContentLength != 0 {
		h.Set("Connection", "close") // the rest of the body is not worth reading
	}
	w.WriteHeader(e.status)
	if r.Method != http.MethodHead {
		json.NewEncoder(w).Encode(map[string]string{"error": e.message}) // the client may be gone
	}
}

func answer(w http.ResponseWriter, v any) error {
	return answerStatus(w, http.StatusOK, "application/json", v)
}

func answerStatus(w http.ResponseWriter, status int, kind string, v any) error {
	b, err := json.Marshal(v)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", kind)
	w.WriteHeader(status)
	w.Write(b) // the client may be gone
	return nil
}

// read decodes a JSON request of limited size; an empty one leaves v as it is.
func read(w http.ResponseWriter, r *http.Request, v any) error {
	err := json.NewDecoder(http.MaxBytesReader(w, r.Body, maxBody)).Decode(v)
	var tooLarge *http.MaxBytesError
	if err == nil || errors.Is(err, io.EOF) {
		return nil
	}
	if errors.As(err, &tooLarge) {
		return err
	}
	return badRequest("the body is not the JSON expected")
}
