package app

import (
	"context"
	"fmt"
	"path/filepath"
	"runtime"
	"time"

	"polyid-trainer/api/compat"
	"polyid-trainer/api/httpapi"
	"polyid-trainer/api/pages"
	"polyid-trainer/api/registry"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/localqueue"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/worker/predict"
)

// importer publishes an ensemble that PolyID itself saved.
type importer func(context.Context, jobs.Revision, jobs.Destination) (*jobs.Publication, error)

// inference is what predicts.
type inference struct {
	app       *App
	shared    *shared
	served    jobs.Revision
	scratch   string
	models    *predict.Models
	predictor *predict.Predictor
}

// newInference makes it; trains says that folds train in this process too, which
// queued predictions then leave cores for.
func (a *App) newInference(s *shared, trains bool) *inference {
	i := &inference{app: a, shared: s, served: jobs.Revision{Repo: a.config.HubRepo, Revision: "main"}, scratch: filepath.Join(a.config.DataDir, scratchDir)}
	i.models = predict.NewModels(predict.ModelsConfig{
		Hub: a.hub, NewEngine: cpu.New, Default: i.served, Allow: a.mayUse, May: a.repos.Read, MaxAtoms: a.config.MaxHeavyAtoms, Log: a.log,
	})
	cores, queued := runtime.GOMAXPROCS(0), 0
	if !trains {
		queued = cores
		// As many folds as cores compute, and requests come and go beside them.
		runtime.GOMAXPROCS(cores + spareThreads)
	}
	// One more worker than cores: while one fold gives way to the next, a core
	// would stand idle.
	i.predictor = predict.New(predict.Config{
		Models: i.models, Store: s.results, Worker: worker(), Log: a.log, Observe: s.metrics.Predicted, TempDir: i.scratch, Workers: cores + 1, Queued: queued,
	})
	return i
}

// role serves predictions, which queue takes where nobody waits for them, and the
// models; publish imports models, nil where nothing is published.
func (i *inference) role(queue httpapi.Queue, publish importer) *role {
	a := i.app
	revisions := &registry.Registry{
		Serving: i.models, Hub: a.hub, HubURL: a.hubPages(), Default: i.served, Allow: a.mayPublish, MayRead: a.repos.Read, MayWrite: a.repos.Write, Log: a.log,
	}
	r := &role{areas: []httpapi.Area{
		&httpapi.Predictions{
			Predictor: i.predictor, Models: i.models, Default: i.served, Store: i.shared.results, Queue: queue, Keys: i.shared.keys,
			TempDir: i.scratch,
		},
		&compat.Area{Predictor: i.predictor, Models: i.models},
		&httpapi.Models{Import: publish, Registry: revisions},
		&pages.Predict{Default: i.served, Mechanisms: structure.Mechanisms()},
		&pages.Models{Registry: revisions},
		pages.Guide{},
	}}
	r.serve("models", func(ctx context.Context) error {
		tick := time.NewTicker(predict.DefaultPoll)
		defer tick.Stop()
		i.models.Run(ctx, tick.C)
		return nil
	})
	return r
}

// newLocalQueue makes a queue of predictions inside this process.
func (a *App) newLocalQueue(s *shared, i *inference) (httpapi.Queue, *role) {
	leases := &lease.Observer{}
	local, r := localqueue.New(s.metrics.Tasks(i.predictor.Handle), a.log), &role{}
	r.serve("predictions", func(ctx context.Context) error { local.Run(ctx, predictTasks); return nil })
	r.serve("reconcile", a.every(jobs.Every, "predictions", a.alone, func(ctx context.Context) error {
		return s.results.Reconcile(ctx, local, leases, time.Now())
	}))
	return local, r
}

// importer makes what imports from repositories that this process may use.
func (a *App) importer() importer {
	publisher := a.publisher()
	return func(ctx context.Context, from jobs.Revision, to jobs.Destination) (*jobs.Publication, error) {
		if !a.mayUse(from.Repo) {
			return nil, &jobs.Error{Code: jobs.Forbidden, Detail: fmt.Sprintf("nothing of %s may be used here: HUB_ALLOW does not name it", from.Repo)}
		}
		if err := a.repos.Read(ctx, from.Repo); err != nil {
			return nil, err
		}
		if to.Repo == "" {
			to.Repo = a.repos.home(ctx)
		}
		return publisher.Import(ctx, from, to, filepath.Join(a.config.DataDir, scratchDir))
	}
}
