package lease

import (
	"errors"
	"fmt"
	"time"
)

// ErrLost means that the lease is no longer the caller's: another worker has the
// work, or may have it by now. The caller stops and writes nothing.
var ErrLost = errors.New("another worker has the work by now")

// HeldError is the error of claiming a lease that somebody holds.
type HeldError struct{ Worker string }

func (e *HeldError) Error() string {
	return fmt.Sprintf("%s is working on it: wait until it ends, or until its lease counts as lost", e.Worker)
}

// IsHeld reports whether err is, or wraps, a HeldError.
func IsHeld(err error) bool {
	var held *HeldError
	return errors.As(err, &held)
}

// Lease says who works on a record, and how earlier attempts went. The zero Lease
// is free.
type Lease struct {
	Attempt  int       `json:"attempt"`            // claims so far
	Token    string    `json:"token,omitempty"`    // of the claim in force; "" while the lease is free
	Worker   string    `json:"worker,omitempty"`   // who claimed it last, "host:pid"
	Since    time.Time `json:"since,omitzero"`     // when that was, by the worker's clock
	Until    time.Time `json:"until,omitzero"`     // one length after the last renewal, by the worker's clock: for people to read
	Renewals int       `json:"renewals,omitempty"` // of the claim in force

	Failures  int     `json:"failures,omitempty"`     // errors that another attempt may not meet
	Losses    int     `json:"losses,omitempty"`       // workers that died in a row, without progress between
	LastError string  `json:"last_error,omitempty"`   // of the last failure or loss
	Wait      float64 `json:"wait_seconds,omitempty"` // before the next attempt, from when an observer first sees it
}

// Held reports whether somebody has claimed the lease. Whether that worker is
// still alive is for an Observer to say.
func (l *Lease) Held() bool { return l.Token != "" }

// Claim gives the lease to a worker under a new token. The error is a *HeldError
// while another worker holds it. Made again with the same token it changes
// nothing.
func (l *Lease) Claim(now time.Time, worker, token string, length time.Duration) error {
	if l.Token == token && token != "" {
		return nil
	}
	if l.Held() {
		return &HeldError{l.Worker}
	}
	l.Attempt++
	l.Token, l.Worker, l.Since, l.Until, l.Renewals, l.Wait = token, worker, now.UTC(), now.Add(length).UTC(), 0, 0
	return nil
}

// Check is ErrLost unless the lease is held under token.
func (l *Lease) Check(token string) error {
	if token == "" || l.Token != token {
		return ErrLost
	}
	return nil
}

// Renew shows observers that the holder is alive.
func (l *Lease) Renew(now time.Time, token string, length time.Duration) error {
	if err := l.Check(token); err != nil {
		return err
	}
	l.Renewals++
	l.Until = now.Add(length).UTC()
	return nil
}

// Release ends the claim under token and counts nothing: the work goes on at
// once elsewhere.
func (l *Lease) Release(token string) error {
	if err := l.Check(token); err != nil {
		return err
	}
	l.free()
	return nil
}

// Succeed ends the claim under token, and with it the record of what went wrong.
func (l *Lease) Succeed(token string) error {
	if err := l.Release(token); err != nil {
		return err
	}
	l.Reset()
	return nil
}

// Fail ends the claim under token after an error that another attempt may not
// meet, and says whether there is to be none.
func (l *Lease) Fail(token string, p Policy, cause error) (giveUp bool, err error) {
	if err := l.Release(token); err != nil {
		return false, err
	}
	l.Failures++
	l.LastError = cause.Error()
	if l.Failures >= p.Failures {
		return true, nil
	}
	l.Wait = p.wait(l.Failures).Seconds()
	return false, nil
}

// Lose takes the lease away from a worker that is dead, and says whether there is
// to be no other attempt. seen is the lease as it was looked at; the error is
// ErrChanged if the worker has shown itself since.
func (l *Lease) Lose(seen *Lease, p Policy) (giveUp bool, err error) {
	if !l.Held() || l.state() != seen.state() {
		return false, ErrChanged
	}
	l.free()
	l.Losses++
	l.LastError = fmt.Sprintf("the worker %s stopped without a word", l.Worker)
	if l.Losses >= p.Losses {
		return true, nil
	}
	if l.Losses > 1 { // a machine that went away says nothing about the work
		l.Wait = p.wait(l.Losses - 1).Seconds()
	}
	return false, nil
}

// ErrChanged is the error of taking a lease away that its holder has renewed or
// released since it was looked at.
var ErrChanged = errors.New("the lease has changed since it was looked at")

// Progress forgets the workers that died: this one has come further than they.
func (l *Lease) Progress() { l.Losses = 0 }

// Reset forgets what went wrong, as when a user asks to try again.
func (l *Lease) Reset() { l.Failures, l.Losses, l.LastError, l.Wait = 0, 0, "", 0 }

func (l *Lease) free() { l.Token, l.Until, l.Renewals, l.Wait = "", time.Time{}, 0, 0 }

// state is what changes whenever the lease does. Until is in it for workers of an
// older version, which do not count renewals.
func (l *Lease) state() state {
	return state{l.Attempt, l.Token, l.Renewals, l.Until.UnixNano()}
}

type state struct {
	attempt  int
	token    string
	renewals int
	until    int64
}
