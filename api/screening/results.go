package screening

import (
	"context"
	"errors"
	"fmt"
	"io"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/results"
	"polyid-trainer/jobs/screenings"
)

// Results are the finished results of a screening.
type Results struct {
	*results.ChunkReader
	Size   int64
	SHA256 string
	Format screenings.Format
}

// Results opens the finished results; nil if there are none yet. The caller closes
// them.
func (s *Service) Results(ctx context.Context, x *screenings.Screening) *Results {
	r := x.Result
	if r == nil {
		return nil
	}
	key := func(n int) string { return keys.ScreeningChunk(x.ID, r.Attempt, n) }
	return &Results{results.NewChunkReader(ctx, s.Bucket, key, r.Chunks), r.Bytes, r.SHA256, x.Spec.Format}
}

// Ready checks that a screening which is not over has results that are known already:
// those in the library's order are, as far as it has been worked through without a
// gap.
func (s *Service) Ready(x *screenings.Screening) error {
	conflict := func(format string, args ...any) error {
		return &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf("the screening is %s: ", x.Status) + fmt.Sprintf(format, args...)}
	}
	switch {
	case x.Spec.Ordered():
		return conflict("which rows are kept is known when all are predicted")
	case x.Spec.Format != screenings.CSV && x.Spec.Format != screenings.NDJSON:
		return conflict("%s is written when all rows are predicted", x.Spec.Format)
	}
	return nil
}

// WriteReady writes the results that are ready, the first bytes of what the finished
// results will be.
func (s *Service) WriteReady(ctx context.Context, x *screenings.Screening, w io.Writer) error {
	columns, problems := screenings.NewColumns(&x.Spec, &x.Model, &x.Source)
	if problems != nil {
		return &jobs.Error{Code: jobs.Damaged, Detail: "the screening's expressions are not those of its model", Problems: problems}
	}
	l, err := s.Store.Ledger(ctx, x.ID)
	if err != nil {
		return err
	}
	claims, err := s.Store.Claims(ctx, x.ID, l)
	if err != nil {
		return err
	}
	encoder, err := results.NewEncoder(x.Spec.Format, columns, w)
	if err != nil {
		return err
	}
	parts := func(yield func(string) bool) {
		for shard := range l.Ready(claims) {
			if !yield(keys.ScreeningPart(x.ID, shard)) {
				return
			}
		}
	}
	for r, err := range results.InOrder(ctx, s.Bucket, parts) {
		if err == nil {
			err = encoder.Write(r.Cells)
		}
		if err != nil {
			return errors.Join(err, encoder.Close())
		}
	}
	return encoder.Close()
}
