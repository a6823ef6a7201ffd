// Package doctor looks through everything that a service has stored for damage,
// and repairs what can be made again from what is left.
package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"polyid-trainer/api/datasets"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/predictions"
	"polyid-trainer/jobs/records"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/storage"
	"polyid-trainer/storage/hub/hubserver"
	"polyid-trainer/storage/record"
)

// Finding is something that is damaged.
type Finding = records.Fault

// Place is what is looked through.
type Place struct {
	Bucket storage.Bucket
	Dir    string // DATA_DIR
}

// Check reads every record and what it names, and tells report of each damage. It
// returns how much of it remains: all of it without repair. With repair no service
// may be running on the place. What cannot be made again is set aside under
// damaged/, so that nothing meets it any more.
func Check(ctx context.Context, p Place, repair bool, report func(Finding)) (left int, err error) {
	tell := func(f Finding) {
		if f.Repaired == "" {
			left++
		}
		report(f)
	}
	e := &examiner{Place: p, repair: repair, report: tell}
	for _, look := range []func(context.Context) error{e.jobs, e.datasets, e.predictions, e.others, e.queue, e.hub} {
		if err := look(ctx); err != nil {
			return left, err
		}
	}
	return left, nil
}

type examiner struct {
	Place
	repair bool
	report func(Finding)
}

// jobs looks at jobs, folds, their checkpoints and models, the index and the usage.
func (e *examiner) jobs(ctx context.Context) error {
	read := func(ctx context.Context, key string) (*checkpoint.Model, error) {
		o, err := e.Bucket.Get(ctx, key)
		if err != nil {
			return nil, err
		}
		defer o.Close()
		return checkpoint.Read(o)
	}
	i := &records.Inspector{
		Store: records.New(e.Bucket), Repair: e.repair, Report: e.report, Now: time.Now,
		Model: func(ctx context.Context, key string) error { _, err := read(ctx, key); return err },
		Checkpoint: func(ctx context.Context, key string) (*jobs.Checkpoint, error) {
			m, err := read(ctx, key)
			if err != nil {
				return nil, err
			}
			s, err := m.Snapshot()
			if err != nil {
				return nil, err
			}
			c := &jobs.Checkpoint{Key: key, Time: time.Now().UTC(), Epoch: len(s.Progress.History), Step: s.Progress.Step}
			if c.Epoch > 0 {
				last := s.Progress.History[c.Epoch-1]
				best, _ := s.Progress.Best()
				c.Loss, c.ValLoss = float64(last.Loss), float64(last.ValLoss)
				c.BestValLoss, c.BestEpoch = float64(best.ValLoss), best.Epoch
			}
			return c, nil
		},
	}
	return i.Run(ctx)
}

// lost reports what nothing is left to make again from.
func (e *examiner) lost(ctx context.Context, d *record.DamagedError, lost string) error {
	f := Finding{Key: d.Key, Problem: d.Reason}
	if e.repair && !d.Newer {
		to, err := records.SetAside(ctx, e.Bucket, d.Key)
		if err != nil {
			return err
		}
		f.Repaired = fmt.Sprintf("set aside as %s: %s", to, lost)
	}
	e.report(f)
	return nil
}

// each loads every record under a prefix whose key ends in suffix.
func each[T any](ctx context.Context, e *examiner, prefix, suffix, lost string, sound func(*T) error) error {
	var found []string
	for entry, err := range e.Bucket.List(ctx, prefix) {
		if err != nil {
			return err
		}
		if strings.HasSuffix(entry.Key, suffix) {
			found = append(found, entry.Key)
		}
	}
	for _, key := range found {
		r, _, err := record.Load[T](ctx, e.Bucket, key)
		var damaged *record.DamagedError
		switch {
		case err == nil && sound != nil:
			err = sound(r.Record)
		case errors.As(err, &damaged):
			err = e.lost(ctx, damaged, lost)
		case errors.Is(err, storage.ErrNotExist): // removed meanwhile
			err = nil
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// datasets looks at the descriptions of tables, and whether the tables are there.
func (e *examiner) datasets(ctx context.Context) error {
	return each(ctx, e, keys.Datasets, "/meta.json", "upload the table again; it lies beside as table.csv", func(d *datasets.Dataset) error {
		return e.exists(ctx, keys.DatasetTable(d.ID), "the table is lost: jobs that were made of it have a copy")
	})
}

// predictions looks at the predictions and whether their results are there.
func (e *examiner) predictions(ctx context.Context) error {
	return each[predictions.Prediction](ctx, e, keys.Predictions, "/prediction.json", "the prediction is lost: ask for it again", nil)
}

// others looks at the records that nothing else leads to.
func (e *examiner) others(ctx context.Context) error {
	for prefix, lost := range map[string]string{
		keys.Idempotency: "a request that is sent again under its key counts as new", keys.HubPrefix: "the next publication makes another",
	} {
		if err := each[json.RawMessage](ctx, e, prefix, "", lost, nil); err != nil {
			return err
		}
	}
	return nil
}

// exists reports an object that should be there.
func (e *examiner) exists(ctx context.Context, key, lost string) error {
	o, err := e.Bucket.Get(ctx, key)
	if errors.Is(err, storage.ErrNotExist) {
		e.report(Finding{Key: key, Problem: "it is missing: " + lost})
		return nil
	}
	if err != nil {
		return err
	}
	return o.Close()
}

// queue looks at what the embedded Redis wrote.
func (e *examiner) queue(context.Context) error {
	name := filepath.Join(e.Dir, "redis", "snapshot")
	body, err := os.ReadFile(name)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	if json.Valid(body) {
		return nil
	}
	f := Finding{Key: name, Problem: "it is not JSON"}
	if e.repair {
		if err := os.Rename(name, name+".damaged"); err != nil {
			return err
		}
		f.Repaired = "set aside as snapshot.damaged: the queue is filled from the records when the service starts"
	}
	e.report(f)
	return nil
}

// hub looks at what the embedded Hub holds.
func (e *examiner) hub(ctx context.Context) error {
	found, err := hubserver.Check(ctx, filepath.Join(e.Dir, "hub"), e.repair)
	for _, f := range found {
		e.report(Finding{Key: strings.TrimSpace("hub/" + f.Repo + " " + f.What), Problem: f.Problem, Repaired: f.Repaired})
	}
	return err
}
