package jobs

import (
	"fmt"
	"time"

	"polyid-trainer/jobs/lease"
)

// maxLosses is how many workers may die in a row over one piece of work, without
// progress between, before it is given up.
const maxLosses = 10

// policies say when each kind of work is given up. Notify is missing: how often a
// webhook is tried is its schedule's.
var policies = map[Kind]lease.Policy{
	Prepare:   {Failures: 5, Losses: maxLosses, First: 5 * time.Second, Longest: 5 * time.Minute},
	TrainFold: {Failures: 5, Losses: maxLosses, First: 5 * time.Second, Longest: 5 * time.Minute},
	Finalize:  {Failures: 5, Losses: maxLosses, First: 5 * time.Second, Longest: 5 * time.Minute},
	// About an hour, since Hubs are away for longer than disks.
	Publish: {Failures: 16, Losses: maxLosses, First: 5 * time.Second, Longest: 5 * time.Minute},
	Predict: {Failures: 3, Losses: maxLosses, First: time.Second, Longest: time.Minute},
	// Of a range of shards; of the whole result.
	Screen:   {Failures: 5, Losses: maxLosses, First: 5 * time.Second, Longest: 5 * time.Minute},
	Assemble: {Failures: 5, Losses: maxLosses, First: 5 * time.Second, Longest: 5 * time.Minute},
	Notify:   {Losses: maxLosses, First: 5 * time.Second, Longest: 5 * time.Minute},
}

// PolicyOf is how often work of a kind may fail, and how often the worker that
// has it may die, before it is given up.
func PolicyOf(k Kind) lease.Policy { return policies[k] }

// doing names the work of a kind to users.
var doing = map[Kind]string{
	Prepare: "preparing the data", TrainFold: "training", Finalize: "assembling the ensemble", Publish: "publishing to the Hub", Predict: "predicting",
	Screen: "screening", Assemble: "assembling the results",
}

// GaveUp is the failure of work of a kind that is given up, as its lease says: it
// failed too often, or too many workers died over it. fold is its fold; nil if it
// has none.
func GaveUp(k Kind, l *lease.Lease, fold *int) Failure {
	what := doing[k]
	if fold != nil {
		what += fmt.Sprintf(" fold %d", *fold)
	}
	again := "resume the job to try again; what it has done so far is saved"
	switch k {
	case Predict:
		again = "send the request again"
	case Screen, Assemble:
		again = "resume the screening to try again; the shards that are done are kept"
	}
	if l.Losses >= policies[k].Losses {
		return Failure{Code: "worker_lost", Fold: fold, Detail: fmt.Sprintf(
			"%s was given up because %d workers in a row stopped without a word while they did it, the last one %s. "+
				"The usual cause is that they ran out of memory: give workers more of it, or ask for less at once, then %s.", what, l.Losses, l.Worker, again)}
	}
	return Failure{Code: string(k) + "_failed", Fold: fold, Detail: fmt.Sprintf(
		"%s failed %d times, the last time with: %s. If that can be mended, mend it and %s.", what, l.Failures, l.LastError, again)}
}
