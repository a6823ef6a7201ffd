// Package redisjobs carries tasks, wake-ups and live progress over Redis: a
// jobs.Queue on asynq, the servers that work it off, and what a running fold
// tells and is told between checkpoints.
//
// Redis holds nothing here that may not be lost: the records say what is to be
// done, and the reconciler enqueues it again.
package redisjobs
