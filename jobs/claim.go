package jobs

import (
	"fmt"
	"time"
)

// Lease is how long a claim holds without being renewed: short enough that a
// dead worker's work goes on within a minute, long enough that one slow write
// to object storage loses nothing.
const (
	Lease      = 20 * time.Second
	RenewEvery = 5 * time.Second
)

// Claim says who works on a record now. Its token fences: who holds another
// one, or none, writes nothing.
type Claim struct {
	Attempt int       `json:"attempt"`          // claims so far
	Token   string    `json:"token,omitempty"`  // of the claim in force; "" is none
	Worker  string    `json:"worker,omitempty"` // who claimed last, "host:pid"
	Since   time.Time `json:"since,omitzero"`
	Until   time.Time `json:"until,omitzero"` // when it lapses unless renewed
}

// Held reports whether a claim is in force.
func (c *Claim) Held(now time.Time) bool { return c.Token != "" && now.Before(c.Until) }

// Take puts a claim in force. It is a conflict while another one is.
func (c *Claim) Take(now time.Time, worker, token string) error {
	if c.Held(now) && c.Token != token {
		return &Error{Code: Conflict, Detail: fmt.Sprintf("%s works on it, at least until %s", c.Worker, c.Until.Format(time.RFC3339))}
	}
	if c.Token != token {
		c.Attempt++
		c.Since = now
	}
	c.Token, c.Worker, c.Until = token, worker, now.Add(Lease)
	return nil
}

// Check is ErrLost unless the claim under token is the last one taken, though
// it may have lapsed.
func (c *Claim) Check(token string) error {
	if token == "" || c.Token != token {
		return ErrLost
	}
	return nil
}

// Renew extends the claim under token.
func (c *Claim) Renew(now time.Time, token string) error {
	if err := c.Check(token); err != nil {
		return err
	}
	c.Until = now.Add(Lease)
	return nil
}

// Release ends the claim under token.
func (c *Claim) Release(token string) error {
	if err := c.Check(token); err != nil {
		return err
	}
	c.Token, c.Until = "", time.Time{}
	return nil
}
