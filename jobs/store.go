package jobs

import "context"

// Store keeps the records. A change is retried until no other writer comes
// between, so it must only look at and change what it is handed; an error it
// returns is passed on and nothing is written.
type Store interface {
	// Create stores a new job, listed from now on, after what before stores: at
	// once, and with what else goes ahead of the record.
	Create(ctx context.Context, j *Job, before ...func(context.Context) error) error
	Job(ctx context.Context, id string) (*Job, error)
	UpdateJob(ctx context.Context, id string, change func(*Job) error) (*Job, error)
	// Jobs lists jobs newest first, after the one named by f.After.
	Jobs(ctx context.Context, f Filter) (Page, error)
	// Active lists the jobs that the reconciler is to look at: those that are not
	// Ended, owe a webhook, or have a lease that a worker still holds. Those whose
	// records are damaged are left out.
	Active(ctx context.Context) ([]*Job, error)

	// A record that is there and cannot be read is an error of code Damaged.

	// CreateFolds stores the records of a job's folds, those that are not there.
	CreateFolds(ctx context.Context, job string, folds int) error
	Folds(ctx context.Context, job string) ([]*Fold, error)
	UpdateFold(ctx context.Context, job string, index int, change func(*Fold) error) (*Fold, error)
}

// Filter selects jobs.
type Filter struct {
	Limit  int     // at most so many; 0 is 20
	After  string  // id of the last one seen; "" from the newest
	States []State // any of these; none is all
	Trials bool    // those of searches too
}

// Page is a part of the list of jobs.
type Page struct {
	Jobs    []*Job
	More    bool // there are older ones
	Damaged int  // jobs in between whose records cannot be read
}

// Queue carries tasks to whoever serves them, at least once.
type Queue interface {
	// Enqueue adds a task unless one of the same ID is there already.
	Enqueue(ctx context.Context, t Task) error
}
