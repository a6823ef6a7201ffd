package pages

import (
	"context"
	"slices"
	"time"

	"github.com/labstack/echo/v4"

	"polyid-trainer/api/datasets"
	"polyid-trainer/api/httpapi"
	"polyid-trainer/api/training"
	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/records"
)

// trainPage is what the page for a new job starts from.
type trainPage struct {
	Recipes     []jobs.Spec         `json:"recipes"`  // the first is the default
	Datasets    []*datasets.Dataset `json:"datasets"` // newest first, the shipped ones last
	Atom        []string            `json:"-"`        // feature functions
	Bond        []string            `json:"-"`
	Active      []activeJob         `json:"active"`        // oldest first
	From        *jobs.View          `json:"from"`          // whose settings to take over; null for none
	CostPerHour float64             `json:"cost_per_hour"` // USD; 0 is unknown
}

// activeJob is a job that others wait for.
type activeJob struct {
	ID     string     `json:"id"`
	Status jobs.State `json:"status"`
}

// Training shows the form for a new job, the list of jobs, and each job.
type Training struct {
	*training.Service

	// Charges tells what a month of jobs used; nil shows none.
	Charges interface {
		Usage(ctx context.Context, month string) ([]records.Charge, error)
	}

	now func() time.Time
}

// Routes implements httpapi.Area.
func (a *Training) Routes(s *httpapi.Server) {
	a.now = s.Now
	s.ShowPage("/jobs", "Jobs", a.list)
	s.ShowPage("/", "Train", func(c echo.Context) (*httpapi.Page, error) {
		p, err := a.form(c.Request().Context(), c.QueryParam("from"))
		if err != nil {
			return nil, err
		}
		return &httpapi.Page{Title: "Train a model", Template: "train.html", Script: "train.js", Data: p}, nil
	})
	s.ShowPage("/jobs/:id", "", func(c echo.Context) (*httpapi.Page, error) {
		p, err := a.job(c.Request().Context(), c.Param("id"))
		if err != nil {
			return nil, err
		}
		return &httpapi.Page{Title: p.Title, Template: "job.html", Script: "job.js", Data: p}, nil
	})
}

// datasetsShown bounds the datasets a page lists; older ones are for the API.
const datasetsShown = 100

func (a *Training) form(ctx context.Context, from string) (*trainPage, error) {
	atom, bond := a.Features()
	p := &trainPage{Atom: atom, Bond: bond, CostPerHour: a.CostPerHour}
	for _, r := range jobs.Recipes() {
		r.Publish.Repo = a.HubRepo
		p.Recipes = append(p.Recipes, r)
	}
	if from != "" {
		j, err := a.Store.Job(ctx, from)
		if err != nil {
			return nil, err
		}
		v := jobs.NewView(a.now(), j, nil, nil, a.CostPerHour)
		p.From = &v
	}
	list, err := a.Library.List(ctx, "", datasetsShown)
	if err != nil {
		return nil, err
	}
	p.Datasets = list.Datasets
	if list.More {
		for _, shipped := range data.AllShipped() {
			d, err := a.Library.Get(ctx, shipped.Name)
			if err != nil {
				return nil, err
			}
			p.Datasets = append(p.Datasets, d)
		}
	}
	p.Active, err = a.active(ctx)
	return p, err
}

// active lists the jobs that are at work or wait for it.
func (a *Training) active(ctx context.Context) ([]activeJob, error) {
	page, err := a.Store.Jobs(ctx, jobs.Filter{Limit: datasetsShown, States: []jobs.State{jobs.Queued, jobs.Preparing, jobs.Training}})
	if err != nil {
		return nil, err
	}
	list := make([]activeJob, 0, len(page.Jobs))
	for _, j := range slices.Backward(page.Jobs) {
		list = append(list, activeJob{ID: j.ID, Status: j.State})
	}
	return list, nil
}
