package hub

import (
	"errors"
	"fmt"
	"net/http"
)

// Outcomes a caller acts on. They match an *Error by errors.Is.
var (
	// ErrRepoNotFound also stands for a private repository without access to it.
	ErrRepoNotFound     = errors.New("repository not found")
	ErrRevisionNotFound = errors.New("revision not found")
	ErrEntryNotFound    = errors.New("file not found in the revision")
	ErrGated            = errors.New("repository is gated")
	// ErrUnauthorized means the token is missing, wrong or not allowed to do this.
	ErrUnauthorized = errors.New("not authorized")
	// ErrExists means that a repository, branch or tag of that name exists already.
	ErrExists = errors.New("exists already")
	// ErrConflict means that another commit came between; read the new head and decide.
	ErrConflict = errors.New("another commit came first")
	// ErrUnavailable means that the Hub could not be reached or failed itself.
	ErrUnavailable = errors.New("hub unavailable")
	// ErrCorrupt means that what the Hub sent is not what it announced.
	ErrCorrupt = errors.New("content does not match its hash")
)

// Error is an answer of the Hub that is not a success. It never holds the token
// or the query of a URL, which may be a credential.
type Error struct {
	Method, Path string // of the request
	Status       int    // HTTP status
	Code         string // X-Error-Code, such as "RepoNotFound"
	Message      string // X-Error-Message or the body's error
}

func (e *Error) Error() string {
	s := fmt.Sprintf("hub: %s %s: %d", e.Method, e.Path, e.Status)
	if e.Code != "" {
		s += " " + e.Code
	}
	if e.Message != "" {
		s += ": " + e.Message
	} else if text := http.StatusText(e.Status); text != "" {
		s += " " + text
	}
	return s
}

// Is reports whether e is the outcome target names.
func (e *Error) Is(target error) bool { return target == e.outcome() }

func (e *Error) outcome() error {
	switch e.Code {
	case "RepoNotFound":
		return ErrRepoNotFound
	case "RevisionNotFound":
		return ErrRevisionNotFound
	case "EntryNotFound":
		return ErrEntryNotFound
	case "GatedRepo":
		return ErrGated
	}
	switch {
	case e.Status == http.StatusUnauthorized, e.Status == http.StatusForbidden:
		return ErrUnauthorized
	case e.Status == http.StatusConflict:
		return ErrExists
	case e.Status == http.StatusPreconditionFailed:
		return ErrConflict
	case e.Status == http.StatusTooManyRequests, e.Status >= 500:
		return ErrUnavailable
	}
	return nil
}
