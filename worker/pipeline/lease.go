package pipeline

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/storage"
)

// Lease is how long a claim holds without being renewed, and how often it is
// renewed. Zero fields are jobs.Lease and jobs.RenewEvery.
type Lease struct {
	For   time.Duration
	Renew time.Duration
}

func (l Lease) withDefaults() Lease {
	if l.For == 0 {
		l.For = jobs.Lease
	}
	if l.Renew == 0 {
		l.Renew = jobs.RenewEvery
	}
	return l
}

// extend makes a claim that was just taken or renewed hold for l.
func (l Lease) extend(c *jobs.Claim, now time.Time) { c.Until = now.Add(l.withDefaults().For) }

// deadline is when a claim lapses, as last heard. It may be asked and set by
// several goroutines.
type deadline struct{ nanos atomic.Int64 }

func (d *deadline) set(t time.Time)           { d.nanos.Store(t.UnixNano()) }
func (d *deadline) passed(now time.Time) bool { return now.UnixNano() >= d.nanos.Load() }

// keeper renews a claim.
type keeper struct {
	lease Lease
	until *deadline
	renew func(context.Context) error // and sets until
	now   func() time.Time
	after func(time.Duration) <-chan time.Time
	log   *slog.Logger
}

// keep renews the claim until ctx ends. It ends ctx through lost, with
// jobs.ErrLost as the cause, when the claim is another's, or may be because it
// has lapsed unrenewed; and with what renew returns when that is a Stop.
func (k *keeper) keep(ctx context.Context, lost context.CancelCauseFunc) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-k.after(k.lease.withDefaults().Renew):
		}
		err := k.within(ctx)
		var stop Stop
		switch {
		case err == nil:
		case errors.As(err, &stop):
			lost(stop)
			return
		case isLost(err):
			lost(jobs.ErrLost)
			return
		case k.until.passed(k.now()):
			lost(unrenewed(err))
			return
		case ctx.Err() == nil:
			k.log.Warn("renewing the claim, will try again", "error", err)
		}
	}
}

// within renews the claim, and gives up on storage that says nothing for as long
// as the claim holds.
func (k *keeper) within(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, k.lease.withDefaults().For)
	defer cancel()
	return k.renew(ctx)
}

// unrenewed is the error of renewing a claim that has lapsed: unless it is a
// Stop, the claim may be another's by now.
func unrenewed(err error) error {
	if err == nil || isStop(err) || isLost(err) {
		return err
	}
	return fmt.Errorf("%w: the claim could not be renewed (%w)", jobs.ErrLost, err)
}

// isLost reports whether an update of a record failed because the claim is no
// longer there, or the record itself.
func isLost(err error) bool {
	return errors.Is(err, jobs.ErrLost) || errors.Is(err, storage.ErrNotExist) || jobs.ErrorCode(err) == jobs.NotFound
}

// Stop ends work from outside, as its context's cause. A fold's checkpoint is
// saved unless it is cancelled, and its record left with the status.
type Stop struct{ Status jobs.FoldStatus }

func (s Stop) Error() string { return "the job goes on no further: the fold is " + string(s.Status) }

func isStop(err error) bool {
	var stop Stop
	return errors.As(err, &stop)
}
