package httpapi

import (
	"cmp"
	"context"
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/jobs/quota"
	"polyid-trainer/jobs/records"
)

// Usage serves /v1/usage.
type Usage struct {
	Store interface {
		Usage(ctx context.Context, month string) ([]records.Charge, error)
	}
	// Quotas stand beside what was used; nil limits nobody.
	Quotas *quota.Quotas
	// Stored is how many bytes of datasets a token has stored; nil is not known.
	Stored func(ctx context.Context, token string) (int64, error)
}

// UsageReport is what all jobs used in one month.
type UsageReport struct {
	Object string `json:"object" enum:"usage"`
	Month  string `json:"month"`
	Spent
	Jobs    []JobUsage    `json:"jobs" nullable:"false" doc:"Newest first; deleted jobs stay."`
	Tokens  []TokenUsage  `json:"tokens" nullable:"false" doc:"By who asked for the jobs, in order of cost."`
	Workers []WorkerUsage `json:"workers" nullable:"false" doc:"In order of cost."`
}

// Spent is time and what it cost.
type Spent struct {
	Hours float64 `json:"worker_hours" doc:"Process time of workers, divided among the folds that each trained at once."`
	USD   float64 `json:"usd" doc:"At each worker's COST_PER_HOUR."`
}

// JobUsage is one job's part.
type JobUsage struct {
	Job   string `json:"job"`
	Token string `json:"token"`
	Spent
}

// TokenUsage is the part of the jobs that one token asked for.
type TokenUsage struct {
	Token string `json:"token"`
	Jobs  int    `json:"jobs"`
	Spent
	Stored *int64       `json:"storage_bytes,omitempty" doc:"Of its datasets, now; where a quota limits them."`
	Quota  *quota.Quota `json:"quota,omitempty" doc:"What it may use: folds at once, USD a month, bytes of storage, and its weight; 0 is no limit. Left out where nothing is limited."`
}

// WorkerUsage is one worker's part.
type WorkerUsage struct {
	Worker string `json:"worker" doc:"host:pid"`
	Jobs   int    `json:"jobs"`
	Spent
}

func (a *Usage) Routes(s *Server) {
	type request struct {
		Month string `query:"month" pattern:"^[0-9]{4}-(0[1-9]|1[0-2])$" patternDescription:"month, such as 2026-01" doc:"In UTC; this one if left out."`
	}
	type answer struct{ Body *UsageReport }
	route(s, huma.Operation{
		OperationID: "usage", Method: http.MethodGet, Path: "/v1/usage", Tags: []string{"usage"},
		Summary: "Worker hours and USD of a month, per job, token and worker",
	}, func(ctx context.Context, r *request) (*answer, error) {
		if r.Month == "" {
			r.Month = s.Now().UTC().Format("2006-01")
		}
		charges, err := a.Store.Usage(ctx, r.Month)
		if err != nil {
			return nil, err
		}
		report := NewUsageReport(r.Month, charges)
		return &answer{report}, a.limits(ctx, report)
	})
}

// limits puts quotas beside what tokens used, also of who asks and has used nothing.
func (a *Usage) limits(ctx context.Context, r *UsageReport) (err error) {
	limited := func(name string) bool { return a.Quotas.Of(name) != quota.Quota{Weight: 1} }
	own := Principal(ctx)
	if limited(own) && !slices.ContainsFunc(r.Tokens, func(t TokenUsage) bool { return t.Token == own }) {
		r.Tokens = append(r.Tokens, TokenUsage{Token: own})
	}
	for i := range r.Tokens {
		t := &r.Tokens[i]
		if !limited(t.Token) {
			continue
		}
		q := a.Quotas.Of(t.Token)
		if t.Quota = &q; q.Storage > 0 && a.Stored != nil {
			bytes, err := a.Stored(ctx, t.Token)
			if err != nil {
				return err
			}
			t.Stored = &bytes
		}
	}
	return nil
}

// NewUsageReport sums up charges, which come by job.
func NewUsageReport(month string, charges []records.Charge) *UsageReport {
	r := &UsageReport{Object: "usage", Month: month, Jobs: []JobUsage{}, Tokens: []TokenUsage{}, Workers: []WorkerUsage{}}
	tokens, workers := map[string]*TokenUsage{}, map[string]*WorkerUsage{}
	for _, c := range charges {
		r.add(c)
		t, w := at(tokens, c.Owner), at(workers, c.Worker)
		if n := len(r.Jobs); n == 0 || r.Jobs[n-1].Job != c.Job {
			r.Jobs = append(r.Jobs, JobUsage{Job: c.Job, Token: c.Owner})
			t.Jobs++
		}
		r.Jobs[len(r.Jobs)-1].add(c)
		t.Token, w.Worker = c.Owner, c.Worker
		t.add(c)
		w.add(c)
		w.Jobs++
	}
	for _, t := range tokens {
		r.Tokens = append(r.Tokens, *t)
	}
	for _, w := range workers {
		r.Workers = append(r.Workers, *w)
	}
	slices.SortFunc(r.Tokens, func(x, y TokenUsage) int { return cmp.Or(y.compare(x.Spent), cmp.Compare(x.Token, y.Token)) })
	slices.SortFunc(r.Workers, func(x, y WorkerUsage) int { return cmp.Or(y.compare(x.Spent), cmp.Compare(x.Worker, y.Worker)) })
	return r
}

// at is the element under a key, made if it is not there.
func at[T any](m map[string]*T, key string) *T {
	if m[key] == nil {
		m[key] = new(T)
	}
	return m[key]
}

func (s *Spent) add(c records.Charge) {
	s.Hours += c.Seconds / 3600
	s.USD += c.USD
}

func (s Spent) compare(o Spent) int {
	return cmp.Or(cmp.Compare(s.USD, o.USD), cmp.Compare(s.Hours, o.Hours))
}
