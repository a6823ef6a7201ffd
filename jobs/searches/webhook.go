package searches

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// freeze writes the bodies of the webhooks that s owes beyond the first known ones,
// as the search is at this moment. It comes before the record that names them, so
// that none can be owed without its body.
func (st *Store) freeze(ctx context.Context, s *Search, known int) error {
	for _, d := range s.Deliveries[min(known, len(s.Deliveries)):] {
		e := s.Events[d.Event-1]
		body, err := jobs.WebhookBody(e, NewView(e.Time, s))
		if err != nil {
			return fmt.Errorf("webhook %s: %w", d.WebhookID, err)
		}
		if _, err := st.bucket.Put(ctx, keys.SearchWebhook(s.ID, d.WebhookID), bytes.NewReader(body), int64(len(body)), storage.Condition{}); err != nil {
			return fmt.Errorf("webhook %s: %w", d.WebhookID, err)
		}
	}
	return nil
}

// owes reports whether a webhook is still to be delivered.
func (s *Search) owes() bool {
	return slices.ContainsFunc(s.Deliveries, func(d jobs.Delivery) bool { return d.NextAttemptAt != nil })
}

// notify enqueues the webhooks that are due, and takes those away that a dead
// process was delivering.
func (st *Stepper) notify(ctx context.Context, s *Search) error {
	if !s.owes() || st.Leases == nil {
		return nil
	}
	for i, d := range s.Deliveries {
		if d.NextAttemptAt == nil {
			continue
		}
		name := s.ID + "/" + d.WebhookID
		if st.Leases.Look(name, &d.Lease) == lease.Dead {
			seen := d.Lease
			changed, err := st.Store.Update(ctx, s.ID, func(s *Search) error { return s.Deliveries[i].LoseWorker(&seen) })
			if errors.Is(err, lease.ErrChanged) {
				continue
			}
			if err != nil {
				return err
			}
			d = changed.Deliveries[i]
		}
		if d.NextAttemptAt == nil || st.now().Before(*d.NextAttemptAt) || st.Leases.Look(name, &d.Lease) != lease.Free {
			continue
		}
		if err := st.Queue.Enqueue(ctx, d.Task(s.ID)); err != nil {
			return err
		}
	}
	return nil
}

// Hooks is the store of webhooks of jobs and searches: to whoever delivers them, a
// search is a job of which only the webhooks count.
type Hooks struct {
	Jobs interface {
		Job(ctx context.Context, id string) (*jobs.Job, error)
		UpdateJob(ctx context.Context, id string, change func(*jobs.Job) error) (*jobs.Job, error)
		WebhookBody(ctx context.Context, job, webhook string) ([]byte, error)
	}
	Searches *Store
}

func asJob(s *Search) *jobs.Job {
	return &jobs.Job{ID: s.ID, Owner: s.Owner, Spec: jobs.Spec{Webhook: s.Spec.Webhook}, State: s.State, Events: s.Events, Deliveries: slices.Clone(s.Deliveries)}
}

// Job is the job or search with an id.
func (h Hooks) Job(ctx context.Context, id string) (*jobs.Job, error) {
	if !jobs.ValidID(jobs.SearchPrefix, id) {
		return h.Jobs.Job(ctx, id)
	}
	s, err := h.Searches.Search(ctx, id)
	if err != nil {
		return nil, err
	}
	return asJob(s), nil
}

// UpdateJob changes a job, or the webhooks of a search.
func (h Hooks) UpdateJob(ctx context.Context, id string, change func(*jobs.Job) error) (*jobs.Job, error) {
	if !jobs.ValidID(jobs.SearchPrefix, id) {
		return h.Jobs.UpdateJob(ctx, id, change)
	}
	s, err := h.Searches.Update(ctx, id, func(s *Search) error {
		j := asJob(s)
		err := change(j)
		if err == nil || errors.Is(err, record.ErrSame) {
			s.Deliveries = j.Deliveries
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	return asJob(s), nil
}

// WebhookBody is the body of a webhook as it was frozen when its event happened.
func (h Hooks) WebhookBody(ctx context.Context, id, webhook string) ([]byte, error) {
	if !jobs.ValidID(jobs.SearchPrefix, id) {
		return h.Jobs.WebhookBody(ctx, id, webhook)
	}
	missing := &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("search %q has no webhook %q", id, webhook)}
	if !jobs.ValidID(jobs.EventPrefix, webhook) {
		return nil, missing
	}
	body, err := record.Bytes(ctx, h.Searches.bucket, keys.SearchWebhook(id, webhook))
	if errors.Is(err, storage.ErrNotExist) {
		return nil, missing
	}
	if err != nil {
		return nil, fmt.Errorf("webhook %s: %w", webhook, err)
	}
	return body, nil
}
