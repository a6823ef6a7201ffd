package hub

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"
)

// errStalled is why a request was given up that nothing came or went for.
var errStalled = errors.New("nothing came or went")

// watch gives a request up when nothing comes or goes for too long. While nobody
// wants to read the answer no time passes.
type watch struct {
	limit  time.Duration
	timer  *time.Timer
	ctx    context.Context // of the request
	cancel context.CancelCauseFunc
}

func newWatch(ctx context.Context, limit time.Duration) *watch {
	w := &watch{limit: limit}
	w.ctx, w.cancel = context.WithCancelCause(ctx)
	w.timer = time.AfterFunc(limit, func() { w.cancel(errStalled) })
	return w
}

// end lets go of the request and of all it holds.
func (w *watch) end() {
	w.timer.Stop()
	w.cancel(nil)
}

// explain says of an error that it was the watch's doing, where it was.
func (w *watch) explain(err error) error {
	if err != nil && !errors.Is(err, io.EOF) && errors.Is(context.Cause(w.ctx), errStalled) {
		return fmt.Errorf("%w for %v", errStalled, w.limit)
	}
	return err
}

// sent is the body of a request: what is read of it goes.
type sent struct {
	io.ReadCloser
	watch *watch
}

func (s sent) Read(p []byte) (int, error) {
	n, err := s.ReadCloser.Read(p)
	s.watch.timer.Reset(s.watch.limit)
	return n, err
}

// answered is the body of an answer.
type answered struct {
	io.ReadCloser
	watch *watch
}

func (a answered) Read(p []byte) (int, error) {
	a.watch.timer.Reset(a.watch.limit)
	n, err := a.ReadCloser.Read(p)
	a.watch.timer.Stop()
	return n, a.watch.explain(err)
}

// Close ends the request.
func (a answered) Close() error {
	a.watch.end()
	return a.ReadCloser.Close()
}
