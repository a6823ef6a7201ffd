package screen

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/data/library"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/jobs/results"
	"polyid-trainer/jobs/screenings"
	"polyid-trainer/storage"
)

// run works through the shards of the block.
func (w *work) run(ctx context.Context) error {
	columns, problems := screenings.NewColumns(&w.Spec, &w.Model, &w.Source)
	if problems != nil {
		return &jobs.Error{Code: jobs.Invalid, Detail: "the screening's expressions are not those of its model", Problems: problems}
	}
	rows, err := w.rows(ctx)
	if err != nil {
		return err
	}
	model, release, err := w.Models.Use(ctx, w.Screening)
	if err != nil {
		return fmt.Errorf("load the model: %w", err)
	}
	defer release()
	for shard := w.Next(); shard < w.To(); shard++ {
		tally, err := w.shard(ctx, shard, rows, model, columns)
		if err != nil {
			return fmt.Errorf("shard %d: %w", shard, err)
		}
		if err := w.ShardDone(ctx, shard, tally); err != nil {
			return err
		}
		if w.Stored != nil {
			w.Stored(w.ID, shard)
		}
	}
	return nil
}

// rows opens what is screened.
func (w *work) rows(ctx context.Context) (library.Rows, error) {
	if g := w.Grid(); g != nil {
		return g, nil
	}
	l, err := library.Open(ctx, w.Bucket, w.Source.Library)
	if errors.Is(err, storage.ErrNotExist) {
		return nil, &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("the library %s is no longer there: upload it again, and screen that", w.Source.Name)}
	}
	if err == nil && l.Index().Hash != w.Source.Hash {
		return nil, &jobs.Error{Code: jobs.Invalid, Detail: fmt.Sprintf("the library %s is another than when the screening was made", w.Source.Name)}
	}
	return l, err
}

// shard computes a shard and stores what is kept of it; of one that was claimed
// before it first looks whether that has been done.
func (w *work) shard(ctx context.Context, shard int, rows library.Rows, model Predictor, columns *screenings.Columns) (screenings.Tally, error) {
	key := keys.ScreeningPart(w.ID, shard)
	if w.Again {
		h, err := results.ReadHead(ctx, w.Bucket, key)
		if err == nil || !errors.Is(err, storage.ErrNotExist) {
			return h.Tally, err
		}
	}
	began := time.Now()
	from, to := w.Shard(shard)
	sheet, err := rows.Sheet(ctx, from, to)
	if err != nil {
		return screenings.Tally{}, err
	}
	kept, tally, err := w.predict(ctx, sheet, model, columns)
	if err != nil {
		return tally, err
	}
	if err := context.Cause(ctx); err != nil {
		return tally, err
	}
	tally.Seconds = time.Since(began).Seconds()
	tally.USD = tally.Seconds * w.CostPerHour / 3600
	h, err := results.PutPart(ctx, w.Bucket, key, results.Head{Tally: tally}, kept)
	w.done.Store(0)
	return h.Tally, err
}

// predict predicts the rows of a sheet and makes the results that are kept, in the
// order in which they are wanted.
func (w *work) predict(ctx context.Context, sheet *data.Sheet, model Predictor, columns *screenings.Columns) (kept []screenings.Row, t screenings.Tally, err error) {
	evaluator, front := columns.NewEvaluator(), &results.Front{}
	w.done.Store(0)
	columnsStated := data.Columns{Roles: w.Source.Roles}
	err = model.Predict(ctx, sheet, columnsStated, w.Cores, func(i int, p *screenings.Prediction) error {
		w.done.Add(1)
		t.Rows++
		if p.Error != "" {
			t.Failed++
		}
		r, keep := evaluator.Result(sheet.Rows[i], p)
		if !keep {
			return nil
		}
		t.Kept++
		if len(w.Spec.Pareto) > 0 {
			return front.Add(r)
		}
		kept = append(kept, r)
		return nil
	})
	if err != nil {
		return nil, t, err
	}
	if int(t.Rows) != len(sheet.Rows) {
		return nil, t, fmt.Errorf("%d rows of %d were predicted", t.Rows, len(sheet.Rows))
	}
	if len(w.Spec.Pareto) > 0 {
		return front.Rows(), t, nil
	}
	if w.Spec.OrderBy != "" {
		slices.SortStableFunc(kept, func(a, b screenings.Row) int { return a.Key.Compare(b.Key) })
	}
	if n := w.Spec.Limit; n > 0 && w.Spec.Diverse == 0 && len(kept) > n {
		kept = slices.Clip(kept[:n])
	}
	return kept, t, nil
}
