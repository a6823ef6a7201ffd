package records

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/storage"
	"polyid-trainer/storage/record"
)

// Fault is something wrong with what is stored.
type Fault struct {
	Key      string
	Problem  string
	Repaired string // what was done about it; "" while nothing was
}

// Inspector looks through the records of jobs for damage, and repairs what can be
// made again from what lies beside it. No service may be running on the records
// while it repairs.
type Inspector struct {
	Store  *Store
	Repair bool
	// Checkpoint reads a fold's checkpoint and says how far it is.
	Checkpoint func(ctx context.Context, key string) (*jobs.Checkpoint, error)
	// Model reads a fold's finished model.
	Model  func(ctx context.Context, key string) error
	Report func(Fault)
	Now    func() time.Time
}

// createdKey is a job's record as it was created: what it is made of again when
// the record is damaged.

// putCreated writes it.
func (s *Store) putCreated(ctx context.Context, j *jobs.Job) error {
	body, err := json.Marshal(j)
	if err != nil {
		return err
	}
	_, err = s.bucket.Put(ctx, keys.Created(j.ID), bytes.NewReader(body), int64(len(body)), storage.Condition{})
	return err
}

// Run goes through all jobs and ledgers. Its error is of the storage.
func (i *Inspector) Run(ctx context.Context) error {
	ids, err := i.ids(ctx)
	if err != nil {
		return err
	}
	for _, id := range ids {
		if err := i.job(ctx, id); err != nil {
			return fmt.Errorf("inspect job %s: %w", id, err)
		}
	}
	return i.ledgers(ctx, ids)
}

// ids lists the jobs that have objects.
func (i *Inspector) ids(ctx context.Context) ([]string, error) {
	var ids []string
	for e, err := range i.Store.bucket.List(ctx, keys.Jobs) {
		if err != nil {
			return nil, err
		}
		id, _, _ := strings.Cut(strings.TrimPrefix(e.Key, keys.Jobs), "/")
		if jobs.ValidID(jobs.TrainingJobPrefix, id) && (len(ids) == 0 || ids[len(ids)-1] != id) {
			ids = append(ids, id)
		}
	}
	return ids, nil
}

// broken reports a record that cannot be read. One of a newer program stays as it
// is.
func (i *Inspector) broken(key string, err error, repair func() (string, error)) error {
	var d *record.DamagedError
	if errors.As(err, &d) && d.Newer {
		repair = nil
	}
	return i.found(key, reason(err), repair)
}

// found reports a fault, and repairs it where that is asked for and possible.
func (i *Inspector) found(key, problem string, repair func() (string, error)) error {
	f := Fault{Key: key, Problem: problem}
	var err error
	if i.Repair && repair != nil {
		f.Repaired, err = repair()
	}
	i.Report(f)
	return err
}

func (i *Inspector) job(ctx context.Context, id string) error {
	s := i.Store
	e, _, err := load[jobs.Job](ctx, s.bucket, keys.Job(id))
	switch {
	case errors.Is(err, storage.ErrNotExist):
		if _, err := s.created(ctx, id); err != nil {
			return nil // never quite created, or being deleted: the sweep takes the rest
		}
		if i.deleted(ctx, id) {
			return nil
		}
		err = i.found(keys.Job(id), "it is missing", func() (string, error) { return i.rebuild(ctx, id) })
	case record.IsDamaged(err):
		err = i.broken(keys.Job(id), err, func() (string, error) { return i.rebuild(ctx, id) })
	case err == nil && !e.Record.DeletedAt.IsZero():
		return nil
	}
	if err != nil {
		return err
	}
	if e, _, err = load[jobs.Job](ctx, s.bucket, keys.Job(id)); err != nil {
		return ignoreDamage(err) // it stays as it is
	}
	if err := i.folds(ctx, e.Record); err != nil {
		return err
	}
	return i.entries(ctx, e.Record)
}

func (i *Inspector) deleted(ctx context.Context, id string) bool {
	o, err := i.Store.bucket.Get(ctx, keys.DeletedJobs+id)
	if err != nil {
		return false
	}
	o.Close()
	return true
}

// created reads a job as it was created.
func (s *Store) created(ctx context.Context, id string) (*jobs.Job, error) {
	var j jobs.Job
	if err := s.decode(ctx, keys.Created(id), &j); err != nil {
		return nil, err
	}
	return &j, j.CheckRecord(keys.Job(id))
}

func (s *Store) decode(ctx context.Context, key string, into any) error {
	o, err := s.bucket.Get(ctx, key)
	if err != nil {
		return err
	}
	defer o.Close()
	body, err := io.ReadAll(io.LimitReader(o, 1<<30))
	if err != nil {
		return err
	}
	return json.Unmarshal(body, into)
}

// rebuild makes a job's record again as one that failed, to be resumed: from how
// it was created, what was prepared and the folds.
func (i *Inspector) rebuild(ctx context.Context, id string) (string, error) {
	s := i.Store
	j, err := s.created(ctx, id)
	if err != nil {
		return i.setAside(ctx, keys.Job(id), "its settings are lost")
	}
	j.State, j.Left = jobs.Failed, jobs.Preparing
	now := i.Now().UTC()
	j.StartedAt, j.FinishedAt = now, now
	var prepared struct {
		Data     jobs.Prepared  `json:"data"`
		Warnings []jobs.Warning `json:"warnings"`
	}
	if err := s.decode(ctx, keys.Prepared(id), &prepared); err == nil && len(prepared.Data.Folds) > 0 {
		j.Data, j.Warnings, j.Left = &prepared.Data, append(j.Warnings, prepared.Warnings...), jobs.Training
	}
	j.Reason = string(jobs.Damaged)
	j.Failure = &jobs.Failure{Code: string(jobs.Damaged), Detail: "the job's record was damaged and was made again: resume the job to go on where its folds are"}
	if err := s.bucket.Delete(ctx, keys.Job(id)); err != nil {
		return "", err
	}
	if err := errors.Join(s.mark(ctx, endedKey(j.State, id)), s.mark(ctx, keys.JobsByAge+inverted(id))); err != nil {
		return "", err
	}
	if err := create(ctx, s.bucket, keys.Job(id), j); err != nil {
		return "", err
	}
	return "made again from how the job was created and from its folds; its events and webhooks since are lost", nil
}

// folds looks at the fold records of a job that has been prepared.
func (i *Inspector) folds(ctx context.Context, j *jobs.Job) error {
	if j.Data == nil {
		return nil
	}
	for n := range j.Data.Folds {
		key := keys.Fold(j.ID, n)
		e, _, err := load[jobs.Fold](ctx, i.Store.bucket, key)
		switch {
		case errors.Is(err, storage.ErrNotExist):
			err = i.found(key, "it is missing", func() (string, error) { return i.rebuildFold(ctx, j.ID, n) })
		case record.IsDamaged(err):
			err = i.broken(key, err, func() (string, error) { return i.rebuildFold(ctx, j.ID, n) })
		case err == nil:
			err = i.artifacts(ctx, j, e.Record)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// artifacts reads what a fold's record names.
func (i *Inspector) artifacts(ctx context.Context, j *jobs.Job, f *jobs.Fold) error {
	again := func() (string, error) { return i.rebuildFold(ctx, j.ID, f.Index) }
	if f.Result != nil {
		if err := i.Model(ctx, f.Result.Model); err != nil {
			return i.found(f.Result.Model, reason(err), again)
		}
		return nil
	}
	if f.Checkpoint != nil {
		if _, err := i.Checkpoint(ctx, f.Checkpoint.Key); err != nil {
			return i.found(f.Checkpoint.Key, reason(err), again)
		}
	}
	return nil
}

var checkpointForm = regexp.MustCompile(`/checkpoints/(\d+)-\d+-\d+\.`)

// rebuildFold makes a fold's record again from the newest of its checkpoints that
// can be read. Without any the fold is trained from its beginning.
func (i *Inspector) rebuildFold(ctx context.Context, job string, index int) (string, error) {
	s := i.Store
	f := &jobs.Fold{Job: job, Index: index, Status: jobs.FoldQueued}
	var checkpoints []string
	for e, err := range s.bucket.List(ctx, keys.FoldPrefix(job, index)) {
		if err != nil {
			return "", err
		}
		if m := checkpointForm.FindStringSubmatch(e.Key); m != nil {
			checkpoints = append(checkpoints, e.Key)
			if n, err := strconv.Atoi(m[1]); err == nil { // a later attempt has keys of its own
				f.Attempt = max(f.Attempt, n)
			}
		}
	}
	for _, key := range slices.Backward(checkpoints) {
		if c, err := i.Checkpoint(ctx, key); err == nil && (f.Checkpoint == nil || c.Epoch > f.Checkpoint.Epoch || c.Epoch == f.Checkpoint.Epoch && c.Step > f.Checkpoint.Step) {
			f.Checkpoint = c
		}
	}
	if err := s.bucket.Delete(ctx, keys.Fold(job, index)); err != nil {
		return "", err
	}
	if err := create(ctx, s.bucket, keys.Fold(job, index), f); err != nil {
		return "", err
	}
	if f.Checkpoint == nil {
		return "the fold is trained again from its beginning; its usage is lost", nil
	}
	return fmt.Sprintf("the fold goes on from epoch %d; its usage is lost", f.Checkpoint.Epoch), nil
}

// entries looks for what the index lacks of a job.
func (i *Inspector) entries(ctx context.Context, j *jobs.Job) error {
	want := []string{keys.JobsByAge + inverted(j.ID)}
	if j.State.Ended() {
		want = append(want, endedKey(j.State, j.ID))
	} else {
		want = append(want, keys.ActiveJobs+j.ID)
	}
	for _, key := range want {
		o, err := i.Store.bucket.Get(ctx, key)
		if err == nil {
			o.Close()
			continue
		}
		if !errors.Is(err, storage.ErrNotExist) {
			return err
		}
		if err := i.found(key, "the index lacks the job", func() (string, error) {
			return "added", i.Store.mark(ctx, key)
		}); err != nil {
			return err
		}
	}
	return nil
}

// ledgers looks at the usage of every month. A damaged one is made again of the
// jobs that are there.
func (i *Inspector) ledgers(ctx context.Context, ids []string) error {
	var months []string
	for e, err := range i.Store.bucket.List(ctx, keys.UsagePrefix) {
		if err != nil {
			return err
		}
		months = append(months, e.Key)
	}
	for _, key := range months {
		_, _, err := load[ledger](ctx, i.Store.bucket, key)
		if !record.IsDamaged(err) {
			if err != nil {
				return err
			}
			continue
		}
		if err := i.broken(key, err, func() (string, error) {
			if err := i.Store.bucket.Delete(ctx, key); err != nil {
				return "", err
			}
			for _, id := range ids {
				j, err := i.Store.Job(ctx, id)
				if err != nil || !j.State.Ended() {
					continue
				}
				if folds, err := i.Store.Folds(ctx, id); err == nil {
					if err := i.Store.enterUsage(ctx, j, folds); err != nil {
						return "", err
					}
				}
			}
			return "made again from the jobs that are there; what deleted jobs used in the month is lost", nil
		}); err != nil {
			return err
		}
	}
	return nil
}

// setAside moves an object to where nothing reads it.
func (i *Inspector) setAside(ctx context.Context, key, lost string) (string, error) {
	to, err := SetAside(ctx, i.Store.bucket, key)
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("set aside as %s: %s", to, lost), nil
}

// SetAside moves a damaged object to damaged/<key> and returns that name.
func SetAside(ctx context.Context, b storage.Bucket, key string) (string, error) {
	to := "damaged/" + key
	o, err := b.Get(ctx, key)
	if errors.Is(err, storage.ErrNotExist) {
		return to, nil
	}
	if err != nil {
		return "", err
	}
	defer o.Close()
	if _, err := b.Put(ctx, to, o, o.Size, storage.Condition{}); err != nil {
		return "", err
	}
	return to, b.Delete(ctx, key)
}

// reason is what a damaged record's error says, without its key.
func reason(err error) string {
	var d *record.DamagedError
	if errors.As(err, &d) {
		return d.Reason
	}
	return err.Error()
}

func ignoreDamage(err error) error {
	if record.IsDamaged(err) || errors.Is(err, storage.ErrNotExist) {
		return nil
	}
	return err
}
