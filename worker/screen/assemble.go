package screen

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/lease"
	"polyid-trainer/jobs/results"
	"polyid-trainer/jobs/screenings"
)

// mostFront is how many rows a front may have, since it is held in memory.
const mostFront = 100_000

// assemble puts the results of a screening together.
func (s *Service) assemble(ctx context.Context, id string) error {
	holder := lease.NewHolder(s.Lease, s.Log)
	a, err := s.Store.Assemble(ctx, id, holder, s.Worker)
	if err != nil || a == nil {
		return err
	}
	outcome, err := holder.Run(ctx, a.Renew, func(ctx context.Context) error { return s.writeResults(ctx, a) })
	switch outcome {
	case lease.Done:
		return nil
	case lease.Lost:
		return jobs.ErrLost
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), ending)
	defer cancel()
	if outcome != lease.Failed {
		return errors.Join(a.Leave(ctx), stopped(outcome, err))
	}
	s.Log.Warn("assembling results failed", "screening", id, "error", err)
	var hopeless *jobs.Failure
	if errors.Is(err, results.ErrFront) {
		hopeless = &jobs.Failure{Code: string(jobs.TooLarge), Detail: fmt.Sprintf("more than %d rows are on the front of %v: ask for fewer expressions, or narrow by where", mostFront, a.Spec.Pareto)}
	}
	if failed := a.Fail(ctx, err, hopeless); failed != nil {
		return errors.Join(err, failed)
	}
	return nil
}

// writeResults writes the finished results and names them in the record.
func (s *Service) writeResults(ctx context.Context, a *screenings.Assembly) error {
	columns, problems := screenings.NewColumns(&a.Spec, &a.Model, &a.Source)
	if problems != nil {
		return &jobs.Error{Code: jobs.Invalid, Detail: "the screening's expressions are not those of its model", Problems: problems}
	}
	out := results.NewChunkWriter(ctx, s.Bucket, func(n int) string { return keys.ScreeningChunk(a.ID, a.Attempt, n) })
	encoder, err := results.NewEncoder(a.Spec.Format, columns, out)
	if err != nil {
		return err
	}
	var n int64
	for r, err := range s.chosen(ctx, a) {
		if err != nil {
			return err
		}
		if err := encoder.Write(r.Cells); err != nil {
			return err
		}
		if n++; n%1000 == 0 && ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	if err := errors.Join(encoder.Close(), out.Close()); err != nil {
		return err
	}
	return a.Succeed(ctx, screenings.Result{Rows: n, Bytes: out.Bytes, SHA256: out.SHA256(), Chunks: out.Sizes})
}

// chosen yields the rows of the results, in their order.
func (s *Service) chosen(ctx context.Context, a *screenings.Assembly) iter.Seq2[screenings.Row, error] {
	spec := &a.Spec
	parts := make([]string, a.Shards())
	for i := range parts {
		parts[i] = keys.ScreeningPart(a.ID, i)
	}
	var rows iter.Seq2[screenings.Row, error]
	switch {
	case len(spec.Pareto) > 0:
		rows = results.FrontOf(ctx, s.Bucket, parts, mostFront, spec.OrderBy != "")
	case spec.OrderBy != "":
		most := spec.Limit
		if spec.Diverse > 0 {
			most = 0
		}
		rows = results.Sorted(ctx, s.Bucket, parts, keys.ScreeningScratch(a.ID, a.Attempt), most)
	default:
		rows = results.InOrder(ctx, s.Bucket, slices.Values(parts))
	}
	if spec.Diverse > 0 {
		rows = diverse(rows, a.Source, spec.Diverse)
	}
	if spec.Limit > 0 {
		rows = first(rows, spec.Limit)
	}
	return rows
}

// first yields the first rows.
func first(rows iter.Seq2[screenings.Row, error], most int) iter.Seq2[screenings.Row, error] {
	return func(yield func(screenings.Row, error) bool) {
		n := 0
		for r, err := range rows {
			if n++; !yield(r, err) || err != nil || n == most {
				return
			}
		}
	}
}
