package lease

import (
	"sync"
	"time"
)

// Observer decides, by looking at leases again and again, which of them are lost.
// The zero Observer is ready; it is safe for concurrent use. Each process has its
// own, and keeps it for as long as it runs.
type Observer struct {
	Length time.Duration    // of the leases; 0 is 20 s
	Now    func() time.Time // nil is time.Now; only differences count

	mu    sync.Mutex
	seen  map[string]sight
	round int
}

// sight is since when a lease has looked as it does.
type sight struct {
	state
	since time.Time
	round int // of the last look
}

// Status is how a lease stands, as far as the observer has seen.
type Status int

// The statuses.
const (
	Free    Status = iota // to be claimed
	Waiting               // to be claimed later, after a failure
	Held                  // by a worker that is alive, or has not been dead for long enough to tell
	Dead                  // held by a worker that has not renewed it for its length: see Lease.Lose
)

// Look looks at the lease of that name, which is the caller's to choose.
func (o *Observer) Look(name string, l *Lease) Status {
	if !l.Held() && l.Wait <= 0 {
		return Free
	}
	unchanged := o.unchanged(name, l)
	length := o.Length
	if length <= 0 {
		length = Length
	}
	switch {
	case !l.Held() && unchanged >= time.Duration(l.Wait*float64(time.Second)):
		return Free
	case !l.Held():
		return Waiting
	case unchanged >= length:
		return Dead
	}
	return Held
}

// unchanged is for how long the lease has looked as it does now.
func (o *Observer) unchanged(name string, l *Lease) time.Duration {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := o.now()
	s, known := o.seen[name]
	if !known || s.state != l.state() {
		s = sight{state: l.state(), since: now}
	}
	s.round = o.round
	if o.seen == nil {
		o.seen = map[string]sight{}
	}
	o.seen[name] = s
	return now.Sub(s.since)
}

// EndRound forgets the leases that were not looked at since the last call. It is
// to be called after each look at all of them.
func (o *Observer) EndRound() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for name, s := range o.seen {
		if s.round != o.round {
			delete(o.seen, name)
		}
	}
	o.round++
}

func (o *Observer) now() time.Time {
	if o.Now == nil {
		return time.Now()
	}
	return o.Now()
}
