package screening

import (
	"context"
	"errors"
	"iter"
	"slices"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/expression"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/results"
	"polyid-trainer/jobs/screenings"
	"polyid-trainer/storage"
)

// Best are the first rows of results: the best ones, where an order was asked for.
type Best struct {
	Names []string // of the columns
	Kinds []expression.Kind
	Rows  [][]string
	// Of is how many rows of the library they are the best of.
	Of int64
}

// mostFront bounds the front that is computed of unfinished results.
const mostFront = 10_000

// Best returns the first n rows: of the finished results, or, before that, of the
// first [results.FanIn] shards at most, so that looking costs as many small reads
// however large the library is.
func (s *Service) Best(ctx context.Context, x *screenings.Screening, n int) (*Best, error) {
	columns, problems := screenings.NewColumns(&x.Spec, &x.Model, &x.Source)
	if problems != nil {
		return nil, &jobs.Error{Code: jobs.Damaged, Detail: "the screening's expressions are not those of its model", Problems: problems}
	}
	b := &Best{Names: columns.Names, Kinds: columns.Kinds}
	if done := s.Results(ctx, x); done != nil {
		defer done.Close()
		b.Of = x.Source.Count
		var err error
		b.Rows, err = results.First(x.Spec.Format, columns, done, x.Result.Bytes, n)
		return b, err
	}
	l, err := s.Store.Ledger(ctx, x.ID)
	if err != nil {
		return nil, err
	}
	claims, err := s.Store.Claims(ctx, x.ID, l)
	if err != nil {
		return nil, err
	}
	ready := min(l.Ready(claims), results.FanIn)
	if ready == 0 {
		return b, nil
	}
	_, b.Of = x.Shard(ready - 1)
	parts := make([]string, ready)
	for i := range parts {
		parts[i] = keys.ScreeningPart(x.ID, i)
	}
	for r, err := range s.soFar(ctx, x, parts) {
		if errors.Is(err, storage.ErrNotExist) || errors.Is(err, results.ErrFront) { // finished or deleted meanwhile; too large to show
			return &Best{Names: b.Names, Kinds: b.Kinds}, nil
		}
		if err != nil {
			return nil, err
		}
		if b.Rows = append(b.Rows, r.Cells); len(b.Rows) == n {
			break
		}
	}
	return b, nil
}

// soFar yields the rows of parts in the order of the results.
func (s *Service) soFar(ctx context.Context, x *screenings.Screening, parts []string) iter.Seq2[screenings.Row, error] {
	switch {
	case len(x.Spec.Pareto) > 0:
		return results.FrontOf(ctx, s.Bucket, parts, mostFront, x.Spec.OrderBy != "")
	case x.Spec.OrderBy != "":
		return results.Sorted(ctx, s.Bucket, parts, "", 0) // of FanIn parts nothing is stored
	}
	return results.InOrder(ctx, s.Bucket, slices.Values(parts))
}
