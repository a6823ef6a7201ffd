package lease

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"
)

// The terms of leases unless others are set: short enough that a dead worker's
// work goes on within half a minute, long enough that one slow write to object
// storage loses nothing.
const (
	Length = 20 * time.Second
	Every  = Length / 4
)

// Terms are how long a lease holds without being renewed, and how often it is
// renewed.
type Terms struct {
	Length time.Duration                        // 0 is 20 s
	Every  time.Duration                        // 0 is a quarter of Length
	Now    func() time.Time                     // nil is time.Now
	After  func(time.Duration) <-chan time.Time // nil is time.After
}

// WithDefaults fills what is not set.
func (t Terms) WithDefaults() Terms {
	if t.Length <= 0 {
		t.Length = Length
	}
	if t.Every <= 0 {
		t.Every = t.Length / 4
	}
	if t.Now == nil {
		t.Now = time.Now
	}
	if t.After == nil {
		t.After = time.After
	}
	return t
}

// ErrStop marks an error by which a renewal stops the work without the lease
// being lost: the job was paused or cancelled, for example.
var ErrStop = errors.New("the work is to stop")

// Holder is one claim of a worker on a lease, from before it is made.
type Holder struct {
	Token string // to claim and to write under

	terms Terms
	log   *slog.Logger
	began time.Time
	sent  atomic.Int64 // when the last successful renewal was sent, as a time.Duration since began
}

// NewHolder draws a token. The lease is to be claimed under it at once: its
// length counts from now.
func NewHolder(t Terms, log *slog.Logger) *Holder {
	t = t.WithDefaults()
	return &Holder{Token: rand.Text(), terms: t, log: log, began: t.Now()}
}

// Claim claims l.
func (h *Holder) Claim(l *Lease, now time.Time, worker string) error {
	return l.Claim(now, worker, h.Token, h.terms.Length)
}

// Renew renews l.
func (h *Holder) Renew(l *Lease, now time.Time) error { return l.Renew(now, h.Token, h.terms.Length) }

// left is how long the lease still holds unless it is renewed.
func (h *Holder) left() time.Duration {
	return h.terms.Length - (h.terms.Now().Sub(h.began) - time.Duration(h.sent.Load()))
}

// Expired reports whether the lease may be another's by now, because it was not
// renewed in time.
func (h *Holder) Expired() bool { return h.left() <= 0 }

// Outcome is how work under a lease ended.
type Outcome int

// The outcomes.
const (
	Done        Outcome = iota // the work returned no error
	Lost                       // the lease is another's; nothing may be written
	Stopped                    // by an error that is ErrStop
	Interrupted                // the worker was told to stop
	Failed                     // by an error of its own
)

// Run does work and renews the lease until that ends. The context of work ends
// with ctx; with the cause ErrLost when the lease is another's, or may be because
// it could not be renewed for its length; and with an error of renew that is
// ErrStop. renew writes the renewal, by Renew; it may be called once more by
// Fresh.
func (h *Holder) Run(ctx context.Context, renew, work func(context.Context) error) (Outcome, error) {
	held, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var renewing sync.WaitGroup
	renewing.Go(func() { h.keep(held, renew, stop) })
	err := work(held)
	cause := context.Cause(held)
	stop(nil)
	renewing.Wait()
	switch {
	case err == nil:
		return Done, nil
	case errors.Is(cause, ErrLost), errors.Is(err, ErrLost):
		return Lost, ErrLost
	case errors.Is(cause, ErrStop):
		return Stopped, errors.Join(err, cause)
	case errors.Is(err, ErrStop):
		return Stopped, err
	case cause != nil:
		return Interrupted, err
	}
	return Failed, err
}

// Fresh renews a lease that has expired before something is written that no
// token fences. It returns ErrLost if that cannot be.
func (h *Holder) Fresh(ctx context.Context, renew func(context.Context) error) error {
	if !h.Expired() {
		return nil
	}
	err := h.renew(ctx, renew, h.terms.Length)
	if err == nil || errors.Is(err, ErrStop) || errors.Is(err, ErrLost) {
		return err
	}
	return fmt.Errorf("%w: the lease could not be renewed (%w)", ErrLost, err)
}

// keep renews the lease until ctx ends, which it ends by stop.
func (h *Holder) keep(ctx context.Context, renew func(context.Context) error, stop context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-h.terms.After(h.terms.Every):
		}
		err := h.renew(ctx, renew, h.left())
		switch {
		case err == nil:
		case errors.Is(err, ErrStop), errors.Is(err, ErrLost):
			stop(err)
			return
		case h.Expired():
			stop(fmt.Errorf("%w: the lease could not be renewed (%w)", ErrLost, err))
			return
		case ctx.Err() == nil:
			h.log.Warn("the lease was not renewed, to be tried again", "error", err)
		}
	}
}

// renew sends a renewal, and waits no longer for an answer than patience.
func (h *Holder) renew(ctx context.Context, renew func(context.Context) error, patience time.Duration) error {
	sent := h.terms.Now().Sub(h.began)
	ctx, cancel := context.WithTimeout(ctx, max(patience, time.Millisecond))
	defer cancel()
	if err := renew(ctx); err != nil {
		return err
	}
	h.sent.Store(int64(sent))
	return nil
}
