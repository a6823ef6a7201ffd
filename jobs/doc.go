// Package jobs states what a training job is: its specification, the record that
// is the truth about it, the moves the record may make, and the tasks that move
// it.
//
// The record lives in object storage and changes only by compare-and-set. The
// queue holds tasks that name records and nothing else: an emptied queue costs one
// round of the [Reconciler], and a task that is delivered twice finds its record
// moved on. A stage writes its artifacts first, then the record, then enqueues
// what comes next, so that whatever is cut short is found half done and done
// again.
//
//	queued → preparing → training → finalizing → publishing → succeeded
//	   └─────────┴──────────┴───────────┴───────────┴→ failed, cancelled, paused
//	paused, failed → the stage that was left          succeeded → publishing
//
// Each fold has a record of its own, so that folds that train side by side do not
// contend. Whoever works on a record holds its lease (package lease): a token that
// fences every write, renewed while the work goes on. The reconciler is the
// observer of leases. It takes work from workers that are dead.
//
// Every kind of work has a policy ([PolicyOf]): how often it may fail, and how many
// workers in a row may die over it without progress. After that the job has
// failed, with a [Failure] that says which stage, how often, the last error and
// what to do. [Job.Resume] counts anew.
//
// # To add a stage
//
// A stage is a state, a kind of task that moves the job out of it, and a handler.
//
//  1. state.go: a State, its place in stages, and the moves that State.may allows.
//     Draw it in LIFE_OF_A_JOB.md, and add it to TestAdvance.
//  2. task.go: a Kind. reconcile.go: the Kind in stageKind, so that the reconciler
//     enqueues it whenever the record calls for it. policy.go: its lease.Policy, and
//     its name for users in doing.
//  3. moves.go: a method of Job that makes the move and appends its event, and that
//     changes nothing when it is made again.
//  4. jobs/redisjobs/kinds.go: how the queue treats the task. Workers or api: a pool
//     that serves it (worker/runner, or the role in api/app).
//  5. worker/pipeline: a handler. It calls Pipeline.stage with the states it starts
//     from, which claims the lease, renews it, and records every outcome; the work
//     itself writes its artifacts under keys of its own, and ends with stage.done,
//     which moves the record and enqueues what follows.
//  6. A test that runs it twice (TestPipeline does), one in which it always fails
//     (TestStageGivesUp), and one with faulty storage (TestPipelineOnFaultyStorage).
//
// What follows one record is told step by step, with the files that do it, in
// LIFE_OF_A_JOB.md beside this file.
package jobs
