package screenings

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/fairshare"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// Reconcile enqueues whatever screenings still need: after a failure, after a crash
// between record and queue, with an emptied Redis. As the observer of leases it takes
// shards away from workers that are dead. It costs O(claims in force) for each
// screening that is not over. Enqueuing what is there already does nothing.
func (s *Store) Reconcile(ctx context.Context, q jobs.Queue, leases *lease.Observer) error {
	defer leases.EndRound()
	return s.each(ctx, q, leases.Look)
}

// TakeOver takes all work away from the workers that hold it. Only a process that
// knows all of them to be dead may call it.
func (s *Store) TakeOver(ctx context.Context, q jobs.Queue) error {
	leases := &lease.Observer{}
	return s.each(ctx, q, func(name string, l *lease.Lease) lease.Status {
		if l.Held() {
			return lease.Dead
		}
		return leases.Look(name, l)
	})
}

type look func(name string, l *lease.Lease) lease.Status

func (s *Store) each(ctx context.Context, q jobs.Queue, look look) error {
	var errs []error
	for e, err := range s.bucket.List(ctx, keys.ActiveScreenings) {
		if err != nil {
			return errors.Join(append(errs, fmt.Errorf("reconcile screenings: %w", err))...)
		}
		id := strings.TrimPrefix(e.Key, keys.ActiveScreenings)
		if err := s.repair(ctx, q, look, id, e.Key); err != nil {
			errs = append(errs, fmt.Errorf("reconcile screening %s: %w", id, err))
		}
	}
	return errors.Join(errs...)
}

// repair does what one screening needs.
func (s *Store) repair(ctx context.Context, q jobs.Queue, look look, id, entry string) error {
	x, err := s.load(ctx, id)
	switch code := jobs.ErrorCode(err); {
	case code == jobs.NotFound, code == jobs.Damaged: // being created, or for people to see to
		return nil
	case err != nil:
		return err
	}
	l, err := s.Ledger(ctx, id)
	if jobs.ErrorCode(err) == jobs.Damaged {
		_, err := s.Update(ctx, id, func(x *Screening) error {
			return x.Fail(s.now(), jobs.Failure{Code: string(jobs.Damaged), Detail: err.Error()})
		})
		return err
	}
	if err != nil {
		return err
	}
	if l, err = s.repairClaims(ctx, look, x, l); err != nil {
		return err
	}
	if l.Complete() {
		err = s.noteComplete(ctx, id)
	}
	if err == nil {
		err = s.repairDeliveries(ctx, look, x)
	}
	if err != nil {
		return err
	}
	if x, err = s.load(ctx, id); err != nil {
		return err
	}
	if x.Status.Ended() && len(l.Open) == 0 && !x.owes() {
		return s.forget(ctx, x, entry)
	}
	for _, t := range x.needed(s.now(), l, look) {
		if err := q.Enqueue(ctx, t); err != nil {
			return err
		}
	}
	return s.repairAssembly(ctx, look, x)
}

// forget removes what a screening that is over needs no longer, and its entry.
func (s *Store) forget(ctx context.Context, x *Screening, entry string) error {
	if x.Status == Succeeded {
		if err := s.clearParts(ctx, x.ID, x.Result.Attempt); err != nil {
			return err
		}
	}
	return s.bucket.Delete(ctx, entry)
}

// repairClaims ends the claims of workers that are dead, and those whose end was cut
// short; it lets ranges that have waited after a failure be claimed again.
func (s *Store) repairClaims(ctx context.Context, look look, x *Screening, l *Ledger) (*Ledger, error) {
	for _, o := range l.Open {
		e, _, err := record.Load[Claim](ctx, s.bucket, keys.ScreeningClaim(x.ID, o.Number))
		var c *Claim
		switch {
		case err == nil:
			c = e.Record
		case errors.Is(err, storage.ErrNotExist):
			c = &Claim{Number: o.Number, From: o.From, To: o.To, Next: o.From, Lease: o.Lease}
		default:
			return nil, missing(err, x.ID)
		}
		if c.Lease.Held() {
			if look(fmt.Sprintf("%s/%d", x.ID, o.Number), &c.Lease) != lease.Dead {
				continue
			}
			if c, err = s.lose(ctx, x.ID, c, e == nil); err != nil || c == nil {
				if err != nil {
					return nil, err
				}
				continue
			}
		}
		if err := s.closeClaim(ctx, x.ID, c); err != nil {
			return nil, err
		}
	}
	waited := func(r Range) bool {
		return r.Lease.Wait > 0 && look(fmt.Sprintf("%s/left/%d", x.ID, r.From), &r.Lease) == lease.Free
	}
	var free []int
	l, err := s.Ledger(ctx, x.ID)
	if err != nil {
		return nil, err
	}
	for _, r := range l.Left {
		if waited(r) {
			free = append(free, r.From)
		}
	}
	if len(free) == 0 {
		return l, nil
	}
	return record.Update(ctx, s.bucket, keys.ScreeningLedger(x.ID), func(l *Ledger) error {
		for i := range l.Left {
			for _, from := range free {
				if l.Left[i].From == from {
					l.Left[i].Lease.Wait = 0
				}
			}
		}
		return nil
	})
}

// lose takes a claim away from a worker that is dead; nil if that has shown itself
// since. A claim that was never stored (fresh) is stored as lost, so that the worker
// finds it so.
func (s *Store) lose(ctx context.Context, id string, seen *Claim, fresh bool) (*Claim, error) {
	policy, giveUp := jobs.PolicyOf(jobs.Screen), false
	lost := *seen
	var err error
	if fresh {
		if giveUp, err = lost.Lease.Lose(&seen.Lease, policy); err == nil {
			err = record.Create(ctx, s.bucket, keys.ScreeningClaim(id, seen.Number), &lost)
		}
	} else {
		var c *Claim
		c, err = record.Update(ctx, s.bucket, keys.ScreeningClaim(id, seen.Number), func(c *Claim) (err error) {
			giveUp, err = c.Lease.Lose(&seen.Lease, policy)
			return err
		})
		if err == nil {
			lost = *c
		}
	}
	switch {
	case errors.Is(err, lease.ErrChanged), errors.Is(err, storage.ErrConflict), errors.Is(err, storage.ErrNotExist):
		return nil, nil
	case err != nil:
		return nil, err
	}
	if giveUp {
		if err := s.giveUp(ctx, id, &lost.Lease); err != nil {
			return nil, err
		}
	}
	return &lost, nil
}

// repairAssembly takes the assembly away from a worker that is dead.
func (s *Store) repairAssembly(ctx context.Context, look look, x *Screening) error {
	if !x.Assembly.Held() || look(x.ID+"/assembly", &x.Assembly) != lease.Dead {
		return nil
	}
	seen := x.Assembly
	_, err := s.Update(ctx, x.ID, func(x *Screening) error { return x.loseAssembler(s.now(), &seen) })
	if errors.Is(err, lease.ErrChanged) {
		return nil
	}
	return err
}

func deliveryLease(id string, d *jobs.Delivery) string { return id + "/webhooks/" + d.WebhookID }

// repairDeliveries takes webhooks away from processes that died over them. After too
// many there is no other attempt.
func (s *Store) repairDeliveries(ctx context.Context, look look, x *Screening) error {
	for _, d := range x.Deliveries {
		if !d.Lease.Held() || look(deliveryLease(x.ID, &d), &d.Lease) != lease.Dead {
			continue
		}
		_, err := s.Update(ctx, x.ID, func(x *Screening) error {
			for i := range x.Deliveries {
				if now := &x.Deliveries[i]; now.WebhookID == d.WebhookID {
					giveUp, err := now.Lease.Lose(&d.Lease, jobs.PolicyOf(jobs.Notify))
					if giveUp {
						now.NextAttemptAt = nil
					}
					return err
				}
			}
			return record.ErrSame
		})
		if err != nil && !errors.Is(err, lease.ErrChanged) {
			return err
		}
	}
	return nil
}

// Task is the task that a screening calls for while blocks wait to be claimed. Each
// claim makes the next one another task, so that there is one in the queue for each
// screening, whatever the number of workers.
func Task(x *Screening, claims int) jobs.Task {
	return jobs.Task{Kind: jobs.Screen, Job: x.ID, Attempt: claims, Owner: x.Owner, Place: fairshare.Place(fairshare.Normal, x.CreatedAt, 0, 0)}
}

// AssembleTask is the task to put the results together.
func AssembleTask(x *Screening) jobs.Task {
	return jobs.Task{Kind: jobs.Assemble, Job: x.ID, Attempt: x.Assembly.Attempt}
}

// needed are the tasks that the record calls for now.
func (s *Screening) needed(now time.Time, l *Ledger, look look) (ts []jobs.Task) {
	for i := range s.Deliveries {
		d := &s.Deliveries[i]
		if d.NextAttemptAt != nil && !now.Before(*d.NextAttemptAt) && look(deliveryLease(s.ID, d), &d.Lease) == lease.Free {
			ts = append(ts, jobs.Task{Kind: jobs.Notify, Job: s.ID, Attempt: d.Event<<8 | len(d.Attempts)}) // see jobs.NotifyTask
		}
	}
	switch {
	case !s.Status.Active():
	case s.Complete:
		if !s.Assembly.Held() && look(s.ID+"/assembly", &s.Assembly) == lease.Free {
			ts = append(ts, AssembleTask(s))
		}
	case l.Waiting():
		ts = append(ts, Task(s, l.Claims))
	}
	return ts
}

func (s *Screening) owes() bool {
	for _, d := range s.Deliveries {
		if d.NextAttemptAt != nil {
			return true
		}
	}
	return false
}
