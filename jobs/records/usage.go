package records

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
)

// Charge is what one worker spent on one job in one month.
type Charge struct {
	Job     string  `json:"job"`
	Owner   string  `json:"owner"` // name of the token that made the job
	Worker  string  `json:"worker"`
	Seconds float64 `json:"seconds"` // process time, divided among the folds it trained at once
	USD     float64 `json:"usd"`
}

// ledger is what the jobs that have ended used in one month. Jobs that are
// active are not in it, or not up to date: their records are.
type ledger struct {
	Jobs map[string]account `json:"jobs"`
}

// account is one job's part of a ledger.
type account struct {
	Owner   string  `json:"owner"`
	Workers []spent `json:"workers"` // one each, by name
}

// spent is what one worker spent on the job in the ledger's month.
type spent struct {
	Worker  string  `json:"worker"`
	Seconds float64 `json:"seconds"`
	USD     float64 `json:"usd"`
}

func (a account) seconds() float64 {
	var sum float64
	for _, u := range a.Workers {
		sum += u.Seconds
	}
	return sum
}

var monthForm = regexp.MustCompile(`^\d{4}-(0[1-9]|1[0-2])$`)

// Usage lists what all jobs used in a month ("2026-01", UTC), deleted ones too,
// by job, newest first, and worker. Active jobs whose records are damaged are
// left out until they are repaired. Who asks in ctx sees the usage of their own
// jobs, an admin that of all. It costs one read for all jobs that have
// ended, and those of every active job's records.
func (s *Store) Usage(ctx context.Context, month string) ([]Charge, error) {
	if !monthForm.MatchString(month) {
		return nil, &jobs.Error{Code: jobs.Invalid, Detail: fmt.Sprintf("%q is not a month, such as 2026-01", month)}
	}
	// The active ones first: one that ends meanwhile is then in both.
	accounts, err := s.activeAccounts(ctx, month)
	if err != nil {
		return nil, fmt.Errorf("usage of %s: %w", month, err)
	}
	e, _, err := load[ledger](ctx, s.bucket, keys.Usage(month))
	if err != nil && !errors.Is(err, storage.ErrNotExist) {
		return nil, fmt.Errorf("usage of %s: %w", month, damaged(err))
	}
	if err == nil {
		for id, a := range e.Record.Jobs {
			if a.seconds() > accounts[id].seconds() {
				accounts[id] = a
			}
		}
	}
	var charges []Charge
	for _, id := range slices.Backward(slices.Sorted(maps.Keys(accounts))) {
		if !access.Visible(ctx, access.Owned{Owner: accounts[id].Owner}) {
			continue
		}
		for _, u := range accounts[id].Workers {
			charges = append(charges, Charge{Job: id, Owner: accounts[id].Owner, Worker: u.Worker, Seconds: u.Seconds, USD: u.USD})
		}
	}
	return charges, nil
}

// activeAccounts reads what the jobs that are marked active used in a month.
func (s *Store) activeAccounts(ctx context.Context, month string) (map[string]account, error) {
	accounts := map[string]account{}
	for e, err := range s.bucket.List(ctx, keys.ActiveJobs) {
		if err != nil {
			return nil, err
		}
		j, err := s.Job(ctx, strings.TrimPrefix(e.Key, keys.ActiveJobs))
		code := jobs.ErrorCode(err)
		if code == jobs.NotFound || code == jobs.Damaged || err == nil && j.State == jobs.Queued {
			continue
		}
		if err != nil {
			return nil, err
		}
		folds, err := s.Folds(ctx, j.ID)
		if jobs.ErrorCode(err) == jobs.Damaged {
			continue
		}
		if err != nil {
			return nil, err
		}
		if a, ok := accountsOf(j, folds)[month]; ok {
			accounts[j.ID] = a
		}
	}
	return accounts, nil
}

// accountsOf sums up what a job used by month.
func accountsOf(j *jobs.Job, folds []*jobs.Fold) map[string]account {
	months := map[string]account{}
	for _, f := range folds {
		for _, u := range f.Usage {
			a := months[u.Month]
			a.Owner = j.Owner
			i := slices.IndexFunc(a.Workers, func(o spent) bool { return o.Worker == u.Worker })
			if i < 0 {
				i = len(a.Workers)
				a.Workers = append(a.Workers, spent{Worker: u.Worker})
			}
			a.Workers[i].Seconds += u.Seconds
			a.Workers[i].USD += u.USD
			months[u.Month] = a
		}
	}
	for _, a := range months {
		slices.SortFunc(a.Workers, func(x, y spent) int { return cmp.Compare(x.Worker, y.Worker) })
	}
	return months
}

// enterUsage enters what a job used into the ledgers of its months. Usage only
// grows, so an entry is never replaced by less, from records half deleted.
func (s *Store) enterUsage(ctx context.Context, j *jobs.Job, folds []*jobs.Fold) error {
	for month, a := range accountsOf(j, folds) {
		if err := s.enter(ctx, month, j.ID, a); err != nil {
			return fmt.Errorf("usage of job %s: %w", j.ID, damaged(err))
		}
	}
	return nil
}

func (s *Store) enter(ctx context.Context, month, id string, a account) error {
	for {
		_, err := update(ctx, s.bucket, keys.Usage(month), func(l *ledger) error {
			if a.seconds() <= l.Jobs[id].seconds() {
				return errSame
			}
			l.Jobs[id] = a
			return nil
		})
		if !errors.Is(err, storage.ErrNotExist) {
			return err
		}
		err = create(ctx, s.bucket, keys.Usage(month), &ledger{Jobs: map[string]account{id: a}})
		if !errors.Is(err, storage.ErrConflict) { // another job was the month's first
			return err
		}
	}
}
