// Package pipeline holds the stages of a training job, as workers run them.
//
//	prepare    dataset.csv → chains, folds, warnings: prepared.json; fold records
//	fold       checkpoints, the best weights, the history
//	finalize   the revision's files under model/, with what it scored
//
// A stage claims the record it works on, with a fencing token and a lease that
// it renews. It writes its artifacts to object storage first, then the record
// that names them, then enqueues what the record calls for, so that what is cut
// short leaves nothing half done and is done again by whoever comes next. What
// follows from a job's tables is made once in a process and shared by its folds.
package pipeline
