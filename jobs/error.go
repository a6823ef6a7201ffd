package jobs

import (
	"errors"
	"fmt"
	"strings"

	"polyid-trainer/jobs/lease"
)

// Code classifies an error for the one who made the request.
type Code string

// The codes. What has none is the system's own fault and is shown as no more
// than that.
const (
	Invalid     Code = "invalid"     // values that cannot be
	NotFound    Code = "not_found"   // no such thing
	Conflict    Code = "conflict"    // not in this state
	Forbidden   Code = "forbidden"   // not with these rights
	Unavailable Code = "unavailable" // Redis, storage or the Hub is away: try again
	TooLarge    Code = "too_large"   // beyond a limit

	Damaged Code = "record_damaged" // a record is there and cannot be read: 500

	ModelNotLoaded Code = "model_not_loaded" // nothing to predict with: 503 until there is
)

// Error is an error that its user can act on.
type Error struct {
	Code     Code
	Detail   string    // what is wrong and what to do about it
	Problems []Problem // every value that cannot be, for Invalid
	Err      error     // the cause, for logs only
}

// Problem is one value that cannot be.
type Problem struct {
	Pointer string `json:"pointer"` // JSON pointer into the request, "/prediction_columns/0"
	Detail  string `json:"detail"`
}

func (e *Error) Error() string {
	var b strings.Builder
	b.WriteString(e.Detail)
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "; %s: %s", p.Pointer, p.Detail)
	}
	return b.String()
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// ErrorCode is the code of the first *Error in err's chain, "" if it has none.
func ErrorCode(err error) Code {
	var e *Error
	if errors.As(err, &e) {
		return e.Code
	}
	return ""
}

// ErrLost is lease.ErrLost: another worker has the work, and the caller must stop
// and write nothing.
var ErrLost = lease.ErrLost

// Permanent marks an error that no retry can mend.
func Permanent(err error) error {
	if err == nil {
		return nil
	}
	return &permanentError{err}
}

// IsPermanent reports whether err, or one it wraps, was marked Permanent.
func IsPermanent(err error) bool {
	var p *permanentError
	return errors.As(err, &p)
}

type permanentError struct{ err error }

func (e *permanentError) Error() string { return e.err.Error() }
func (e *permanentError) Unwrap() error { return e.err }
