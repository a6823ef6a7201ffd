// Package redisjobs carries tasks, wake-ups and live progress over Redis: a
// jobs.Queue on asynq, the servers that work it off, and what a running fold
// tells and is told between checkpoints.
//
// Redis holds nothing here that may not be lost: the records say what is to be
// done, and the reconciler enqueues it again.
//
// # Which fold is next
//
// A task of most kinds is what it names. A task to train a fold only wakes up a
// worker that has a slot free: that one asks which of all the folds that wait is
// next, and package fairshare decides, by what each token was served and by the
// places of its folds. So a choice is made when a slot is free and not when a fold
// is enqueued, and a user who comes late waits for one fold to end, however many
// tasks are ahead in the queue.
//
// The queue holds at least as many tasks as folds wait that may run. Enqueue adds
// both, and whoever finds tasks missing adds them: Enqueue, which the reconciler
// calls for every fold that waits, and the end of each fold. Preparations of
// jobs and blocks of screenings are shared in the same way, each by slots and an
// account of its own: a worker does them beside the folds that it trains. A task too many finds
// nothing to do and costs three commands.
//
// The choice is atomic in Redis: no two workers are handed one fold, and no token
// runs more folds than it may. It still is only advice. The lease in the fold's
// record decides who trains it, so that an emptied Redis, a message delivered twice
// or a worker that wakes up too late cost a look at a record at most.
//
// Asking costs no request of storage and two or three scripts of Redis, whose work
// grows with the tokens that are busy and the folds that run, not with those that
// wait: TestChoiceCost counts both.
package redisjobs
