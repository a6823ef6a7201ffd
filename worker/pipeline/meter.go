package pipeline

import (
	"sync"
	"time"
)

// Meter divides a process' time among the folds it trains at once: while n are
// running, each is charged 1/n of what passes. It is safe for concurrent use.
type Meter struct {
	now func() time.Time

	mu      sync.Mutex
	last    time.Time
	running map[*Share]struct{}
}

// NewMeter makes a Meter by a clock; nil is time.Now.
func NewMeter(now func() time.Time) *Meter {
	if now == nil {
		now = time.Now
	}
	return &Meter{now: now, running: map[*Share]struct{}{}}
}

// Share is what one fold has been charged and has not yet been recorded.
type Share struct {
	meter *Meter
	owed  time.Duration
}

// divide charges the time since the last call to the folds that ran in it.
func (m *Meter) divide() {
	now := m.now()
	if n := len(m.running); n > 0 {
		if each := now.Sub(m.last) / time.Duration(n); each > 0 {
			for s := range m.running {
				s.owed += each
			}
		}
	}
	m.last = now
}

// Start begins to charge a fold, until its Share's Stop.
func (m *Meter) Start() *Share {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.divide()
	s := &Share{meter: m}
	m.running[s] = struct{}{}
	return s
}

// Stop ends the charge.
func (s *Share) Stop() {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	s.meter.divide()
	delete(s.meter.running, s)
}

// collect returns what is owed and counts it as recorded; restore takes that back
// when it could not be recorded.
func (s *Share) collect() time.Duration {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	s.meter.divide()
	d := s.owed
	s.owed = 0
	return d
}

func (s *Share) restore(d time.Duration) {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	s.owed += d
}

// Owed is what is not recorded yet.
func (s *Share) Owed() time.Duration {
	s.meter.mu.Lock()
	defer s.meter.mu.Unlock()
	s.meter.divide()
	return s.owed
}
