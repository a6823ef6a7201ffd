package hub

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/cenkalti/backoff/v5"
)

// request is one call. Its body is made anew for every try.
type request struct {
	method, url string
	kind        string // Content-Type of the body
	body        func() (io.ReadCloser, error)
	size        int64 // bytes of the body; -1 if not known
	header      http.Header
	once        bool // must not be repeated: the server may have acted on it
	anonymous   bool // goes without the token: the address is its own authorization
}

// do sends q, repeating it where that is allowed, and returns an answer with a
// status below 300, whose body the caller closes.
func (c *Client) do(ctx context.Context, q request) (*http.Response, error) {
	var resp *http.Response
	err := c.retry(ctx, func(err error) bool { return !q.once && errors.Is(err, ErrUnavailable) }, func() (err error) {
		resp, err = c.send(ctx, q)
		return err
	})
	return resp, err
}

// retry repeats try, as often as the client is set to, while its error is one that
// may go away.
func (c *Client) retry(ctx context.Context, again func(error) bool, try func() error) error {
	wait := &backoff.ExponentialBackOff{InitialInterval: c.backoff, Multiplier: 2, MaxInterval: 64 * c.backoff}
	_, err := backoff.Retry(ctx, func() (struct{}, error) {
		err := try()
		if err != nil && !again(err) {
			err = backoff.Permanent(err)
		}
		return struct{}{}, err
	}, backoff.WithBackOff(wait), backoff.WithMaxTries(uint(c.retries)+1), backoff.WithMaxElapsedTime(0))
	return err
}

func (c *Client) send(ctx context.Context, q request) (*http.Response, error) {
	u, err := url.Parse(q.url)
	if err != nil {
		return nil, errors.New("hub: the server named an address that is not a URL")
	}
	watch := newWatch(ctx, c.stall)
	r, err := http.NewRequestWithContext(watch.ctx, q.method, q.url, nil)
	if err != nil {
		watch.end()
		return nil, fmt.Errorf("hub: %s %s: not a request", q.method, u.Path)
	}
	if q.header != nil {
		r.Header = q.header.Clone()
	}
	if q.body != nil {
		body, err := q.body()
		if err != nil {
			watch.end()
			return nil, err
		}
		r.Body, r.ContentLength = sent{body, watch}, q.size
		if q.size == 0 {
			r.Body.Close()
			r.Body = http.NoBody
		}
		r.Header.Set("Content-Type", q.kind)
	}
	r.Header.Set("User-Agent", "polyid-trainer")
	// The server may name addresses elsewhere; the token stays at the endpoint.
	if c.token != "" && !q.anonymous && sameOrigin(u, c.base) {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	resp, err := c.http.Do(r)
	if err != nil {
		err = watch.explain(err)
		watch.end()
		return nil, c.transportError(ctx, q.method, u, err)
	}
	watch.timer.Stop()
	resp.Body = answered{resp.Body, watch}
	if resp.StatusCode < 300 {
		return resp, nil
	}
	defer resp.Body.Close()
	return nil, c.answerError(q.method, u, resp)
}

// transportError describes a request that got no answer, without its URL's query.
func (c *Client) transportError(ctx context.Context, method string, u *url.URL, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("hub: %s %s: %w", method, u.Path, context.Cause(ctx))
	}
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	return fmt.Errorf("hub: %s %s at %s: %w: %s", method, u.Path, u.Host, ErrUnavailable, c.redact(err.Error()))
}

func (c *Client) answerError(method string, u *url.URL, resp *http.Response) error {
	e := &Error{
		Method: method, Path: u.Path, Status: resp.StatusCode,
		Code: resp.Header.Get("X-Error-Code"), Message: resp.Header.Get("X-Error-Message"),
	}
	body, _ := io.ReadAll(io.LimitReader(resp.Body, maxErrorAnswer)) // a message is better than none, no more
	var answer struct{ Error, Message string }
	if e.Message == "" && json.Unmarshal(body, &answer) == nil {
		e.Message = answer.Error
		if e.Message == "" {
			e.Message = answer.Message
		}
	}
	if e.Message = c.redact(e.Message); len(e.Message) > 500 {
		e.Message = strings.ToValidUTF8(e.Message[:500], "") + "…"
	}
	e.Code = c.redact(e.Code)
	return e
}

// redact removes the token from text that came from elsewhere.
func (c *Client) redact(s string) string {
	if c.token == "" {
		return s
	}
	return strings.ReplaceAll(s, c.token, "[token]")
}

// api returns the address of an API call; each part is one path segment.
func (c *Client) api(parts ...string) string {
	s := c.base.String() + "/api"
	for _, p := range parts {
		s += "/" + url.PathEscape(p)
	}
	return s
}

// model returns the address of a call on a model repository.
func (c *Client) model(repo string, parts ...string) string {
	namespace, name, _ := strings.Cut(repo, "/")
	return c.api(append([]string{"models", namespace, name}, parts...)...)
}

// call sends in as JSON and decodes the answer into out; either may be nil.
// With once it is not repeated.
func (c *Client) call(ctx context.Context, method, address string, in, out any, once bool) error {
	q := request{method: method, url: address, once: once}
	if in != nil {
		body, err := json.Marshal(in)
		if err != nil {
			return fmt.Errorf("hub: %w", err)
		}
		q.kind, q.size = "application/json", int64(len(body))
		q.body = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(body)), nil }
	}
	resp, err := c.do(ctx, q)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if out == nil {
		return nil
	}
	return decode(resp, out)
}

// decode reads a JSON answer of limited size.
func decode(resp *http.Response, out any) error {
	path := resp.Request.URL.Path
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return fmt.Errorf("hub: %s: %w: the answer broke off", path, ErrUnavailable)
	}
	if len(body) > maxAnswer {
		return fmt.Errorf("hub: %s: the answer is larger than %d MB", path, maxAnswer>>20)
	}
	if err := json.Unmarshal(body, out); err != nil {
		return fmt.Errorf("hub: %s: the answer is not what the protocol says: %w", path, err)
	}
	return nil
}
