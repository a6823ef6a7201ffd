package httpapi

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"reflect"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/validation"
	"github.com/labstack/echo/v4"

	"polyid-trainer/jobs"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// Codes of problems that are HTTP's own; the others are those of jobs.Error.
const (
	Malformed        jobs.Code = "malformed"
	Unauthorized     jobs.Code = "unauthorized"
	MethodNotAllowed jobs.Code = "method_not_allowed"
	MediaType        jobs.Code = "unsupported_media_type"
	RateLimited      jobs.Code = "rate_limited"
	Timeout          jobs.Code = "timeout"
	StorageRefused   jobs.Code = "storage_refused"
	StorageFull      jobs.Code = "storage_full"
	Internal         jobs.Code = "internal"
)

// statusOf is the one table of codes and statuses. What is not in it is
// internal.
var statusOf = map[jobs.Code]int{
	Malformed:           http.StatusBadRequest,
	Unauthorized:        http.StatusUnauthorized,
	jobs.Forbidden:      http.StatusForbidden,
	jobs.NotFound:       http.StatusNotFound,
	MethodNotAllowed:    http.StatusMethodNotAllowed,
	Timeout:             http.StatusRequestTimeout,
	jobs.Conflict:       http.StatusConflict,
	jobs.TooLarge:       http.StatusRequestEntityTooLarge,
	MediaType:           http.StatusUnsupportedMediaType,
	jobs.Invalid:        http.StatusUnprocessableEntity,
	RateLimited:         http.StatusTooManyRequests,
	jobs.Unavailable:    http.StatusServiceUnavailable,
	jobs.ModelNotLoaded: http.StatusServiceUnavailable,
	StorageFull:         http.StatusInsufficientStorage,
	jobs.Damaged:        http.StatusInternalServerError,
	Internal:            http.StatusInternalServerError,
}

const problemJSON = "application/problem+json"

// Problem is an answer that says what is wrong, as RFC 9457 has it.
type Problem struct {
	Type   string         `json:"type" doc:"Always about:blank: the code says which problem it is."`
	Title  string         `json:"title"`
	Status int            `json:"status"`
	Detail string         `json:"detail"`
	Code   jobs.Code      `json:"code" doc:"Names the problem for programs."`
	Errors []jobs.Problem `json:"errors" nullable:"false" doc:"Every value that cannot be, by JSON pointer into the request."`
}

var (
	_           huma.StatusError       = (*Problem)(nil)
	_           huma.ContentTypeFilter = (*Problem)(nil)
	problemType                        = reflect.TypeFor[Problem]()
)

func newProblem(status int, code jobs.Code, detail string) *Problem {
	return &Problem{Type: "about:blank", Title: http.StatusText(status), Status: status, Detail: detail, Code: code, Errors: []jobs.Problem{}}
}

// maxErrors is how many values that cannot be are listed. Nobody reads more, and
// a hostile request may have any number of them.
const maxErrors = 1000

// list sets what is wrong, and says how much of it is left out.
func (p *Problem) list(all []jobs.Problem) {
	p.Errors = append([]jobs.Problem{}, all[:min(len(all), maxErrors)]...)
	if more := len(all) - maxErrors; more > 0 {
		p.Errors = append(p.Errors, jobs.Problem{Detail: fmt.Sprintf("and %d more", more)})
	}
}

// Error implements error.
func (p *Problem) Error() string { return p.Detail }

// GetStatus implements huma.StatusError.
func (p *Problem) GetStatus() int { return p.Status }

// ContentType implements huma.ContentTypeFilter.
func (p *Problem) ContentType(string) string { return problemJSON }

// ProblemOf turns any error into what its user may see of it. An error without
// a code is the system's own and is logged here, once.
func ProblemOf(ctx context.Context, err error) *Problem {
	var p *Problem
	if errors.As(err, &p) {
		return p
	}
	var known *jobs.Error
	var echoed *echo.HTTPError
	var tooLarge *http.MaxBytesError
	var damaged *record.DamagedError
	switch {
	case ctx.Err() != nil && errors.Is(err, context.Canceled):
		return newProblem(http.StatusRequestTimeout, Timeout, "the client went away")
	case errors.As(err, &known) && statusOf[known.Code] != 0:
		p = newProblem(statusOf[known.Code], known.Code, known.Detail)
		p.list(known.Problems)
		if known.Code == jobs.Unavailable {
			logOf(ctx).Warn("unavailable", "error", err, "cause", known.Err)
		}
		return p
	case errors.As(err, &echoed):
		return newProblem(echoed.Code, codeOf(echoed.Code), http.StatusText(echoed.Code))
	case errors.As(err, &tooLarge):
		return newProblem(http.StatusRequestEntityTooLarge, jobs.TooLarge, "the body is too large")
	case errors.As(err, &damaged): // it is logged where it was found
		return newProblem(http.StatusInternalServerError, jobs.Damaged, damaged.Error())
	case errors.Is(err, storage.ErrRefused):
		logOf(ctx).Error("object storage refuses a request", "error", err)
		return newProblem(http.StatusInternalServerError, StorageRefused,
			"object storage refuses what this server asks of it, and another try will not help: its log has the reason, and `api check-storage` says what the store lacks")
	case errors.Is(err, storage.ErrFull):
		logOf(ctx).Error("storage is full", "error", err)
		return newProblem(http.StatusInsufficientStorage, StorageFull, "storage is full, and nothing was stored: make room, then ask again")
	case errors.Is(err, storage.ErrUnavailable):
		logOf(ctx).Warn("unavailable", "error", err)
		return newProblem(http.StatusServiceUnavailable, jobs.Unavailable, "object storage is away: try again")
	case errors.Is(err, context.Canceled):
		return newProblem(http.StatusRequestTimeout, Timeout, "the client went away")
	}
	logOf(ctx).Error("internal error", "error", err)
	return newProblem(http.StatusInternalServerError, Internal, "internal error")
}

// codeOf is the code of a status that came without one.
func codeOf(status int) jobs.Code {
	for code, s := range statusOf {
		if s == status {
			return code
		}
	}
	if status >= 500 {
		return Internal
	}
	return Malformed
}

// writeError answers what a handler or middleware failed with.
func (s *Server) writeError(err error, c echo.Context) {
	ctx := c.Request().Context()
	if c.Response().Committed {
		logOf(ctx).Warn("after the answer had begun", "error", err)
		return
	}
	p := ProblemOf(ctx, err)
	if c.Request().Method == http.MethodHead {
		_ = c.NoContent(p.Status)
		return
	}
	if wantsPage(c.Request()) {
		if err := s.Draw(c, p.Status, &Page{Title: p.Title, Template: "error.html", Data: p}); err != nil {
			logOf(ctx).Error("drawing a problem", "error", err)
		}
		return
	}
	body, err := json.Marshal(p)
	if err != nil {
		logOf(ctx).Error("encoding a problem", "error", err)
	}
	if err := c.Blob(p.Status, problemJSON, append(body, '\n')); err != nil {
		logOf(ctx).Debug("the client went away", "error", err)
	}
}

// Huma knows one kind of error for the whole process: ours, for there is no
// other user of it here.
func init() {
	huma.NewError = func(status int, msg string, errs ...error) huma.StatusError {
		return fromHuma(context.Background(), status, msg, errs)
	}
	huma.NewErrorWithContext = func(ctx huma.Context, status int, msg string, errs ...error) huma.StatusError {
		return fromHuma(ctx.Context(), status, msg, errs)
	}
}

// fromHuma makes a problem of what huma found wrong with a request, or of what
// a handler returned.
func fromHuma(ctx context.Context, status int, msg string, errs []error) *Problem {
	if status >= http.StatusInternalServerError && len(errs) > 0 {
		return ProblemOf(ctx, errors.Join(errs...))
	}
	p := newProblem(status, codeOf(status), msg)
	for _, err := range errs {
		var whole *Problem // of a resolver
		if errors.As(err, &whole) {
			return whole
		}
		var d huma.ErrorDetailer
		if errors.As(err, &d) {
			detail := d.ErrorDetail()
			if name, ok := missingField(detail.Message); ok {
				p.Errors = append(p.Errors, jobs.Problem{Pointer: pointer(detail.Location) + "/" + escapePointer(name), Detail: "is required"})
				continue
			}
			p.Errors = append(p.Errors, jobs.Problem{Pointer: pointer(detail.Location), Detail: detail.Message})
		} else if err != nil {
			p.Errors = append(p.Errors, jobs.Problem{Detail: err.Error()})
		}
	}
	p.list(p.Errors)
	return p
}

// missingField is the field that is missing, if a message of huma's says so: it
// points at the object around it.
func missingField(message string) (name string, ok bool) {
	before, after, ok := strings.Cut(validation.MsgExpectedRequiredProperty, "%s")
	if !ok {
		return "", false
	}
	if name, ok = strings.CutPrefix(message, before); !ok {
		return "", false
	}
	return strings.CutSuffix(name, after)
}

// pointer makes a JSON pointer of a place in the body as huma writes it,
// "body.inputs[3].dp"; other places, such as "query.limit", stay.
func pointer(location string) string {
	rest, ok := strings.CutPrefix(location, "body")
	if !ok {
		return location
	}
	rest = strings.NewReplacer(".", "/", "[", "/", "]", "").Replace(rest)
	if rest != "" && rest[0] != '/' {
		rest = "/" + rest
	}
	return rest
}
