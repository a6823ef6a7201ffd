// Package client talks to the API over HTTP, as the commands do: it submits
// jobs, follows them and fetches predictions. Whatever can be repeated is
// repeated while the server restarts.
package client

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"polyid-trainer/jobs"
)

const (
	tries     = 5                      // of a request that may be repeated
	firstWait = 250 * time.Millisecond // doubled after each try: four seconds in all
	maxAnswer = 256 << 20              // bytes of a JSON answer
)

// Client talks to one server. Its methods may be called concurrently.
type Client struct {
	Server string       // "http://127.0.0.1:8080"
	Token  string       // sent as a bearer token; "" sends none
	HTTP   *http.Client // nil is http.DefaultClient
	// After is time.After if nil.
	After func(time.Duration) <-chan time.Time
}

// New checks the address of a server. It does not connect.
func New(server, token string) (*Client, error) {
	u, err := url.Parse(server)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, errors.New("the server is not an address such as http://127.0.0.1:8080")
	}
	return &Client{Server: strings.TrimRight(server, "/"), Token: token}, nil
}

// Submit asks for a training job, given the request's JSON. Asked again because
// an answer was lost, the server makes no second one.
func (c *Client) Submit(ctx context.Context, spec []byte) (*jobs.View, error) {
	var v jobs.View
	err := c.do(ctx, request{
		method: http.MethodPost, path: "/v1/training-jobs", body: spec, contentType: "application/json",
		header: http.Header{"Idempotency-Key": {rand.Text()}},
	}, &v)
	return &v, err
}

// Job reads a training job.
func (c *Client) Job(ctx context.Context, id string) (*jobs.View, error) {
	var v jobs.View
	err := c.do(ctx, request{method: http.MethodGet, path: "/v1/training-jobs/" + url.PathEscape(id)}, &v)
	return &v, err
}

// request is one exchange. It may be repeated: a GET, or one that carries an
// idempotency key.
type request struct {
	method, path string
	query        url.Values
	body         []byte
	contentType  string
	accept       string
	header       http.Header
}

// do sends a request, again while the server is away or overloaded, and decodes
// the JSON of its answer.
func (c *Client) do(ctx context.Context, r request, answer any) error {
	return c.repeat(ctx, func() error {
		res, err := c.send(ctx, r)
		if err != nil {
			return err
		}
		defer res.Body.Close()
		if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(answer); err != nil {
			return fmt.Errorf("read the answer of %s: %w", c.Server, err)
		}
		return nil
	})
}

// repeat calls try until it succeeds or fails for good.
func (c *Client) repeat(ctx context.Context, try func() error) error {
	for n, wait := 1, firstWait; ; n, wait = n+1, 2*wait {
		err := try()
		pause, again := retryable(err)
		if err == nil || !again || n == tries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.after(max(wait, pause)):
		}
	}
}

// retryable reports whether a request may succeed when it is repeated, and how
// long the server asks to wait.
func retryable(err error) (pause time.Duration, again bool) {
	var p *Problem
	if errors.As(err, &p) {
		return p.RetryAfter, p.Status == http.StatusTooManyRequests || p.Status >= 500 && p.Code != "model_not_loaded"
	}
	var away *url.Error
	return 0, errors.As(err, &away) && !errors.Is(err, context.Canceled) && !errors.Is(err, context.DeadlineExceeded)
}

// send makes a request and returns an answer that is a success.
func (c *Client) send(ctx context.Context, r request) (*http.Response, error) {
	address := c.Server + r.path
	if len(r.query) > 0 {
		address += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, address, bytes.NewReader(r.body))
	if err != nil {
		return nil, err
	}
	for name, values := range r.header {
		req.Header[name] = values
	}
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if r.accept == "" {
		r.accept = "application/json"
	}
	req.Header.Set("Accept", r.accept)
	if c.Token != "" {
		req.Header.Set("Authorization", "Bearer "+c.Token)
	}
	res, err := c.http().Do(req)
	if err != nil {
		return nil, err
	}
	if res.StatusCode < 200 || res.StatusCode > 299 {
		defer res.Body.Close()
		return nil, readProblem(res)
	}
	return res, nil
}

func (c *Client) http() *http.Client {
	if c.HTTP == nil {
		return http.DefaultClient
	}
	return c.HTTP
}

func (c *Client) after(d time.Duration) <-chan time.Time {
	if c.After == nil {
		return time.After(d)
	}
	return c.After(d)
}

// Problem is an answer that is not a success: RFC 9457 problem details.
type Problem struct {
	Status     int            `json:"status"`
	Title      string         `json:"title"`
	Detail     string         `json:"detail"`
	Code       string         `json:"code"`
	Errors     []jobs.Problem `json:"errors"`
	RetryAfter time.Duration  `json:"-"`
}

// Error lists every problem on a line of its own.
func (p *Problem) Error() string {
	var b strings.Builder
	switch {
	case p.Detail != "":
		b.WriteString(p.Detail)
	case p.Title != "":
		b.WriteString(p.Title)
	default:
		b.WriteString(http.StatusText(p.Status))
	}
	fmt.Fprintf(&b, " (%d", p.Status)
	if p.Code != "" {
		fmt.Fprintf(&b, " %s", p.Code)
	}
	b.WriteString(")")
	for _, e := range p.Errors {
		fmt.Fprintf(&b, "\n  %s: %s", e.Pointer, e.Detail)
	}
	if p.Status == http.StatusUnauthorized {
		b.WriteString("\n  put a token of the server's API_TOKENS into the environment variable API_TOKEN")
	}
	return b.String()
}

// readProblem reads what an answer complains of. Whatever is no problem
// document, of a proxy perhaps, is shown by its status.
func readProblem(res *http.Response) *Problem {
	p := &Problem{}
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil || json.Unmarshal(body, p) != nil {
		*p = Problem{}
	}
	p.Status = res.StatusCode
	if seconds, err := strconv.Atoi(res.Header.Get("Retry-After")); err == nil && seconds > 0 {
		p.RetryAfter = time.Duration(min(seconds, 60)) * time.Second
	}
	return p
}
