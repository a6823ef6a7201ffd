// Package searches keeps searches for hyper-parameters and moves them on: each a
// record that changes by compare-and-set and names the training jobs that are its
// trials.
//
//	searches/<id>/search.json     the record
//	searches/<id>/job/…           what every trial gets a copy of: tables, and weights to start from
//	index/searches/<id>           empty; all of them
//	index/searching/<id>          empty; those that may have something to do
//
// A search is moved on by [Stepper.Step], which may run anywhere, at any time and
// twice at once. It looks at the trials' jobs, decides in one change of the record,
// and then brings the jobs in line with it: makes those that are missing, promotes,
// pauses, cancels. The ids of the jobs stand in the record before the jobs are
// made, so that a step that is cut off anywhere is done again and makes nothing
// twice. What is decided follows from the seed and the scores alone (package
// search), never from the order in which trials end.
//
//	queued → training → finalizing → succeeded
//	   └─────────┴──────────┴→ failed, cancelled, paused      paused → what was left
//
// While a search is finalizing, the best settings are trained in full, by a job
// that is no trial: it publishes as the search's job says and outlives the search.
//
// Trials are [jobs.Job]s with a [jobs.Trial]. They train on all rows but the
// hold-out, which every one of them leaves out alike; so the score of the best on
// it is honest. Trials with equal settings share one job.
package searches
