package publish

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"polyid-trainer/jobs"
	"polyid-trainer/storage/hub"
)

// refusal is why a publication failed in a way that no retry mends.
type refusal struct{ jobs.Failure }

func (r *refusal) Error() string { return r.Detail }

func refuse(code, format string, args ...any) error {
	return &refusal{jobs.Failure{Code: code, Detail: fmt.Sprintf(format, args...)}}
}

// failure says what a job's record says of err, nothing for an error of the
// service's own, and whether no other attempt can do better.
func failure(err error) (f jobs.Failure, hopeless bool) {
	const saved = ". The training is saved: POST …/publish tries again, also with another repository or tag"
	var r *refusal
	var answered *hub.Error
	switch {
	case err == nil:
		return f, false
	case errors.As(err, &r):
		f, hopeless = r.Failure, true
	case errors.Is(err, hub.ErrUnauthorized), errors.Is(err, hub.ErrGated), errors.Is(err, hub.ErrRepoNotFound):
		f, hopeless = jobs.Failure{Code: "hub_refused", Detail: fmt.Sprintf("the Hub does not let this service publish there: %v", err)}, true
	case errors.Is(err, hub.ErrConflict):
		f = jobs.Failure{Code: "hub_conflict", Detail: "others kept committing to the branch"}
	case errors.As(err, &answered) && answered.Status < http.StatusInternalServerError && answered.Status != http.StatusTooManyRequests && answered.Status != http.StatusRequestTimeout:
		f, hopeless = jobs.Failure{Code: "hub_refused", Detail: fmt.Sprintf("the Hub refused the revision: %v", err)}, true
	case errors.Is(err, hub.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		f = jobs.Failure{Code: "hub_unavailable", Detail: fmt.Sprintf("the Hub could not be reached: %v", err)}
	default:
		return f, false // given up, it says how often it was tried and what went wrong
	}
	f.Detail += saved
	return f, hopeless
}
