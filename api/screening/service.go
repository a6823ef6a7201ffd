// Package screening takes screenings: it checks everything about one that could fail,
// copies the model's files to where workers can read them, and moves the record as
// users ask.
package screening

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"time"

	"polyid-trainer/api/datasets"
	"polyid-trainer/data/library"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/expression"
	"polyid-trainer/jobs/idempotency"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/screenings"
	"polyid-trainer/storage"
)

// Queue takes tasks.
type Queue interface {
	jobs.Queue
	Ready(context.Context) error
}

// Revision is the files of a model that predict.
type Revision struct {
	Repo, Commit string
	Dir          fs.FS
	Paths        []string
	Targets      []screenings.Target
	Level        string // of the intervals, in percent
}

// Service is what is asked about screenings. It is safe for concurrent use.
type Service struct {
	Store   *screenings.Store
	Queue   Queue
	Bucket  storage.Bucket
	Library *datasets.Library
	Keys    *idempotency.Keys
	// Models downloads a revision, the configured one where its fields are empty.
	Models      func(ctx context.Context, ref jobs.Revision) (*Revision, error)
	Mechanism   func(string) error // why a mechanism is none
	CostPerHour float64
	Now         func() time.Time
	Log         *slog.Logger
}

// Request asks for a screening.
type Request struct {
	Owner  string // name of the token
	Spec   screenings.Spec
	Unread []jobs.Problem // what of the request could not be read
	// Key makes the request repeatable, for the body with the hash Body.
	Key, Body string
}

const submitRoute = "POST /v1/screenings"

// plan is a screening that was checked.
type plan struct {
	spec    screenings.Spec
	model   screenings.Model
	files   fs.FS
	source  screenings.Source
	columns *screenings.Columns
}

// Submit makes a screening of a request, once for each key.
func (s *Service) Submit(ctx context.Context, r Request) (*screenings.Screening, error) {
	var files fs.FS
	x, _, err := idempotency.Once(ctx, s.Keys, idempotency.Request{Owner: r.Owner, Route: submitRoute, Key: r.Key, Body: r.Body},
		func() (screenings.Screening, error) {
			p, err := s.check(ctx, r)
			if err != nil {
				return screenings.Screening{}, err
			}
			if err := s.Queue.Ready(ctx); err != nil {
				return screenings.Screening{}, err
			}
			x, err := screenings.New(s.Now(), r.Owner, p.spec, p.model, p.source)
			if err != nil {
				return screenings.Screening{}, err
			}
			files = p.files
			return *x, nil
		},
		func(x *screenings.Screening) error { return s.begin(ctx, x, files) })
	return x, err
}

// begin stores a screening and enqueues its first task.
func (s *Service) begin(ctx context.Context, x *screenings.Screening, files fs.FS) error {
	for _, f := range x.Model.Files {
		body, err := fs.ReadFile(files, f.Path)
		if err != nil {
			return fmt.Errorf("copy the model: %w", err)
		}
		if _, err := s.Bucket.Put(ctx, keys.ScreeningModel(x.ID)+f.Path, bytes.NewReader(body), int64(len(body)), storage.Condition{}); err != nil {
			return fmt.Errorf("copy the model: %w", err)
		}
	}
	if err := s.Store.Create(ctx, x); err != nil && !errors.Is(err, storage.ErrConflict) {
		return err
	}
	if err := s.Queue.Enqueue(ctx, screenings.Task(x, 0)); err != nil {
		s.Log.Warn("a task could not be enqueued; the reconciler will enqueue it", "screening", x.ID, "error", err)
	}
	return nil
}

// check looks at everything about a screening that could fail at once.
func (s *Service) check(ctx context.Context, r Request) (*plan, error) {
	p := &plan{spec: r.Spec.WithDefaults()}
	problems := slices.Clone(r.Unread)
	if !slices.ContainsFunc(problems, func(q jobs.Problem) bool { return q.Pointer == "" }) {
		for _, q := range p.spec.Problems(s.Mechanism, s.CostPerHour > 0) {
			if !slices.ContainsFunc(problems, func(have jobs.Problem) bool { return have.Pointer == q.Pointer }) {
				problems = append(problems, q)
			}
		}
	}
	if len(problems) > 0 {
		return nil, invalid(problems)
	}
	if err := s.openSource(ctx, p); err != nil {
		return nil, err
	}
	if err := s.openModel(ctx, p); err != nil {
		return nil, err
	}
	if p.columns, problems = screenings.NewColumns(&p.spec, &p.model, &p.source); len(problems) > 0 {
		return nil, invalid(problems)
	}
	return p, nil
}

func invalid(problems []jobs.Problem) error {
	return &jobs.Error{Code: jobs.Invalid, Detail: "the screening has invalid settings", Problems: problems}
}

// openSource opens what is screened.
func (s *Service) openSource(ctx context.Context, p *plan) error {
	var index *library.Index
	if g := p.spec.Input.Grid; g != nil {
		index = g.Index()
		p.source.Name = "grid"
	} else {
		rows, err := s.Library.Rows(ctx, p.spec.Input.Dataset)
		var e *jobs.Error
		if errors.As(err, &e) && (e.Code == jobs.NotFound || e.Code == jobs.Invalid) {
			return invalid([]jobs.Problem{{Pointer: "/input/dataset", Detail: e.Detail}})
		}
		if err != nil {
			return err
		}
		index = rows.Index
		p.source.Name, p.source.Library = rows.Name, rows.Prefix
	}
	p.source.Count, p.source.Header, p.source.Numeric, p.source.Roles, p.source.Hash = index.Rows, index.Header, index.Numeric, index.Roles, index.Hash
	if index.Rows == 0 {
		return invalid([]jobs.Problem{{Pointer: "/input", Detail: "has no rows to screen"}})
	}
	return nil
}

// openModel downloads the model and names its files.
func (s *Service) openModel(ctx context.Context, p *plan) error {
	r, err := s.Models(ctx, p.spec.Model)
	var e *jobs.Error
	if errors.As(err, &e) && (e.Code == jobs.NotFound || e.Code == jobs.Invalid) {
		return invalid([]jobs.Problem{{Pointer: "/model", Detail: e.Detail}})
	}
	if err != nil {
		return err
	}
	p.files = r.Dir
	p.model = screenings.Model{Repo: r.Repo, Revision: p.spec.Model.Revision, Commit: r.Commit, Targets: r.Targets, Level: r.Level}
	if p.model.Revision == "" {
		p.model.Revision = "main"
	}
	for _, path := range r.Paths {
		body, err := fs.ReadFile(r.Dir, path)
		if err != nil {
			return fmt.Errorf("read the model: %w", err)
		}
		sum := sha256.Sum256(body)
		p.model.Files = append(p.model.Files, screenings.File{Path: path, Size: int64(len(body)), SHA256: hex.EncodeToString(sum[:])})
	}
	return nil
}

// View shows a screening as it is now.
func (s *Service) View(ctx context.Context, x *screenings.Screening) (screenings.View, error) {
	l, err := s.Store.Ledger(ctx, x.ID)
	if err != nil {
		return screenings.View{}, err
	}
	claims, err := s.Store.Claims(ctx, x.ID, l)
	if err != nil {
		return screenings.View{}, err
	}
	return screenings.NewView(s.Now(), x, l, claims), nil
}

// Get shows the screening of an id.
func (s *Service) Get(ctx context.Context, id string) (screenings.View, error) {
	x, err := s.Store.Screening(ctx, id)
	if err != nil {
		return screenings.View{}, err
	}
	return s.View(ctx, x)
}

// Estimate is what a screening would take.
type Estimate struct {
	Rows    int64               `json:"rows"`
	Columns []expression.Column `json:"columns"` // that expressions may name
}

// Estimate checks a request as Submit does and creates nothing.
func (s *Service) Estimate(ctx context.Context, r Request) (*Estimate, error) {
	p, err := s.check(ctx, r)
	if err != nil {
		return nil, err
	}
	return &Estimate{Rows: p.source.Count, Columns: p.columns.Schema.Columns()}, nil
}

// Cancel ends a screening for good.
func (s *Service) Cancel(ctx context.Context, id string) (*screenings.Screening, error) {
	return s.Store.Update(ctx, id, func(x *screenings.Screening) error { return x.Cancel(s.Now()) })
}

// Pause stops a screening where it is.
func (s *Service) Pause(ctx context.Context, id string) (*screenings.Screening, error) {
	return s.Store.Update(ctx, id, func(x *screenings.Screening) error { return x.Pause(s.Now(), "requested") })
}

// Resume lets a paused or failed screening go on.
func (s *Service) Resume(ctx context.Context, id string) (*screenings.Screening, error) {
	x, err := s.Store.Resume(ctx, id)
	if err != nil || !x.Status.Active() {
		return x, err
	}
	_, l, err := s.Store.State(ctx, id)
	if err != nil {
		return nil, err
	}
	t := screenings.Task(x, l.Claims)
	if x.Complete {
		t = screenings.AssembleTask(x)
	}
	if err := s.Queue.Enqueue(ctx, t); err != nil {
		s.Log.Warn("a task could not be enqueued; the reconciler will enqueue it", "screening", id, "error", err)
	}
	return x, nil
}

// Change changes what the owner says of a screening.
func (s *Service) Change(ctx context.Context, id string, patch jobs.DetailsPatch) (*screenings.Screening, error) {
	return s.Store.Update(ctx, id, func(x *screenings.Screening) error {
		patch.Apply(&x.Details)
		return nil
	})
}
