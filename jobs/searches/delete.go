package searches

import (
	"context"
	"encoding/json"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/access"
	"polyid-trainer/storage"
)

// deleter is a jobs.Store that can remove jobs.
type deleter interface {
	DeleteJob(ctx context.Context, id string) error
}

// Delete removes a search that has ended, with the jobs of its trials. The job that
// trained the best settings stays. It is jobs.Conflict while the search, or a worker
// on one of its trials, is active. Cut short, it is finished by Reconcile.
func (st *Stepper) Delete(ctx context.Context, id string) error {
	s, err := st.Store.load(ctx, id)
	if err != nil {
		return err
	}
	if err := access.Change(ctx, owned(s), missing(storage.ErrNotExist, id)); err != nil {
		return err
	}
	if s.DeletedAt.IsZero() {
		found, err := st.look(ctx, s)
		if err != nil {
			return err
		}
		s, err = st.Store.Update(ctx, id, func(s *Search) error {
			if !s.State.Ended() {
				return conflict("a search that is %s cannot be deleted: cancel it first", s.State)
			}
			if err := s.note(st.now(), found); err != nil {
				return err
			}
			for _, t := range s.own() {
				if t.Made && !t.Closed {
					return conflict("trial %d is still being stopped: try again in half a minute", t.Index)
				}
			}
			s.DeletedAt = st.now().UTC()
			return nil
		})
		if err != nil {
			return err
		}
	}
	return st.finishDeletion(ctx, s)
}

// finishDeletion removes the trials' jobs and then the search.
func (st *Stepper) finishDeletion(ctx context.Context, s *Search) error {
	if d, ok := st.Jobs.(deleter); ok {
		for _, t := range s.own() {
			if err := d.DeleteJob(ctx, t.Job); err != nil && jobs.ErrorCode(err) != jobs.NotFound {
				return err
			}
		}
	}
	return st.Store.remove(ctx, s.ID)
}

// fingerprint is equal for equal records.
func fingerprint(s *Search) (string, error) {
	b, err := json.Marshal(s)
	return string(b), err
}
