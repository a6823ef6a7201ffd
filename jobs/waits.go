package jobs

import "slices"

// Waits reports whether the job trains and no worker has any of its folds, given
// its fold records: it waits for one.
func (j *Job) Waits(folds []*Fold) bool {
	return j.State == Training && !j.Trained() && !slices.ContainsFunc(folds, func(f *Fold) bool { return f.Held() })
}

// waitsFor says what a job waits for until the first of its folds is trained, as far
// as its own records know; "" if it does not wait.
func (j *Job) waitsFor(folds []*Fold) string {
	switch {
	case j.State == Queued:
		return "waiting for a worker to prepare the data"
	case j.State == Preparing:
		return "a worker prepares the data"
	case !j.Waits(folds):
		return ""
	}
	for _, f := range folds {
		if f.Wait > 0 && f.LastError != "" {
			return "waiting to try again after an error: " + f.LastError
		}
	}
	return "waiting for a worker"
}
