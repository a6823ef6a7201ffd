package jobs

import (
	"fmt"
	"strings"
)

// CheckRecord reports what cannot be true of a job read from key, so that a
// damaged record is found when it is read and not where it is used.
func (j *Job) CheckRecord(key string) error {
	if !ValidID(TrainingJobPrefix, j.ID) || !strings.Contains(key, j.ID) {
		return fmt.Errorf("it is the record of the job %q", j.ID)
	}
	switch j.State {
	case Queued, Preparing, Training, Finalizing, Publishing, Succeeded, Failed, Cancelled, Paused:
	default:
		return fmt.Errorf("its state is %q, which no job has", j.State)
	}
	for i, e := range j.Events {
		if e.Seq != i+1 {
			return fmt.Errorf("its event %d has the number %d", i+1, e.Seq)
		}
	}
	for _, d := range j.Deliveries {
		if d.Event < 1 || d.Event > len(j.Events) {
			return fmt.Errorf("it has a webhook for event %d of %d", d.Event, len(j.Events))
		}
	}
	return nil
}

// CheckRecord reports what cannot be true of a fold read from key.
func (f *Fold) CheckRecord(key string) error {
	if !strings.Contains(key, fmt.Sprintf("%s/folds/%d.", f.Job, f.Index)) {
		return fmt.Errorf("it is the record of fold %d of the job %q", f.Index, f.Job)
	}
	switch f.Status {
	case FoldQueued, FoldRunning, FoldPaused, FoldSucceeded, FoldFailed, FoldCancelled:
	default:
		return fmt.Errorf("its status is %q, which no fold has", f.Status)
	}
	if f.Status == FoldSucceeded && f.Result == nil {
		return fmt.Errorf("it has succeeded and names no result")
	}
	return nil
}
