package records

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// freeze writes the bodies of the deliveries that j owes beyond the first known
// ones, as the job is at this moment. It comes before the record that names
// them, so that none can be owed without its body; one whose record was not
// written after all is found by nobody and goes with the job.
func (s *Store) freeze(ctx context.Context, j *jobs.Job, known int) error {
	if len(j.Deliveries) <= known {
		return nil
	}
	folds, err := s.Folds(ctx, j.ID)
	if err != nil {
		return err
	}
	for _, d := range j.Deliveries[known:] {
		e := j.Events[d.Event-1]
		body, err := jobs.WebhookBody(e, jobs.NewView(e.Time, j, folds, nil, 0))
		if err != nil {
			return fmt.Errorf("webhook %s: %w", d.WebhookID, err)
		}
		_, err = s.bucket.Put(ctx, keys.Webhook(j.ID, d.WebhookID), bytes.NewReader(body), int64(len(body)), storage.Condition{})
		if err != nil {
			return fmt.Errorf("webhook %s: %w", d.WebhookID, err)
		}
	}
	return nil
}

// WebhookBody is the body of a job's webhook as it was frozen when its event
// happened: the same bytes at every attempt.
func (s *Store) WebhookBody(ctx context.Context, job, webhook string) ([]byte, error) {
	if !jobs.ValidID(jobs.TrainingJobPrefix, job) || !jobs.ValidID(jobs.EventPrefix, webhook) {
		return nil, noHook(job, webhook)
	}
	body, err := record.Bytes(ctx, s.bucket, keys.Webhook(job, webhook))
	if errors.Is(err, storage.ErrNotExist) {
		return nil, noHook(job, webhook)
	}
	if err != nil {
		return nil, fmt.Errorf("webhook %s: %w", webhook, err)
	}
	return body, nil
}

func noHook(job, webhook string) error {
	return &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("training job %q has no webhook %q", job, webhook)}
}
