package training

import (
	"context"
	"encoding/json"

	"golang.org/x/sync/errgroup"

	"polyid-trainer/featurize"
	"polyid-trainer/jobs"
)

// readsAtOnce bounds the concurrent reads of one listing.
const readsAtOnce = 8

// Features are the names of the feature functions of atoms and bonds.
func (s *Service) Features() (atom, bond []string) {
	return featurize.AtomFeatures(), featurize.BondFeatures()
}

// Created shows a job as it was when it was submitted.
func (s *Service) Created(j *jobs.Job) jobs.View {
	return jobs.NewView(j.CreatedAt, j, nil, nil, s.CostPerHour)
}

// Get shows the job with an id.
func (s *Service) Get(ctx context.Context, id string) (jobs.View, error) {
	j, err := s.Store.Job(ctx, id)
	if err != nil {
		return jobs.View{}, err
	}
	return s.View(ctx, j)
}

// View shows a job with its folds. Live progress is left out while Redis is
// away.
func (s *Service) View(ctx context.Context, j *jobs.Job) (jobs.View, error) {
	var folds []*jobs.Fold
	if j.State != jobs.Queued && j.State != jobs.Preparing {
		var err error
		if folds, err = s.Store.Folds(ctx, j.ID); err != nil {
			return jobs.View{}, err
		}
	}
	var live []json.RawMessage
	if j.State == jobs.Training && len(folds) > 0 {
		var err error
		if live, err = s.Live.Progress(ctx, j.ID, len(folds)); err != nil {
			s.log().Warn("live progress could not be read; the job is shown without it", "job", j.ID, "error", err)
		}
	}
	v := jobs.NewView(s.now(), j, folds, live, s.CostPerHour)
	if s.Reason != nil && j.Waits(folds) {
		if reason := s.Reason(ctx, j); reason != "" {
			v.StatusReason = &reason
		}
	}
	return v, nil
}

// Page is a part of the list of jobs.
type Page struct {
	Jobs    []jobs.View
	Next    string // the id to go on after; "" at the end
	Damaged int    // jobs in between whose records cannot be read
}

// List shows the jobs that a filter selects, newest first.
func (s *Service) List(ctx context.Context, f jobs.Filter) (Page, error) {
	found, err := s.Store.Jobs(ctx, f)
	if err != nil {
		return Page{}, err
	}
	views := make([]*jobs.View, len(found.Jobs)) // nil where the folds' records are damaged
	g, each := errgroup.WithContext(ctx)
	g.SetLimit(readsAtOnce)
	for i, j := range found.Jobs {
		g.Go(func() error {
			v, err := s.View(each, j)
			if jobs.ErrorCode(err) == jobs.Damaged {
				return nil
			}
			views[i] = &v
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return Page{}, err
	}
	p := Page{Jobs: make([]jobs.View, 0, len(views)), Damaged: found.Damaged}
	for _, v := range views {
		if v == nil {
			p.Damaged++
			continue
		}
		p.Jobs = append(p.Jobs, *v)
	}
	if found.More { // also where the last job is left out
		p.Next = found.Jobs[len(found.Jobs)-1].ID
	}
	return p, nil
}
