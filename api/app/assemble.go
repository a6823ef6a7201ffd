package app

import (
	"context"
	"fmt"
	"runtime"
	"time"

	"polyid-trainer/api/httpapi"
	"polyid-trainer/api/metrics"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/predictions"
	"polyid-trainer/jobs/records"
	"polyid-trainer/jobs/redisjobs"
	"polyid-trainer/jobs/retention"
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

// assemble makes the services that the role calls for, and the areas of the
// HTTP interface that show them.
func (a *App) assemble(ctx context.Context) (areas []httpapi.Area, err error) {
	var shared *metrics.Sources
	if a.redis != nil {
		store, queue, live := records.New(a.patient), redisjobs.NewQueue(a.redis), redisjobs.Live{Redis: a.redis}
		shared = &metrics.Sources{Queue: queue, Jobs: store, Live: live, Now: time.Now, Log: a.log}
	}
	m := metrics.New(version(), shared)
	areas = append(areas, &httpapi.Metrics{Handler: m.Handler()})

	var predictor *predict.Predictor
	var results *predictions.Store
	if a.redis != nil {
		results = predictions.NewStore(a.patient)
	}
	if a.config.Role != RoleJobs {
		predictor = a.newPredictor(m, results)
	}
	if a.redis == nil {
		a.ready["model"] = func(context.Context) error { return predictor.Models.Ready() } // there is nothing else to do
		return areas, nil
	}
	a.ready["redis"] = func(ctx context.Context) error { return a.redis.Ping(ctx).Err() }
	store, queue := records.New(a.patient), redisjobs.NewQueue(a.redis)
	areas = append(areas, &httpapi.Queues{Redis: a.redis}, &httpapi.Usage{Store: store})
	tasks := map[jobs.Kind]func(context.Context, jobs.Task) error{}
	var pools []redisjobs.Pool
	handle := func(kind jobs.Kind, concurrency int, f func(context.Context, jobs.Task) error) {
		tasks[kind] = f
		pools = append(pools, redisjobs.Pool{Kinds: []jobs.Kind{kind}, Concurrency: concurrency})
	}
	if predictor != nil {
		handle(jobs.Predict, predictTasks, predictor.Handle)
	}
	if len(pools) > 0 {
		server := &redisjobs.Server{Redis: a.redis, Pools: pools, Grace: grace, Log: a.log,
			Handler: m.Tasks(func(ctx context.Context, t jobs.Task) error {
				f, ok := tasks[t.Kind]
				if !ok {
					return jobs.Permanent(fmt.Errorf("this process does not %s", t.Kind))
				}
				return f(ctx, t)
			})}
		a.serve("tasks", server.Serve)
	}
	if a.config.embeddedRedis() {
		if err := a.embedWorker(ctx, store); err != nil {
			return nil, err
		}
	} else { // workers reconcile too; but what this process does must not wait for one
		a.serve("reconcile", a.inTurn("reconcile", jobs.Every, (&jobs.Reconciler{Store: store, Queue: queue, Now: time.Now, Log: a.log}).Reconcile))
	}
	a.serve("predictions", a.inTurn("predictions", jobs.Every, func(ctx context.Context) error {
		return results.Reconcile(ctx, queue, time.Now())
	}))
	sweeper := &retention.Service{Jobs: store, Bucket: a.patient, Predictions: results, Now: time.Now, Log: a.log}
	a.serve("retention", a.inTurn("retention", retention.Every, sweeper.Sweep))
	return areas, nil
}

func (a *App) serve(name string, run func(context.Context) error) {
	a.services = append(a.services, service{name, run})
}

// newPredictor answers predictions, with the models it loads from the Hub.
func (a *App) newPredictor(m *metrics.Metrics, results *predictions.Store) *predict.Predictor {
	models := predict.NewModels(predict.ModelsConfig{
		Hub: a.hub, NewEngine: cpu.New, Default: jobs.Revision{Repo: a.config.HubRepo, Revision: "main"},
		Allow: a.mayPublish, Log: a.log,
	})
	a.serve("models", func(ctx context.Context) error {
		tick := time.NewTicker(predict.DefaultPoll)
		defer tick.Stop()
		models.Run(ctx, tick.C)
		return nil
	})
	return predict.New(predict.Config{
		Models: models, Store: results, Worker: worker(), Log: a.log, Observe: m.Predicted,
	})
}

// embedWorker makes the worker that trains in this process.
func (a *App) embedWorker(ctx context.Context, store *records.Store) error {
	if a.config.StorageURL == "" { // so no other process works on these records
		if err := releaseOrphans(ctx, store, time.Now()); err != nil {
			return err
		}
	}
	worker := &runner.Runner{
		Redis: a.redis, Bucket: a.bucket, NewEngine: cpu.New, Log: a.log, Concurrency: a.config.Concurrency,
		Every:       time.Duration(a.config.CheckpointSeconds * float64(time.Second)),
		CostPerHour: a.config.CostPerHour, Grace: grace,
	}
	a.serve("worker", func(ctx context.Context) error {
		runtime.GOMAXPROCS(max(runtime.GOMAXPROCS(0), a.config.Concurrency+spareThreads))
		return worker.Run(ctx)
	})
	return nil
}

// inTurn does something at once and then every so often until ctx ends; of all
// processes that share the Redis, one at a time does it. What fails is logged,
// and tried again the next time.
func (a *App) inTurn(what string, every time.Duration, do func(context.Context) error) func(context.Context) error {
	return func(ctx context.Context) error {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			// A little less than a period, or a turn would still be taken at the next.
			mine, err := redisjobs.Turn(ctx, a.redis, what, every*9/10)
			if err == nil && mine {
				err = do(ctx)
			}
			if err != nil && ctx.Err() == nil {
				a.log.Error("housekeeping failed, to be tried again", "what", what, "error", err)
			}
			select {
			case <-ctx.Done():
				return nil
			case <-tick.C:
			}
		}
	}
}
