package app

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"polyid-trainer/api/datasets"
	"polyid-trainer/api/estimate"
	"polyid-trainer/api/httpapi"
	"polyid-trainer/api/metrics"
	"polyid-trainer/api/publish"
	"polyid-trainer/api/registry"
	"polyid-trainer/api/training"
	"polyid-trainer/api/webhook"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/idempotency"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/localqueue"
	"polyid-trainer/jobs/predictions"
	"polyid-trainer/jobs/records"
	"polyid-trainer/jobs/redisjobs"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/worker/predict"
	"polyid-trainer/worker/runner"
)

const (
	predictTasks = 2  // predictions worked off at once
	publishTasks = 2  // publications
	notifyTasks  = 16 // webhooks: they wait for others
	grace        = 30 * time.Second
	// spareThreads is how many threads run Go code beside those that train, so
	// that requests are answered while all cores are busy.
	spareThreads = 4
)

// service is something that runs beside the HTTP server until ctx ends.
type service struct {
	name string
	run  func(ctx context.Context) error
}

func (a *App) serve(name string, run func(context.Context) error) {
	a.services = append(a.services, service{name, run})
}

// parts are what the areas of the HTTP interface and the services share.
type parts struct {
	store   *records.Store // nil with RoleInference, as what follows
	queue   *redisjobs.Queue
	live    redisjobs.Live
	metrics *metrics.Metrics

	results   *predictions.Store
	keys      *idempotency.Keys
	models    *predict.Models // nil with RoleJobs, as what follows
	predictor *predict.Predictor
}

// assemble makes the services that the role calls for, and the areas of the
// HTTP interface that show them.
func (a *App) assemble(ctx context.Context) (areas []httpapi.Area, err error) {
	p := &parts{results: predictions.NewStore(a.patient), keys: idempotency.New(a.patient, time.Now)}
	var shared *metrics.Sources
	if a.redis != nil {
		p.store, p.queue, p.live = records.New(a.patient), redisjobs.NewQueue(a.redis), redisjobs.Live{Redis: a.redis}
		shared = &metrics.Sources{Queue: p.queue, Jobs: p.store, Live: p.live, Now: time.Now, Log: a.log}
	}
	p.metrics = metrics.New(Version(), shared)
	p.metrics.Damaged(func() int { return len(a.patient.Damaged()) })
	a.around = append(a.around, p.metrics.HTTP)
	areas = append(areas, &httpapi.Metrics{Handler: p.metrics.Handler()})
	if err := a.takeOver(ctx, p); err != nil {
		return nil, err
	}
	if a.config.Role != RoleJobs {
		areas = append(areas, a.inference(p)...)
	}
	if a.config.Role != RoleInference {
		more, err := a.training(ctx, p)
		if err != nil {
			return nil, err
		}
		areas = append(areas, more...)
	}
	return areas, nil
}

// inference makes what predicts.
func (a *App) inference(p *parts) []httpapi.Area {
	served := jobs.Revision{Repo: a.config.HubRepo, Revision: "main"}
	p.models = predict.NewModels(predict.ModelsConfig{
		Hub: a.hub, NewEngine: cpu.New, Default: served, Allow: a.mayUse, MaxAtoms: a.config.MaxHeavyAtoms, Log: a.log,
	})
	a.serve("models", func(ctx context.Context) error {
		tick := time.NewTicker(predict.DefaultPoll)
		defer tick.Stop()
		p.models.Run(ctx, tick.C)
		return nil
	})
	scratch := filepath.Join(a.config.DataDir, scratchDir)
	cores, queued := runtime.GOMAXPROCS(0), 0
	if a.embedded == nil { // nothing trains here
		queued = cores
		// As many folds as cores compute, and requests come and go beside them.
		runtime.GOMAXPROCS(cores + spareThreads)
	}
	// A turn more than cores: while one fold gives way to the next, a core would
	// stand idle.
	p.predictor = predict.New(predict.Config{
		Models: p.models, Store: p.results, Worker: worker(), Log: a.log, Observe: p.metrics.Predicted, TempDir: scratch, Workers: cores + 1, Queued: queued,
	})
	var queue httpapi.Queue = p.queue
	if a.redis == nil {
		local := localqueue.New(p.metrics.Tasks(p.predictor.Handle), a.log)
		a.serve("predictions", func(ctx context.Context) error { local.Run(ctx, predictTasks); return nil })
		a.ready["model"] = func(context.Context) error { return p.models.Ready() } // there is nothing else to do
		leases := &lease.Observer{}
		a.serve("reconcile", a.every(jobs.Every, "predictions", a.alone, func(ctx context.Context) error {
			return p.results.Reconcile(ctx, local, leases, time.Now())
		}))
		queue = local
	}
	return []httpapi.Area{
		&httpapi.Predictions{Predictor: p.predictor, Models: p.models, Default: served, Store: p.results, Queue: queue, Keys: p.keys, Mechanisms: structure.Mechanisms(), TempDir: scratch},
		&httpapi.Compat{Predictor: p.predictor, Models: p.models},
		&httpapi.Models{Import: a.importer(), Registry: &registry.Registry{
			Serving: p.models, Hub: a.hub, HubURL: a.hubPages(), Default: served, Allow: a.mayPublish, Log: a.log,
		}},
	}
}

// importer publishes what PolyID saved, where this process may publish.
func (a *App) importer() func(context.Context, jobs.Revision, jobs.Destination) (*jobs.Publication, error) {
	if a.config.Role == RoleInference {
		return nil
	}
	publisher := a.publisher()
	return func(ctx context.Context, from jobs.Revision, to jobs.Destination) (*jobs.Publication, error) {
		if !a.mayUse(from.Repo) {
			return nil, &jobs.Error{Code: jobs.Forbidden, Detail: fmt.Sprintf("nothing of %s may be used here: HUB_ALLOW does not name it", from.Repo)}
		}
		return publisher.Import(ctx, from, to, filepath.Join(a.config.DataDir, scratchDir))
	}
}

// publisher publishes to where HUB_ALLOW says. Whoever publishes jobs gives it
// their records.
func (a *App) publisher() *publish.Publisher {
	return &publish.Publisher{
		Bucket: a.patient, Hub: a.hub, Repo: a.config.HubRepo, Allow: a.mayPublish, Server: a.URL(), Worker: worker(), Log: a.log,
	}
}

// training makes what takes jobs, and carries out what must not leave this
// process: publications, webhooks, predictions.
func (a *App) training(ctx context.Context, p *parts) ([]httpapi.Area, error) {
	a.ready["redis"] = func(ctx context.Context) error { return redisjobs.Ready(ctx, a.redis) }
	publisher := a.publisher()
	publisher.Store, publisher.Queue = p.store, p.queue
	publisher.Published = func(string) {
		if p.models != nil {
			p.models.Moved()
		}
	}
	notifier, err := webhook.New(webhook.Config{
		Store: p.store, Secret: a.secret, Worker: worker(), AllowPrivate: a.config.WebhookAllowPrivate, Log: a.log, Observe: p.metrics.Webhook,
	})
	if err != nil {
		return nil, err
	}
	a.tasks(p, publisher, notifier)
	a.housekeeping(p)
	if a.config.embeddedRedis() {
		a.embedWorker()
	}
	ask := &preflight{publisher, a.hub}
	library := datasets.New(a.patient, a.config.Limits.datasets(), time.Now)
	return []httpapi.Area{
		&httpapi.Datasets{Library: library},
		&httpapi.TrainingJobs{Charges: p.store, Service: &training.Service{
			Store: p.store, Queue: p.queue, Live: p.live, Bucket: a.patient, Library: library, Keys: p.keys,
			Hub: ask, Weights: ask.weights, Estimator: &estimate.Estimator{NewEngine: cpu.New, Parallel: a.config.Concurrency},
			HubRepo: a.config.HubRepo, CostPerHour: a.config.CostPerHour, Log: a.log,
			MemoryLimit: a.memory, TrainsHere: a.config.embeddedRedis(),
		}},
		&httpapi.Queues{Redis: a.redis, Writable: a.config.QueuesWritable},
		&httpapi.Usage{Store: p.store},
	}, nil
}

// tasks works off the queues that are this process': each kind has a pool of its
// own, so that none waits for another.
func (a *App) tasks(p *parts, publisher *publish.Publisher, notifier *webhook.Notifier) {
	handlers := map[jobs.Kind]func(context.Context, jobs.Task) error{}
	var pools []redisjobs.Pool
	handle := func(kind jobs.Kind, concurrency int, f func(context.Context, jobs.Task) error) {
		handlers[kind] = f
		pools = append(pools, redisjobs.Pool{Kinds: []jobs.Kind{kind}, Concurrency: concurrency})
	}
	handle(jobs.Publish, publishTasks, publisher.Handle)
	handle(jobs.Notify, notifyTasks, notifier.Handle)
	if p.predictor != nil {
		handle(jobs.Predict, predictTasks, p.predictor.Handle)
	}
	server := &redisjobs.Server{Redis: a.redis, Pools: pools, Grace: grace, Log: a.log,
		Handler: p.metrics.Tasks(func(ctx context.Context, t jobs.Task) error {
			f, ok := handlers[t.Kind]
			if !ok {
				return jobs.Permanent(fmt.Errorf("this process does not %s", t.Kind))
			}
			return f(ctx, t)
		})}
	a.serve("tasks", server.Serve)
}

// embedWorker makes the worker that trains in this process.
func (a *App) embedWorker() {
	worker := &runner.Runner{
		Redis: a.redis, Bucket: a.patient, NewEngine: cpu.New, Log: a.log, Concurrency: a.config.Concurrency,
		Every:       time.Duration(a.config.CheckpointSeconds * float64(time.Second)),
		CostPerHour: a.config.CostPerHour, MemoryLimit: a.memory, Grace: grace,
		Alone: a.config.StorageURL == "", // the objects are in DATA_DIR, which this process has locked
	}
	a.serve("worker", func(ctx context.Context) error {
		runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), a.config.Concurrency+spareThreads))
		return worker.Run(ctx)
	})
}
