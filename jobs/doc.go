// Package jobs states what a training job is: its specification, the record
// that is the truth about it, the moves the record may make, and the tasks that
// move it.
//
// The record lives in object storage and changes only by compare-and-set. The
// queue holds tasks that name records and nothing else: an emptied queue costs
// a reconciler's round, a task delivered twice finds its record moved on. A
// stage writes its artifacts first, then the record, then enqueues what comes
// next, so that whatever is cut short is found half done and done again.
//
//	queued → preparing → training → finalizing → publishing → succeeded
//	   └─────────┴──────────┴───────────┴───────────┴→ failed, cancelled, paused
//	paused, failed → the stage that was left          succeeded → publishing
//
// Each fold has a record of its own, so that folds that train side by side do
// not contend. Whoever works on a record claims it first, by writing a fencing
// token and a lease into it; one whose token is no longer there has lost the
// work, whatever it believes, and every write it tries fails.
package jobs
