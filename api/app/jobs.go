package app

import (
	"context"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"time"

	"polyid-trainer/api/datasets"
	"polyid-trainer/api/estimate"
	"polyid-trainer/api/fleet"
	"polyid-trainer/api/httpapi"
	"polyid-trainer/api/pages"
	"polyid-trainer/api/publish"
	"polyid-trainer/api/training"
	"polyid-trainer/api/webhook"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/redisjobs"
	"polyid-trainer/jobs/schedules"
	"polyid-trainer/jobs/screenings"
	"polyid-trainer/jobs/searches"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/worker/runner"
)

const (
	predictTasks = 2  // predictions worked off at once
	publishTasks = 2  // publications
	searchTasks  = 2  // searches looked at
	notifyTasks  = 16 // webhooks: they wait for others
	grace        = 30 * time.Second
	// spareThreads is how many threads run Go code beside those that train, so
	// that requests are answered while all cores are busy.
	spareThreads = 4
)

// tasks are the kinds of tasks that a process works on: how many at once, and by
// what.
type tasks map[jobs.Kind]struct {
	atOnce int
	handle func(context.Context, jobs.Task) error
}

// newJobs makes what takes jobs, and carries out what must not leave this
// process: publications, webhooks, and the further tasks more. published hears of
// every publication.
func (a *App) newJobs(c *cluster, published func(), more tasks) (*role, error) {
	publisher := a.publisher()
	publisher.Store, publisher.Queue = c.store, c.queue
	publisher.Published = func(string) { published() }
	stepper := a.stepper(c)
	notifier, err := webhook.New(webhook.Config{
		Store: webhookStore{searches.Hooks{Jobs: c.store, Searches: stepper.Store}, screenings.NewStore(a.patient, time.Now)}, Secret: a.secret, Worker: worker(), AllowPrivate: a.config.WebhookAllowPrivate, Log: a.log, Observe: c.metrics.Webhook,
	})
	if err != nil {
		return nil, err
	}
	all := tasks{jobs.Publish: {publishTasks, publisher.Handle}, jobs.Notify: {notifyTasks, notifier.Handle}, jobs.StepSearch: {searchTasks, stepper.Handle}}
	maps.Copy(all, more)
	ask := &preflight{publisher, a.hub, a.repos}
	library := datasets.New(a.patient, a.config.Limits.datasets(), time.Now)
	limits, err := a.newQuotas(c.store, library)
	if err != nil {
		return nil, err
	}
	workers := &fleet.Service{Fleet: redisjobs.Fleet{Redis: a.redis}, Queue: c.queue, Live: c.live, Log: a.log}
	service := &training.Service{
		Store: c.store, Queue: c.queue, Live: c.live, Bucket: a.patient, Library: library, Keys: c.keys,
		Hub: ask, Weights: ask.weights, Estimator: &estimate.Estimator{NewEngine: cpu.New, Parallel: a.config.Concurrency},
		Budget: limits.Budget, Home: a.repos.home, HubRepo: a.config.HubRepo, CostPerHour: a.config.CostPerHour, Log: a.log,
		MemoryLimit: a.memory, TrainsHere: a.config.embeddedRedis(), Reason: workers.Reason,
	}
	planned := &schedules.Runner{Store: &schedules.Store{Bucket: a.patient}, Make: service.MakeScheduled, Now: time.Now, Log: a.log}
	r := &role{areas: []httpapi.Area{
		&httpapi.Datasets{Library: library},
		&httpapi.TrainingJobs{Service: service},
		&httpapi.Usage{Store: c.store, Quotas: limits.limits, Stored: library.Used},
		&httpapi.Workers{Service: workers},
		&httpapi.Schedules{Store: planned.Store, Service: service},
		&pages.Training{Service: service, Charges: c.store},
		&pages.Workers{Service: workers},
		&pages.Queues{Redis: a.redis, Writable: a.config.QueuesWritable},
	}}
	r.depend("redis", func(ctx context.Context) error { return redisjobs.Ready(ctx, a.redis) })
	r.serve("tasks", a.taskServer(c, all).Serve)
	r.serve("schedules", a.every(schedules.Every, "schedules", a.leads, planned.Run))
	r.join(a.housekeeping(c, library), a.newShares(c, limits.limits), a.newSearches(c, service, stepper), a.newScreenings(c, library))
	if a.config.embeddedRedis() {
		r.join(a.newWorker())
	}
	return r, nil
}

// taskServer works on tasks: each kind has a pool of its own, so that none waits
// for another.
func (a *App) taskServer(c *cluster, all tasks) *redisjobs.Server {
	var pools []redisjobs.Pool
	for _, kind := range slices.Sorted(maps.Keys(all)) {
		pools = append(pools, redisjobs.Pool{Kinds: []jobs.Kind{kind}, Concurrency: all[kind].atOnce})
	}
	return &redisjobs.Server{Redis: a.redis, Pools: pools, Grace: grace, Log: a.log,
		Handler: c.metrics.Tasks(func(ctx context.Context, t jobs.Task) error {
			work, ok := all[t.Kind]
			if !ok {
				return jobs.Permanent(fmt.Errorf("this process does not %s", t.Kind))
			}
			return work.handle(ctx, t)
		})}
}

// publisher publishes to where HUB_ALLOW says. Whoever publishes jobs gives it
// their records.
func (a *App) publisher() *publish.Publisher {
	return &publish.Publisher{
		Bucket: a.patient, Hub: a.hub, Repo: a.config.HubRepo, Allow: a.mayPublish, May: a.repos.Write, Claim: a.repos.Claim, Server: a.URL(), Worker: worker(), Log: a.log,
	}
}

// newWorker makes the worker that trains in this process.
func (a *App) newWorker() *role {
	worker := &runner.Runner{
		Redis: a.redis, Bucket: a.patient, NewEngine: cpu.New, Log: a.log, Concurrency: a.config.Concurrency,
		Every:       time.Duration(a.config.CheckpointSeconds * float64(time.Second)),
		CostPerHour: a.config.CostPerHour, MemoryLimit: a.memory, Grace: grace, MaxHeavyAtoms: a.config.MaxHeavyAtoms,
		Alone: a.config.StorageURL == "", // the objects are in DATA_DIR, which this process has locked
	}
	r := &role{}
	r.serve("worker", func(ctx context.Context) error {
		runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), a.config.Concurrency+spareThreads))
		return worker.Run(ctx)
	})
	return r
}
