// Package screenings keeps screenings: predictions of whole libraries, worked off
// by any number of workers.
//
//	screenings/<id>/screening.json      the record
//	screenings/<id>/ledger.json         which shards are claimed and done
//	screenings/<id>/claims/<n>.json     a claim on some shards, while it is in force
//	screenings/<id>/model/<path>        the files of the model's revision
//	screenings/<id>/parts/<shard>       the results of a shard
//	screenings/<id>/results/<a>/<n>     the results, put together by attempt a
//	screenings/<id>/webhooks/<event>    bodies of webhooks
//	index/screenings/all/<id>           empty; all of them
//	index/screenings/active/<id>        likewise; those that are not at an end
//
// The rows are dealt in shards of equal size, which follows from the number of rows
// alone, so that results do not depend on who computed what. A worker claims a
// block of shards that follow one another, works through them in order, and stores
// what came of each as one object that is written once. So a shard that is computed
// twice, by a worker that was thought dead and by the one after it, is stored once.
//
// # State
//
// Shards have no records. The ledger counts those that nobody has claimed and lists
// the claims in force, and the ranges that were claimed and left: its size is that
// of the workers, whatever the library's. It changes twice for each block, when
// that is claimed and when it ends. In between a worker renews the lease of its own
// claim, which is an object of its own, so that workers do not contend. Whoever
// wants to know how far a screening is reads the ledger and those claims.
//
// A block is as many shards as the screening's pace so far says take a minute, and
// less towards the end, so that all workers end together.
//
// A worker that dies leaves its claim. The reconciler, as the observer of leases,
// ends the claim: what was done counts, and the rest of the block is there to be
// claimed again, by the same policy as other work (jobs.PolicyOf): a range over
// which too many workers die or fail ends the screening.
//
// # Statuses
//
//	queued → running → succeeded
//	   └────────┴→ failed, cancelled, paused       paused, failed → queued
//
// When all shards are done the results are put together, by one worker, under the
// record's own lease.
package screenings
