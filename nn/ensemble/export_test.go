package ensemble

// Waiting is how many calls wait for the first fold.
func (e *Ensemble) Waiting() int {
	w := &e.folds[0].waiting
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.list)
}
