package lease_test

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"polyid-trainer/jobs/lease"
)

// record is a lease in a store that can be away.
type record struct {
	mu    sync.Mutex
	lease lease.Lease
	away  error
}

func (r *record) update(change func(*lease.Lease) error) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away != nil {
		return r.away
	}
	l := r.lease
	if err := change(&l); err != nil {
		return err
	}
	r.lease = l
	return nil
}

func (r *record) fail(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.away = err
}

func (r *record) read() *lease.Lease {
	r.mu.Lock()
	defer r.mu.Unlock()
	l := r.lease
	return &l
}

// machine is a worker and an observer on one machine, whose clock on the wall is
// off by skew.
type machine struct {
	name string
	skew time.Duration
}

func (m machine) wall() time.Time { return time.Now().Add(m.skew) }

// work claims the record and works until it is stopped.
func (m machine) work(ctx context.Context, r *record, work func(context.Context) error) (lease.Outcome, error) {
	h := lease.NewHolder(lease.Terms{Now: m.wall}, slog.New(slog.DiscardHandler))
	if err := r.update(func(l *lease.Lease) error { return h.Claim(l, m.wall(), m.name) }); err != nil {
		return lease.Failed, err
	}
	renew := func(context.Context) error {
		return r.update(func(l *lease.Lease) error { return h.Renew(l, m.wall()) })
	}
	return h.Run(ctx, renew, work)
}

func untilDone(ctx context.Context) error {
	<-ctx.Done()
	return ctx.Err()
}

// Two machines whose clocks differ by five minutes, in either direction: nothing
// is taken from a worker that is alive, and what a dead one held is taken after
// one length, not sooner and not five minutes later.
func TestSkew(t *testing.T) {
	for _, skew := range []time.Duration{-5 * time.Minute, 5 * time.Minute} {
		synctest.Test(t, func(t *testing.T) {
			r := &record{}
			holder, observer := machine{"a:1", skew}, machine{"b:1", 0}
			ctx, stop := context.WithCancel(t.Context())
			var ended sync.WaitGroup
			var outcome lease.Outcome
			ended.Go(func() { outcome, _ = holder.work(ctx, r, untilDone) })
			synctest.Wait()
			o := &lease.Observer{Now: observer.wall}
			for range 100 {
				if s := o.Look("x", r.read()); s != lease.Held {
					t.Fatalf("skew %s: a live worker's lease is %v", skew, s)
				}
				o.EndRound()
				time.Sleep(7 * time.Second)
			}
			if l := r.read(); l.Renewals < 100 || l.Worker != "a:1" {
				t.Fatalf("skew %s: %+v", skew, l)
			}
			r.fail(errors.New("cut off")) // the holder is alive, and cannot show it
			died := time.Now()
			for o.Look("x", r.read()) != lease.Dead {
				o.EndRound()
				time.Sleep(time.Second)
			}
			if took := time.Since(died); took < lease.Length-lease.Every || took > lease.Length+time.Second {
				t.Errorf("skew %s: the lease counted as lost after %s", skew, took)
			}
			ended.Wait() // by itself, before anybody else could have the work
			if outcome != lease.Lost {
				t.Errorf("skew %s: the worker that was cut off ended with outcome %v, want Lost", skew, outcome)
			}
			stop()
		})
	}
}

// The holder stops before any observer may count its lease as lost.
func TestHolderStopsFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &record{}
		o := &lease.Observer{}
		var stopped time.Time
		var ended sync.WaitGroup
		ended.Go(func() {
			machine{name: "a:1"}.work(t.Context(), r, func(ctx context.Context) error {
				<-ctx.Done()
				stopped = time.Now()
				return ctx.Err()
			})
		})
		time.Sleep(lease.Every + time.Millisecond) // it has just been renewed
		o.Look("x", r.read())
		r.fail(errors.New("cut off"))
		for o.Look("x", r.read()) != lease.Dead {
			time.Sleep(time.Millisecond)
		}
		ended.Wait()
		if !stopped.Before(time.Now()) {
			t.Errorf("the holder stopped at %s, the observer counted it as lost at %s", stopped, time.Now())
		}
	})
}

// Work ends as what stopped it says.
func TestOutcome(t *testing.T) {
	ours := errors.New("a failure")
	for name, c := range map[string]struct {
		renew error
		work  func(context.Context) error
		stop  bool
		want  lease.Outcome
	}{
		"done":                {nil, func(context.Context) error { return nil }, false, lease.Done},
		"failed":              {nil, func(context.Context) error { return ours }, false, lease.Failed},
		"interrupted":         {nil, untilDone, true, lease.Interrupted},
		"stopped by renewal":  {errors.Join(lease.ErrStop, ours), untilDone, false, lease.Stopped},
		"stopped by itself":   {nil, func(context.Context) error { return lease.ErrStop }, false, lease.Stopped},
		"lost":                {lease.ErrLost, untilDone, false, lease.Lost},
		"lost, as it notices": {nil, func(context.Context) error { return lease.ErrLost }, false, lease.Lost},
		"not renewed":         {ours, untilDone, false, lease.Lost},
		"done all the same":   {lease.ErrLost, func(ctx context.Context) error { <-ctx.Done(); return nil }, false, lease.Done},
	} {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			h := lease.NewHolder(lease.Terms{}, slog.New(slog.DiscardHandler))
			if c.stop {
				time.AfterFunc(time.Minute, cancel)
			}
			got, err := h.Run(ctx, func(context.Context) error { return c.renew }, c.work)
			if got != c.want || (err == nil) != (got == lease.Done) {
				t.Errorf("%s: outcome %v, %v; want %v", name, got, err, c.want)
			}
		})
	}
}

// A renewal that fails once is tried again, and work goes on.
func TestRenewalHiccup(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := lease.NewHolder(lease.Terms{}, slog.New(slog.DiscardHandler))
		calls := 0
		renew := func(context.Context) error {
			if calls++; calls%2 == 1 {
				return errors.New("a hiccup")
			}
			return nil
		}
		outcome, err := h.Run(t.Context(), renew, func(ctx context.Context) error {
			select {
			case <-ctx.Done():
				return context.Cause(ctx)
			case <-time.After(10 * time.Minute):
				return nil
			}
		})
		if outcome != lease.Done || calls < 100 || h.Expired() {
			t.Errorf("outcome %v, %v after %d renewals", outcome, err, calls)
		}
		time.Sleep(lease.Length)
		if !h.Expired() {
			t.Error("a length after the work ended the lease has not expired")
		}
	})
}

// After a failure the work waits, as seen by whoever looks.
func TestWaiting(t *testing.T) {
	now := noon
	o := &lease.Observer{Now: func() time.Time { return now }}
	var l lease.Lease
	if s := o.Look("x", &l); s != lease.Free {
		t.Errorf("a lease that nobody ever claimed is %v", s)
	}
	claim(t, &l, "a:1", "t")
	if _, err := l.Fail("t", policy, errors.New("x")); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		after time.Duration
		want  lease.Status
	}{{0, lease.Waiting}, {5 * time.Second, lease.Waiting}, {8 * time.Second, lease.Free}} {
		if now = now.Add(c.after); o.Look("x", &l) != c.want {
			t.Errorf("%s later the lease is %v, want %v", c.after, o.Look("x", &l), c.want)
		}
		o.EndRound()
	}
	o.EndRound() // nobody looked: it is forgotten
	if s := o.Look("x", &l); s != lease.Waiting {
		t.Errorf("looked at for the first time it is %v, want Waiting", s)
	}
}
