package httpapi

import (
	"errors"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humaecho"
	"github.com/labstack/echo/v4"
)

// Exchange gives an operation, in whose input it is embedded, the request and
// the response themselves, for bodies and answers that are no JSON.
type Exchange struct{ echo echo.Context }

// Named gives an operation, in whose input it is embedded, the id of the thing that
// it is about. It is exported because huma leaves the parameters of an embedded
// struct empty that is not.
type Named struct {
	ID string `path:"id" maxLength:"40"`
}

// Resolve implements huma.Resolver.
func (x *Exchange) Resolve(c huma.Context) []error {
	x.echo = humaecho.Unwrap(c)
	return nil
}

// mediaType is the media type of the request's body.
func (x *Exchange) mediaType() string {
	kind, _, err := mime.ParseMediaType(x.echo.Request().Header.Get("Content-Type"))
	if err != nil {
		return ""
	}
	return kind
}

// wants reports whether the client asks for a media type by name, and likes it no
// less than JSON.
func (x *Exchange) wants(kind string) bool {
	asked := quality(x.echo.Request().Header.Get("Accept"), kind)
	return asked > 0 && asked >= quality(x.echo.Request().Header.Get("Accept"), "application/json")
}

// quality is how much an Accept header likes a media type that it names, from 0
// to 1, as RFC 9110 has it; 0 if it does not name it.
func quality(accept, kind string) float64 {
	best := 0.0
	for _, part := range strings.Split(accept, ",") {
		named, params, err := mime.ParseMediaType(part)
		if err != nil || named != kind {
			continue
		}
		q := 1.0
		if text, ok := params["q"]; ok {
			if q, err = strconv.ParseFloat(text, 64); err != nil {
				continue
			}
		}
		best = max(best, q)
	}
	return best
}

// limit bounds the body in bytes.
func (x *Exchange) limit(n int64) {
	r := x.echo.Request()
	r.Body = http.MaxBytesReader(x.echo.Response(), r.Body, n)
}

// body reads the whole body, which is JSON or at least does not say otherwise.
// An empty one is of no type.
func (x *Exchange) body(limit int64) ([]byte, error) {
	if x.echo.Request().ContentLength == 0 {
		return nil, nil
	}
	if kind := x.mediaType(); kind != "" && kind != "application/json" {
		return nil, newProblem(http.StatusUnsupportedMediaType, MediaType, "the body must be application/json")
	}
	x.limit(limit)
	body, err := io.ReadAll(x.echo.Request().Body)
	var tooLarge *http.MaxBytesError
	if err != nil && !errors.As(err, &tooLarge) {
		return nil, newProblem(http.StatusBadRequest, Malformed, "the connection broke before the whole body had arrived")
	}
	return body, err
}
