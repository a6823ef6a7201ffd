package training

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/train"
	"polyid-trainer/storage"
)

// Division is how a job's rows are divided. Rows count from 0, in the job's own
// copy of its dataset.
type Division struct {
	Object  string     `json:"object" enum:"split"`
	Folds   data.Folds `json:"folds" doc:"In the form of PolyID's load_kfold, which split.folds takes again."`
	Holdout []int      `json:"holdout" doc:"In no fold; those of a hold-out dataset count on from the last row."`
	Groups  []int32    `json:"groups" doc:"Of each row: rows of one group stay together."`
}

// History is what each finished epoch of a fold measured.
type History struct {
	Object  string        `json:"object" enum:"list"`
	Targets []string      `json:"targets" nullable:"false" doc:"Whose errors val_mae lists."`
	Data    []train.Epoch `json:"data" nullable:"false"`
}

// OutOfFold is what a fold predicts for the rows that it did not see.
type OutOfFold struct {
	Object  string              `json:"object" enum:"list"`
	Targets []checkpoint.Target `json:"targets" nullable:"false"`
	Data    []OutOfFoldRow      `json:"data" nullable:"false"`
}

// OutOfFoldRow is one row, in the targets' own units.
type OutOfFoldRow struct {
	Row       int             `json:"row" doc:"As in the job's folds."`
	Measured  []train.Measure `json:"measured" nullable:"false" doc:"Of each target; null where nobody measured it."`
	Predicted []train.Measure `json:"predicted" nullable:"false" doc:"Of each target."`
}

// maxArtifact bounds what is read of a job's objects, in bytes.
const maxArtifact = 1 << 30

// Division reads how a job's rows are divided; jobs.Conflict before the job is
// prepared.
func (s *Service) Division(ctx context.Context, id string) (*Division, error) {
	j, err := s.Store.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	d := &Division{Holdout: []int{}, Groups: []int32{}}
	err = s.read(ctx, keys.Prepared(j.ID), d)
	if errors.Is(err, storage.ErrNotExist) {
		return nil, &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf("the job is %s: its rows are divided when it is prepared", j.State)}
	}
	d.Object = "split"
	return d, err
}

// History reads a finished fold's history, or that of a running fold's newest
// checkpoint, of which only the header is read.
func (s *Service) History(ctx context.Context, id string, index int) (*History, error) {
	j, err := s.Store.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	h := &History{Object: "list", Targets: j.Spec.Targets, Data: []train.Epoch{}}
	if h.Targets == nil {
		h.Targets = []string{}
	}
	// A checkpoint is deleted as soon as another replaces it: look again.
	for range 3 {
		f, err := s.fold(ctx, id, index)
		if err != nil {
			return nil, err
		}
		err = s.read(ctx, keys.History(id, index), &h.Data)
		if !errors.Is(err, storage.ErrNotExist) {
			return h, err
		}
		if f.Checkpoint == nil {
			return h, nil
		}
		epochs, err := s.checkpointHistory(ctx, f.Checkpoint.Key)
		if errors.Is(err, storage.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("history of fold %d: %w", index, err)
		}
		h.Data = append(h.Data, epochs...)
		return h, nil
	}
	return nil, &jobs.Error{Code: jobs.Unavailable, Detail: "the fold's checkpoints are being replaced: try again"}
}

// checkpointHistory reads the epochs in a checkpoint's header.
func (s *Service) checkpointHistory(ctx context.Context, key string) ([]train.Epoch, error) {
	o, err := s.Bucket.Get(ctx, key)
	if err != nil {
		return nil, err
	}
	defer o.Close()
	m, err := checkpoint.Describe(o)
	if err != nil || m.Training == nil {
		return nil, err
	}
	return m.Training.Progress.History, nil
}

// OutOfFold reads the predictions of a fold that has ended; jobs.Conflict before
// that.
func (s *Service) OutOfFold(ctx context.Context, id string, index int) (*OutOfFold, error) {
	if _, err := s.Store.Job(ctx, id); err != nil {
		return nil, err
	}
	if _, err := s.fold(ctx, id, index); err != nil {
		return nil, err
	}
	o := &OutOfFold{Object: "list", Targets: []checkpoint.Target{}, Data: []OutOfFoldRow{}}
	err := s.read(ctx, keys.Scored(id, index), o)
	if errors.Is(err, storage.ErrNotExist) {
		return nil, &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf("fold %d has not been scored yet: that happens when its training ends", index)}
	}
	return o, err
}

// fold reads a fold's record.
func (s *Service) fold(ctx context.Context, id string, index int) (*jobs.Fold, error) {
	folds, err := s.Store.Folds(ctx, id)
	if err != nil {
		return nil, err
	}
	if index < 0 || index >= len(folds) {
		return nil, &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("the job has no fold %d (yet)", index)}
	}
	return folds[index], nil
}

// read decodes a JSON object of storage.
func (s *Service) read(ctx context.Context, key string, into any) error {
	o, err := s.Bucket.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	defer o.Close()
	body, err := io.ReadAll(io.LimitReader(o, maxArtifact))
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return &jobs.Error{Code: jobs.Damaged, Detail: fmt.Sprintf("%s is damaged: %v", key, err), Err: err}
	}
	return nil
}

// Dataset opens the job's own copy of its table, a CSV whose rows are those of
// its folds. The caller closes it.
func (s *Service) Dataset(ctx context.Context, id string) (io.ReadCloser, error) {
	j, err := s.Store.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	return s.Bucket.Get(ctx, keys.Dataset(j.ID))
}
