package app

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"polyid-trainer/api/datasets"
	"polyid-trainer/api/httpapi"
	"polyid-trainer/api/pages"
	"polyid-trainer/api/screening"
	"polyid-trainer/api/webhook"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/screenings"
	"polyid-trainer/worker/predict"
)

// newScreenings makes what takes screenings; workers do the work.
func (a *App) newScreenings(c *cluster, library *datasets.Library) *role {
	store := screenings.NewStore(a.patient, time.Now)
	service := &screening.Service{
		Store: store, Queue: c.queue, Bucket: a.patient, Library: library, Keys: c.keys, Models: a.screeningModel, Mechanism: knownMechanism,
		CostPerHour: a.config.CostPerHour, Now: time.Now, Log: a.log,
	}
	r := &role{areas: []httpapi.Area{
		&httpapi.Screenings{Service: service},
		&pages.Screenings{Service: service, Default: jobs.Revision{Repo: a.config.HubRepo, Revision: "main"}, Mechanisms: structure.Mechanisms()},
	}}
	if !a.config.embeddedRedis() { // the worker in this process does that
		leases := &lease.Observer{}
		r.serve("screenings", a.every(jobs.Every, "screenings", a.leads, func(ctx context.Context) error {
			return store.Reconcile(ctx, c.queue, leases)
		}))
	}
	return r
}

// screeningModel downloads a revision for a screening.
func (a *App) screeningModel(ctx context.Context, ref jobs.Revision) (*screening.Revision, error) {
	if ref.Repo == "" {
		ref.Repo = a.config.HubRepo
	}
	if ref.Revision == "" {
		ref.Revision = "main"
	}
	if !a.mayUse(ref.Repo) {
		return nil, &jobs.Error{Code: jobs.Forbidden, Detail: fmt.Sprintf("models of %s are not served here: HUB_ALLOW does not name it", ref.Repo)}
	}
	f, err := predict.Fetch(ctx, a.hub, ref)
	if err != nil {
		return nil, err
	}
	r := &screening.Revision{Repo: f.Repo, Commit: f.Commit, Dir: f.Dir, Paths: f.Paths, Level: f.Level}
	for _, t := range f.Config.Targets {
		r.Targets = append(r.Targets, screenings.Target{Name: t.Name, Units: t.Units})
	}
	return r, nil
}

func knownMechanism(name string) error {
	if known := structure.Mechanisms(); !slices.Contains(known, name) {
		return fmt.Errorf("%.40q is no mechanism: those there are, are %s", name, strings.Join(known, ", "))
	}
	return nil
}

// webhookStore is where webhooks are owed: by jobs and searches, and by screenings,
// which look like jobs to whoever delivers.
type webhookStore struct {
	webhook.Store
	screenings *screenings.Store
}

var _ webhook.Store = webhookStore{}

// Job implements webhook.Store.
func (s webhookStore) Job(ctx context.Context, id string) (*jobs.Job, error) {
	if !jobs.ValidID(jobs.ScreeningPrefix, id) {
		return s.Store.Job(ctx, id)
	}
	x, err := s.screenings.Screening(ctx, id)
	if err != nil {
		return nil, err
	}
	return owing(x), nil
}

// UpdateJob implements webhook.Store.
func (s webhookStore) UpdateJob(ctx context.Context, id string, change func(*jobs.Job) error) (*jobs.Job, error) {
	if !jobs.ValidID(jobs.ScreeningPrefix, id) {
		return s.Store.UpdateJob(ctx, id, change)
	}
	x, err := s.screenings.Update(ctx, id, func(x *screenings.Screening) error {
		j := owing(x)
		if err := change(j); err != nil {
			return err
		}
		x.Deliveries = j.Deliveries
		return nil
	})
	if err != nil {
		return nil, err
	}
	return owing(x), nil
}

// WebhookBody implements webhook.Store.
func (s webhookStore) WebhookBody(ctx context.Context, id, webhook string) ([]byte, error) {
	if !jobs.ValidID(jobs.ScreeningPrefix, id) {
		return s.Store.WebhookBody(ctx, id, webhook)
	}
	return s.screenings.WebhookBody(ctx, id, webhook)
}

// owing is a job that owes what a screening owes.
func owing(x *screenings.Screening) *jobs.Job {
	j := &jobs.Job{ID: x.ID, Deliveries: slices.Clone(x.Deliveries)}
	j.Spec.Webhook = x.Spec.Webhook
	return j
}
