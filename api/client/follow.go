package client

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/tmaxmax/go-sse"

	"polyid-trainer/jobs"
)

const (
	maxEvent    = 16 << 20        // bytes of one event
	readEvery   = time.Second     // at most so often is a job read while events come in
	longestWait = 5 * time.Second // before a broken stream is asked for again
	goneAfter   = 60              // tries in a row without an answer: five minutes
)

// Follow reads a job whenever something happens to it, and calls seen with
// what it found, until seen returns false. The job's event stream says when;
// when it breaks it goes on after the last event seen, for as long as the server
// is not away for minutes. broken hears of that; it may be nil.
func (c *Client) Follow(ctx context.Context, id string, seen func(*jobs.View) bool, broken func(error)) error {
	return c.follow(ctx, jobsPath+"/"+url.PathEscape(id), broken, func(ctx context.Context) (bool, error) {
		v, err := c.Job(ctx, id)
		return err != nil || seen(v), err
	})
}

const jobsPath = "/v1/training-jobs"

// follow reads what a path names, whose event stream is below it, until read says
// that it does not go on.
func (c *Client) follow(ctx context.Context, path string, broken func(error), read func(context.Context) (goesOn bool, err error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	happened := make(chan struct{}, 1)
	happened <- struct{}{} // read once before any event
	streamed := make(chan error, 1)
	go func() { streamed <- c.stream(ctx, path, happened, broken) }()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case err := <-streamed:
			return err
		case <-happened:
		}
		goesOn, err := read(ctx)
		if _, again := retryable(err); err != nil && !again {
			return err
		}
		if err != nil { // how long the server may be away is up to the stream
			signal(happened)
		} else if !goesOn {
			return nil
		}
		select { // events that come in meanwhile are one
		case <-ctx.Done():
			return ctx.Err()
		case <-c.after(readEvery):
		}
	}
}

// signal makes c readable.
func signal(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// stream listens to the events below a path, on one connection after the other, until
// ctx ends or the server is gone.
func (c *Client) stream(ctx context.Context, path string, happened chan<- struct{}, broken func(error)) error {
	last := "" // id of the last event seen
	for failures, wait := 0, firstWait; ; {
		err := c.listen(ctx, path, last, func(e sse.Event) {
			failures, wait = 0, firstWait
			if e.LastEventID != "" {
				last = e.LastEventID
			}
			signal(happened)
		})
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if _, again := retryable(err); err != nil && !again && !errors.Is(err, errBroken) {
			return err
		}
		if failures++; failures > goneAfter {
			return fmt.Errorf("follow %s: %w", path, err)
		}
		if broken != nil && failures > 1 { // a proxy that ends long streams is nothing to hear of
			broken(err)
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-c.after(wait):
		}
		wait = min(2*wait, longestWait)
	}
}

// errBroken is a stream that broke off.
var errBroken = errors.New("the event stream broke off")

// listen reads one connection's events until it ends, which is an error.
func (c *Client) listen(ctx context.Context, path, last string, event func(sse.Event)) error {
	r := request{method: http.MethodGet, path: path + "/events", accept: "text/event-stream"}
	if last != "" {
		r.header = http.Header{"Last-Event-Id": {last}}
	}
	res, err := c.send(ctx, r)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	for e, err := range sse.Read(res.Body, &sse.ReadConfig{MaxEventSize: maxEvent}) {
		if err != nil {
			return fmt.Errorf("%w: %w", errBroken, err)
		}
		event(e)
	}
	return errBroken
}
