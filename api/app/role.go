package app

import (
	"context"
	"time"

	"polyid-trainer/api/httpapi"
	"polyid-trainer/api/metrics"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/idempotency"
	"polyid-trainer/jobs/predictions"
	"polyid-trainer/jobs/records"
	"polyid-trainer/jobs/redisjobs"
)

// role is what a process serves, runs and depends on. Each role is made by a
// function of its own, of parts that know nothing of each other.
type role struct {
	areas    []httpapi.Area
	services []service
	ready    map[string]func(context.Context) error // what it depends on, by name
	damage   map[string]func(context.Context) error // what is damaged and left out, by what it is of
}

// service is something that runs beside the HTTP server until ctx ends.
type service struct {
	name string
	run  func(ctx context.Context) error
}

// serve adds a service.
func (r *role) serve(name string, run func(context.Context) error) {
	r.services = append(r.services, service{name, run})
}

// depend adds something that the role depends on.
func (r *role) depend(name string, ready func(context.Context) error) {
	if r.ready == nil {
		r.ready = map[string]func(context.Context) error{}
	}
	r.ready[name] = ready
}

// inspect adds a check that names damage, which the role goes on without.
func (r *role) inspect(name string, damage func(context.Context) error) {
	if r.damage == nil {
		r.damage = map[string]func(context.Context) error{}
	}
	r.damage[name] = damage
}

// join adds all of other roles.
func (r *role) join(others ...*role) *role {
	for _, o := range others {
		r.areas = append(r.areas, o.areas...)
		r.services = append(r.services, o.services...)
		for name, ready := range o.ready {
			r.depend(name, ready)
		}
		for name, damage := range o.damage {
			r.inspect(name, damage)
		}
	}
	return r
}

// newRole makes what the configured role serves.
func (a *App) newRole(ctx context.Context) (*role, error) {
	switch a.config.Role {
	case RoleInference:
		return a.roleInference(ctx)
	case RoleJobs:
		return a.roleJobs(ctx)
	}
	return a.roleAll(ctx)
}

// roleAll takes jobs and predicts, and trains too if its Redis is embedded.
func (a *App) roleAll(ctx context.Context) (*role, error) {
	c, err := a.openCluster(ctx)
	if err != nil {
		return nil, err
	}
	i := a.newInference(&c.shared, a.config.embeddedRedis())
	jobs, err := a.newJobs(c, i.models.Moved, tasks{jobs.Predict: {predictTasks, i.predictor.Handle}})
	if err != nil {
		return nil, err
	}
	return a.newShared(&c.shared).join(i.role(c.queue, a.importer()), jobs), nil
}

// roleJobs takes jobs; predictions are made by other processes.
func (a *App) roleJobs(ctx context.Context) (*role, error) {
	c, err := a.openCluster(ctx)
	if err != nil {
		return nil, err
	}
	jobs, err := a.newJobs(c, func() {}, nil)
	if err != nil {
		return nil, err
	}
	return a.newShared(&c.shared).join(jobs), nil
}

// roleInference predicts with what is on the Hub. It needs neither Redis nor a
// worker, publishes nothing, and is ready once a model is loaded.
func (a *App) roleInference(ctx context.Context) (*role, error) {
	s := a.openShared(nil)
	if err := a.takeOver(ctx, s); err != nil {
		return nil, err
	}
	i := a.newInference(s, false)
	queue, local := a.newLocalQueue(s, i)
	local.depend("model", func(context.Context) error { return i.models.Ready() })
	return a.newShared(s).join(i.role(queue, nil), local), nil
}

// shared is what every role has.
type shared struct {
	results *predictions.Store
	keys    *idempotency.Keys
	metrics *metrics.Metrics
}

// openShared opens it; sources are what metrics are read from beside this
// process, nil for nothing.
func (a *App) openShared(sources *metrics.Sources) *shared {
	s := &shared{results: predictions.NewStore(a.patient), keys: idempotency.New(a.patient, time.Now), metrics: metrics.New(Version(), sources)}
	s.metrics.Damaged(func() int { return len(a.patient.Damaged()) })
	return s
}

// newShared serves it.
func (a *App) newShared(s *shared) *role {
	a.around = append(a.around, s.metrics.HTTP)
	return &role{areas: []httpapi.Area{&httpapi.Metrics{Handler: s.metrics.Handler()}}}
}

// cluster is what the processes that take jobs share with workers.
type cluster struct {
	shared
	store *records.Store
	queue *redisjobs.Queue
	live  redisjobs.Live
}

// openCluster opens Redis and what is in it and in storage, and the secret that
// webhooks are signed with.
func (a *App) openCluster(ctx context.Context) (*cluster, error) {
	var err error
	if a.secret, err = webhookSecret(a.config.WebhookSecret, a.config.DataDir); err != nil {
		return nil, err
	}
	if err := a.openRedis(ctx); err != nil {
		return nil, err
	}
	c := &cluster{store: records.New(a.patient), queue: redisjobs.NewQueue(a.redis), live: redisjobs.Live{Redis: a.redis}}
	c.shared = *a.openShared(&metrics.Sources{Queue: c.queue, Jobs: c.store, Live: c.live, Now: time.Now, Log: a.log})
	c.metrics.Fleet(metrics.Fleet{Workers: redisjobs.Fleet{Redis: a.redis}, Queue: c.queue, Live: c.live, Now: time.Now, Log: a.log})
	a.takeOverJobs(ctx, c)
	return c, a.takeOver(ctx, &c.shared)
}
