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

// failure says what a job's record says of err, and whether a retry cannot mend
// it.
func failure(err error) (f jobs.Failure, forGood bool) {
	const kept = "; the training is kept: POST …/publish repeats this, also to another repository or tag"
	var r *refusal
	var answered *hub.Error
	switch {
	case err == nil:
		return f, false
	case errors.As(err, &r):
		f, forGood = r.Failure, true
	case errors.Is(err, hub.ErrUnauthorized), errors.Is(err, hub.ErrGated), errors.Is(err, hub.ErrRepoNotFound):
		f, forGood = jobs.Failure{Code: "hub_refused", Detail: fmt.Sprintf("the Hub does not let this service publish there: %v", err)}, true
	case errors.Is(err, hub.ErrConflict):
		f = jobs.Failure{Code: "hub_conflict", Detail: "others kept committing to the branch"}
	case errors.As(err, &answered) && answered.Status < http.StatusInternalServerError && answered.Status != http.StatusTooManyRequests && answered.Status != http.StatusRequestTimeout:
		f, forGood = jobs.Failure{Code: "hub_refused", Detail: fmt.Sprintf("the Hub refused the revision: %v", err)}, true
	case errors.Is(err, hub.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		f = jobs.Failure{Code: "hub_unavailable", Detail: fmt.Sprintf("the Hub could not be reached, often enough to give up: %v", err)}
	default:
		f = jobs.Failure{Code: "publish_failed", Detail: "the revision could not be published for a reason of the service's own; its log says more"}
	}
	f.Detail += kept
	return f, forGood
}
