// Package lease states how one worker at a time holds a piece of work, how the
// others notice that it has died, and when everybody gives up.
//
// A [Lease] is part of a record that changes by compare-and-set. A worker claims
// it by writing a token into it, renews it while it works, and releases it at
// the end. The token fences: every write to the record checks that the token is
// still there, so that a worker that was stopped or cut off, and does not know
// that it has lost the lease, changes nothing when it wakes up.
//
//	free ──Claim──▶ held ──Renew──▶ held ──Succeed, Release──▶ free
//	                 │ ├─Fail─▶ free after a wait, or given up
//	                 └──Lose──▶ free after a wait, or given up
//
// Clocks of two machines are never compared. The holder measures, on its own
// monotonic clock, how long ago it sent its last successful renewal, and stops
// after [Terms].Length ([Holder]). Anybody else measures, on a monotonic clock of
// its own, for how long it has seen the same token and the same number of
// renewals, and counts the lease as lost after the same length ([Observer]). The
// observer cannot have seen a renewal before it was sent, so the holder always
// stops first, whatever the clocks on the wall say. An observer that has just
// started watches for a whole length before it takes anything away.
//
// A [Policy] says how often work may fail, and how often in a row a worker may
// die over it, before it is given up. The counts, the last error and the wait
// before the next attempt are part of the lease, so every kind of work that is
// held by one has the same policy.
//
// To hold work that is not yet held by a lease: embed a Lease in its record,
// claim it in an update of the record, run the work by [Holder.Run], and let one
// observer look at all such records every few seconds. Cost: two writes for each
// attempt, one for each renewal, one read for each look.
package lease
