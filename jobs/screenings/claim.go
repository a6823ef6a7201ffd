package screenings

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// ErrKernel means that a screening's shards are computed with other kernels than
// the worker's: its results would differ in the last bits.
var ErrKernel = errors.New("the screening is computed with another kernel")

// Block is a worker's claim on some shards.
type Block struct {
	*Screening
	More bool // there are others to claim
	// Again says that the shards were claimed before, so that some may be stored.
	Again bool
	First string // the kernel of the screening's first claim

	store  *Store
	holder *lease.Holder

	mu    sync.Mutex // held while the claim is changed
	claim *Claim
}

// Next is the first shard that is not done.
func (b *Block) Next() int { return b.now().Next }

// To is the shard behind the block's last.
func (b *Block) To() int { return b.now().To }

// Claims is the number of claims up to this one, which names the task for the next.
func (b *Block) Claims() int { return b.now().Number + 1 }

func (b *Block) now() Claim {
	b.mu.Lock()
	defer b.mu.Unlock()
	return *b.claim
}

// Claim claims shards for the worker that holds h and computes with kernel. It is nil
// without an error where there is nothing to do, for now.
func (s *Store) Claim(ctx context.Context, id string, h *lease.Holder, worker, kernel string) (*Block, error) {
	x, err := s.load(ctx, id)
	if jobs.ErrorCode(err) == jobs.NotFound {
		return nil, nil
	}
	if err != nil || !x.Status.Active() || x.Complete {
		return nil, err
	}
	b := &Block{Screening: x, store: s, holder: h}
	l, err := record.Update(ctx, s.bucket, keys.ScreeningLedger(id), func(l *Ledger) (err error) {
		b.claim = nil
		if b.over(l.Tally) {
			return record.ErrSame
		}
		if l.Kernel != "" && l.Kernel != kernel && !x.Spec.AnyKernel {
			if l.Waiting() {
				return ErrKernel
			}
			return record.ErrSame
		}
		if b.claim, err = l.claim(s.now(), h, worker); err == nil && b.claim == nil {
			return record.ErrSame
		}
		if l.Kernel == "" {
			l.Kernel = kernel
		}
		return err
	})
	if err != nil {
		return nil, missing(err, id)
	}
	if b.claim == nil {
		if b.over(l.Tally) {
			_, err = s.Update(ctx, id, func(x *Screening) error { return x.Pause(s.now(), "budget") })
		}
		return nil, err
	}
	b.More, b.Again, b.First = l.Waiting(), b.claim.Lease.Attempt > 1, l.Kernel
	err = record.Create(ctx, s.bucket, keys.ScreeningClaim(id, b.claim.Number), b.claim)
	if err != nil && !errors.Is(err, storage.ErrConflict) {
		return nil, fmt.Errorf("screening %s: %w", id, err) // its lease lapses
	}
	if x.Status == Queued {
		_, err = s.Update(ctx, id, func(x *Screening) error { return x.start(s.now()) })
		if jobs.ErrorCode(err) == jobs.Conflict { // paused or cancelled this moment
			return nil, b.Leave(ctx)
		}
	}
	return b, err
}

// State reads a record and its ledger, whoever asks.
func (s *Store) State(ctx context.Context, id string) (*Screening, *Ledger, error) {
	x, err := s.load(ctx, id)
	if err != nil {
		return nil, nil, err
	}
	l, err := s.Ledger(ctx, id)
	return x, l, err
}

// over reports whether a tally has spent what the screening may cost.
func (b *Block) over(t Tally) bool {
	most := b.Spec.MaxCostUSD
	return most != nil && t.USD >= *most
}

// update changes the claim under its token.
func (b *Block) update(ctx context.Context, change func(*Claim) error) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, err := record.Update(ctx, b.store.bucket, keys.ScreeningClaim(b.ID, b.claim.Number), func(c *Claim) error {
		if err := c.Lease.Check(b.holder.Token); err != nil {
			return err
		}
		return change(c)
	})
	if errors.Is(err, storage.ErrNotExist) {
		return jobs.ErrLost
	}
	if err == nil {
		b.claim = c
	}
	return err
}

// Renew renews the lease, and says how many rows of the shard at hand are done. It is
// lease.ErrStop where the screening is no longer to be worked on.
func (b *Block) Renew(ctx context.Context, hint int64) error {
	x, err := b.store.load(ctx, b.ID)
	if jobs.ErrorCode(err) == jobs.NotFound {
		return fmt.Errorf("%w: the screening was deleted", jobs.ErrLost)
	}
	if err != nil {
		return err
	}
	if !x.Status.Active() {
		return fmt.Errorf("%w: the screening is %s", lease.ErrStop, x.Status)
	}
	return b.update(ctx, func(c *Claim) error {
		c.Hint = hint
		return b.holder.Renew(&c.Lease, b.store.now())
	})
}

// ShardDone notes that the next shard is stored, and what came of it.
func (b *Block) ShardDone(ctx context.Context, shard int, t Tally) error {
	return b.update(ctx, func(c *Claim) error {
		if c.Next != shard { // noted by a write whose answer was lost
			return record.ErrSame
		}
		c.Next, c.Hint = shard+1, 0
		c.Tally.add(t)
		c.Lease.Progress()
		c.Lease.Failures = 0
		return b.holder.Renew(&c.Lease, b.store.now())
	})
}

// Leave ends the claim: what is done counts, and others may claim the rest at once.
func (b *Block) Leave(ctx context.Context) error {
	return b.end(ctx, func(c *Claim) error {
		if c.Next == c.To {
			return c.Lease.Succeed(b.holder.Token)
		}
		return c.Lease.Release(b.holder.Token)
	})
}

// Fail ends the claim after an error, which counts against the shards that are not
// done: after too many the screening has failed.
func (b *Block) Fail(ctx context.Context, cause error) error {
	giveUp := false
	err := b.end(ctx, func(c *Claim) (err error) {
		giveUp, err = c.Lease.Fail(b.holder.Token, jobs.PolicyOf(jobs.Screen), cause)
		return err
	})
	if err != nil || !giveUp {
		return err
	}
	last := b.now().Lease
	return b.store.giveUp(ctx, b.ID, &last)
}

func (s *Store) giveUp(ctx context.Context, id string, l *lease.Lease) error {
	_, err := s.Update(ctx, id, func(x *Screening) error { return x.Fail(s.now(), jobs.GaveUp(jobs.Screen, l, nil)) })
	return err
}

func (b *Block) end(ctx context.Context, free func(*Claim) error) error {
	if err := b.update(ctx, free); err != nil {
		return err
	}
	last := b.now()
	return b.store.closeClaim(ctx, b.ID, &last)
}

// closeClaim enters a claim whose lease is free into the ledger, and removes it. Cut
// short, it is finished by the reconciler.
func (s *Store) closeClaim(ctx context.Context, id string, c *Claim) error {
	l, err := record.Update(ctx, s.bucket, keys.ScreeningLedger(id), func(l *Ledger) error {
		if l.find(c.Number) < 0 {
			return record.ErrSame
		}
		l.end(c)
		return nil
	})
	if err != nil {
		return missing(err, id)
	}
	if err := s.bucket.Delete(ctx, keys.ScreeningClaim(id, c.Number)); err != nil {
		return fmt.Errorf("screening %s: %w", id, err)
	}
	if !l.Complete() {
		return nil
	}
	return s.noteComplete(ctx, id)
}

// noteComplete notes in the record that all shards are done.
func (s *Store) noteComplete(ctx context.Context, id string) error {
	_, err := s.Update(ctx, id, func(x *Screening) error {
		if x.Complete || !x.Status.Active() {
			return record.ErrSame
		}
		return x.complete(s.now())
	})
	return err
}

// NoteDifference notes a difference between two kernels' predictions of the same
// rows.
func (s *Store) NoteDifference(ctx context.Context, id string, d float64) error {
	_, err := record.Update(ctx, s.bucket, keys.ScreeningLedger(id), func(l *Ledger) error {
		if !(d > l.MaxDifference) {
			return record.ErrSame
		}
		l.MaxDifference = d
		return nil
	})
	return err
}

// Assembly is a worker's claim on putting the results together.
type Assembly struct {
	*Screening
	Attempt int

	store  *Store
	holder *lease.Holder
}

// Assemble claims the assembly; nil without an error where there is none to do.
func (s *Store) Assemble(ctx context.Context, id string, h *lease.Holder, worker string) (*Assembly, error) {
	x, err := s.Update(ctx, id, func(x *Screening) error { return x.beginAssembly(s.now(), h, worker) })
	switch code := jobs.ErrorCode(err); {
	case lease.IsHeld(err), code == jobs.Conflict, code == jobs.NotFound:
		return nil, nil
	case err != nil:
		return nil, err
	}
	return &Assembly{Screening: x, Attempt: x.Assembly.Attempt, store: s, holder: h}, nil
}

// Renew renews the lease of the assembly.
func (a *Assembly) Renew(ctx context.Context) error {
	_, err := a.store.Update(ctx, a.ID, func(x *Screening) error {
		if !x.Status.Active() {
			return fmt.Errorf("%w: the screening is %s", lease.ErrStop, x.Status)
		}
		return a.holder.Renew(&x.Assembly, a.store.now())
	})
	if jobs.ErrorCode(err) == jobs.NotFound {
		return fmt.Errorf("%w: the screening was deleted", jobs.ErrLost)
	}
	return err
}

// Succeed ends the screening with its results, and removes what they were made of.
func (a *Assembly) Succeed(ctx context.Context, r Result) error {
	r.Attempt = a.Attempt
	_, err := a.store.Update(ctx, a.ID, func(x *Screening) error { return x.Succeed(a.store.now(), a.holder.Token, r) })
	if err != nil {
		return err
	}
	return a.store.clearParts(ctx, a.ID, a.Attempt)
}

// clearParts removes what a finished screening needs no longer: its parts, and
// results that were not finished.
func (s *Store) clearParts(ctx context.Context, id string, attempt int) error {
	if err := s.clear(ctx, keys.ScreeningParts(id), ""); err != nil {
		return err
	}
	for n := 1; n <= attempt; n++ {
		if err := s.clear(ctx, keys.ScreeningScratch(id, n), ""); err != nil {
			return err
		}
		if n < attempt {
			if err := s.clear(ctx, keys.ScreeningResults(id, n), ""); err != nil {
				return err
			}
		}
	}
	return s.clear(ctx, keys.ScreeningModel(id), "")
}

// Leave releases the assembly for another worker.
func (a *Assembly) Leave(ctx context.Context) error {
	_, err := a.store.Update(ctx, a.ID, func(x *Screening) error { return x.Assembly.Release(a.holder.Token) })
	return err
}

// Fail ends the claim after an error. hopeless is why no other attempt can do better;
// nil if one may.
func (a *Assembly) Fail(ctx context.Context, cause error, hopeless *jobs.Failure) error {
	_, err := a.store.Update(ctx, a.ID, func(x *Screening) error {
		return x.failAssembly(a.store.now(), a.holder.Token, cause, hopeless)
	})
	return err
}

// Resume goes on with a screening that is paused or has failed.
func (s *Store) Resume(ctx context.Context, id string) (*Screening, error) {
	x, err := s.Update(ctx, id, func(x *Screening) error { return x.Resume(s.now()) })
	if err != nil {
		return nil, err
	}
	_, err = record.Update(ctx, s.bucket, keys.ScreeningLedger(id), func(l *Ledger) error {
		if len(l.Left) == 0 {
			return record.ErrSame
		}
		for i := range l.Left {
			l.Left[i].Lease.Reset()
		}
		return nil
	})
	return x, err
}
