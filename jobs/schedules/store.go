package schedules

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// Store keeps schedules in a bucket. It answers whoever asks in ctx: what belongs to
// another is not there.
type Store struct{ Bucket storage.Bucket }

// Create stores a new schedule.
func (s *Store) Create(ctx context.Context, sd *Schedule) error {
	if err := record.Create(ctx, s.Bucket, keys.Schedule(sd.ID), sd); err != nil {
		return fmt.Errorf("create schedule: %w", err)
	}
	return nil
}

// Get is the schedule with an id.
func (s *Store) Get(ctx context.Context, id string) (*Schedule, error) {
	if !jobs.ValidID(Prefix, id) {
		return nil, missing(id)
	}
	e, _, err := record.Load[Schedule](ctx, s.Bucket, keys.Schedule(id))
	if err != nil {
		return nil, explain(err, id)
	}
	if !access.Visible(ctx, access.Owned{Owner: e.Record.Owner}) {
		return nil, missing(id)
	}
	return e.Record, nil
}

// Page is a part of the list of schedules.
type Page struct {
	Schedules []*Schedule
	More      bool
	Damaged   int // records in between that cannot be read
}

// List lists schedules, newest first, after the one with the id after. It costs a
// read for each that there is: they are few.
func (s *Store) List(ctx context.Context, after string, limit int) (page Page, err error) {
	ids, err := s.ids(ctx)
	if err != nil {
		return Page{}, err
	}
	for _, id := range slices.Backward(ids) {
		if after != "" && id >= after {
			continue
		}
		sd, err := s.Get(ctx, id)
		switch jobs.ErrorCode(err) {
		case jobs.NotFound:
			continue
		case jobs.Damaged:
			page.Damaged++
			continue
		}
		if err != nil {
			return Page{}, err
		}
		if len(page.Schedules) == limit {
			page.More = true
			return page, nil
		}
		page.Schedules = append(page.Schedules, sd)
	}
	return page, nil
}

// ids are those of all schedules, oldest first.
func (s *Store) ids(ctx context.Context) (ids []string, err error) {
	for e, err := range s.Bucket.List(ctx, keys.Schedules) {
		if err != nil {
			return nil, fmt.Errorf("list schedules: %w", err)
		}
		if id, ok := strings.CutSuffix(strings.TrimPrefix(e.Key, keys.Schedules), ".json"); ok {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// Delete removes a schedule. The jobs that it made stay.
func (s *Store) Delete(ctx context.Context, id string) error {
	if _, err := s.Get(ctx, id); err != nil && jobs.ErrorCode(err) != jobs.Damaged {
		return err
	}
	if err := s.Bucket.Delete(ctx, keys.Schedule(id)); err != nil {
		return fmt.Errorf("delete schedule: %w", err)
	}
	return nil
}

// update changes a schedule.
func (s *Store) update(ctx context.Context, id string, change func(*Schedule) error) (*Schedule, error) {
	sd, err := record.Update(ctx, s.Bucket, keys.Schedule(id), change)
	if err != nil {
		return nil, explain(err, id)
	}
	return sd, nil
}

func missing(id string) error {
	return &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("there is no schedule %q", id)}
}

func explain(err error, id string) error {
	var damaged *record.DamagedError
	switch {
	case errors.Is(err, storage.ErrNotExist):
		return missing(id)
	case errors.As(err, &damaged):
		return &jobs.Error{Code: jobs.Damaged, Detail: damaged.Error(), Err: err}
	}
	return fmt.Errorf("schedule %s: %w", id, err)
}
