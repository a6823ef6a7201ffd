package pipeline

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"

	"polyid-trainer/featurize"
	"polyid-trainer/featurize/smiles"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/keras"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/train"
	"polyid-trainer/storage"
)

// finalize makes the ensemble of a job's folds: it scores them on the rows they
// did not see and writes the files of the revision. All of it follows from the
// records and what they name, so that a second attempt writes the same.
func (p *Pipeline) finalize(ctx context.Context, id string) error {
	folds, err := p.Store.Folds(ctx, id)
	if err != nil {
		return err
	}
	for _, f := range folds {
		if f.Result == nil { // enqueued before its time
			return nil
		}
	}
	enter := func(j *jobs.Job) error {
		for _, f := range folds { // whose worker died between record and event
			if err := j.FoldFinished(p.now(), f); err != nil {
				return err
			}
		}
		return j.Finalize(p.now())
	}
	return p.stage(ctx, jobs.Finalize, id, []jobs.State{jobs.Training, jobs.Finalizing}, enter, func(ctx context.Context, s *stage) error {
		r, rows, err := s.assemble(ctx, folds)
		if err != nil {
			return err
		}
		if err := s.write(ctx, r, rows); err != nil {
			return err
		}
		metrics, err := json.Marshal(r.Metrics)
		if err != nil {
			return err
		}
		return s.done(ctx, func(j *jobs.Job) error {
			j.Metrics = metrics
			if j.Spec.Publish == nil {
				return j.Succeed(p.now())
			}
			return j.Advance(jobs.Publishing, "")
		})
	})
}

// assemble makes the revision, and the training rows that Python's files hold if
// the job asks for them.
func (s *stage) assemble(ctx context.Context, folds []*jobs.Fold) (*revision.Revision, *keras.Rows, error) {
	item, err := s.corpora.acquire(ctx, s.job.ID, func() (*corpus, *Preparation, error) { return s.load(ctx, s.job) })
	if err != nil {
		return nil, nil, err
	}
	defer s.corpora.release(item)
	c, prep := item.corpus, item.prep
	if len(folds) != len(prep.Folds) {
		return nil, nil, failure("folds_missing", "there are %d fold records for %d folds", len(folds), len(prep.Folds))
	}
	r := &revision.Revision{Folds: prep.Folds}
	var held [][]float64 // of each fold: its predictions of the hold-out rows
	rows := &keras.Rows{}
	for i, f := range folds {
		m, err := readModel(ctx, s.Bucket, f.Result.Model)
		if err != nil {
			return nil, nil, err
		}
		validated, unseen, err := s.predict(ctx, c, m, prep.Folds[i].Validate, prep.Holdout)
		if err != nil {
			return nil, nil, fmt.Errorf("scoring fold %d: %w", i, err)
		}
		k := len(m.Targets)
		rows.Predicted = append(rows.Predicted, validated)
		seen := c.mean(prep.Folds[i].Validate, validated, k)
		for n, row := range prep.Folds[i].Validate {
			r.Predictions = append(r.Predictions, revision.OutOfFold(row, i, prep.Groups[row], c.name(row), c.table.Values(row), seen[n*k:(n+1)*k]))
		}
		held = append(held, c.mean(prep.Holdout, unseen, k))
		r.Models = append(r.Models, m)
		history, err := s.history(ctx, i)
		if err != nil {
			return nil, nil, err
		}
		r.History = append(r.History, history)
	}
	if err := s.scoreEnsemble(ctx, r, c, prep, held); err != nil {
		return nil, nil, err
	}
	if r.Domain, err = c.domain(ctx, inFolds(prep.Folds)); err != nil {
		return nil, nil, err
	}
	r.Metrics = revision.Measure(c.table, prep.Folds, r.Predictions, s.job.Spec.Intervals.WithDefaults().Level)
	for i, f := range folds {
		m := &r.Metrics.Folds[i]
		m.Epochs, m.BestEpoch, m.BestValLoss = f.Result.Epochs, f.Result.BestEpoch, train.Measure(f.Result.BestValLoss)
	}
	r.Config = s.config(c, prep, folds)
	if p := s.job.Spec.Publish; p == nil || !p.SaveTraining {
		return r, nil, nil
	}
	rows.Folds, rows.History = c.folds(prep.Folds), r.History
	rows.Table, rows.Chains, err = c.trained()
	return r, rows, err
}

// readModel reads a fold's best weights.
func readModel(ctx context.Context, b storage.Bucket, key string) (*checkpoint.Model, error) {
	o, err := b.Get(ctx, key)
	if errors.Is(err, storage.ErrNotExist) {
		return nil, failure("model_missing", "%s is gone", key)
	}
	if err != nil {
		return nil, err
	}
	defer o.Close()
	m, err := checkpoint.Read(o)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", key, err)
	}
	return m, nil
}

func (s *stage) history(ctx context.Context, fold int) ([]train.Epoch, error) {
	body, err := read(ctx, s.Bucket, keys.History(s.job.ID, fold), maxHistory)
	if err != nil {
		return nil, err
	}
	var h []train.Epoch
	if err := json.Unmarshal(body, &h); err != nil {
		return nil, fmt.Errorf("reading %s: %w", keys.History(s.job.ID, fold), err)
	}
	return h, nil
}

// maxHistory bounds a fold's history in bytes: a million epochs of some targets.
const maxHistory = 1 << 30

// predict gives a model's predictions of the chains of rows, in the targets'
// units, [chains × targets].
func (p *Pipeline) predict(ctx context.Context, c *corpus, m *checkpoint.Model, seen, unseen []int) (a, b []float64, err error) {
	engine, err := p.NewEngine(m.Config, m.Sizes(), 0)
	if err != nil {
		return nil, nil, err
	}
	defer engine.Close()
	if err := engine.SetState(&nn.State{Weights: m.Weights}); err != nil {
		return nil, nil, err
	}
	err = aside(func() (err error) {
		if a, err = c.predict(ctx, engine, m, seen); err == nil {
			b, err = c.predict(ctx, engine, m, unseen)
		}
		return err
	})
	return a, b, err
}

func (c *corpus) predict(ctx context.Context, engine nn.Engine, m *checkpoint.Model, rows []int) ([]float64, error) {
	if len(rows) == 0 {
		return nil, nil
	}
	scaled, err := train.Predict(ctx, engine, c.set.Bind(m.Vocab, c.chainsOf(rows)), len(m.Targets))
	if err != nil {
		return nil, err
	}
	wide := make([]float64, len(scaled))
	for i, x := range scaled {
		wide[i] = float64(x)
	}
	return m.Scaler.Inverse(wide), nil
}

// mean takes values of the chains of rows to the rows, [rows × targets].
func (c *corpus) mean(rows []int, chains []float64, targets int) []float64 {
	out := make([]float64, 0, len(rows)*targets)
	for _, row := range rows {
		n := int(c.first[row+1] - c.first[row])
		for t := range targets {
			sum := 0.0
			for i := range n {
				sum += chains[i*targets+t]
			}
			out = append(out, sum/float64(n))
		}
		chains = chains[n*targets:]
	}
	return out
}

// name is a row's polymer as the row states it.
func (c *corpus) name(row int) string {
	st := &c.table.Structures[row]
	text, _ := st.Field(string(st.Notation()))
	return text
}

// domain is the Morgan hashes of the chains of rows, ascending. Cost: reading each
// distinct chain once.
func (c *corpus) domain(ctx context.Context, rows []int) (*featurize.Domain, error) {
	d := new(featurize.Domain)
	wanted := make([]bool, c.table.Rows())
	for _, r := range rows {
		wanted[r] = true
	}
	var properties []string
	index := map[string]int{}
	for t, target := range c.table.Targets {
		properties = append(properties, target.Name)
		index[target.Name] = t
	}
	measured := make([][]bool, len(c.row)) // by number of SMILES and target
	for chain, r := range c.row {
		if !wanted[r] {
			continue
		}
		text := c.set.Texts()[chain]
		if measured[text] == nil {
			measured[text] = make([]bool, len(properties))
		}
		for t, y := range c.table.Values(int(r)) {
			measured[text][t] = measured[text][t] || !math.IsNaN(y)
		}
	}
	seen := make([]bool, len(c.row)) // by number of SMILES
	row := 0
	for grown, err := range c.grown.each() {
		if err := errors.Join(err, context.Cause(ctx)); err != nil {
			return nil, err
		}
		if grown == nil {
			grown = []structure.Chain{{SMILES: c.table.Structures[row].Polymer}}
		}
		for i, chain := range grown {
			text := c.set.Texts()[int(c.first[row])+i]
			if !wanted[row] || seen[text] {
				continue
			}
			seen[text] = true
			m, err := smiles.Read(chain.SMILES)
			if err != nil {
				return nil, fmt.Errorf("row %d: %w", row, err)
			}
			d.AddMeasured(m, func(p string) bool { return measured[text][index[p]] }, properties)
		}
		row++
	}
	return d, nil
}

// write writes the revision's files, and those that PolyID loads.
func (s *stage) write(ctx context.Context, r *revision.Revision, rows *keras.Rows) error {
	put := func(path string, body []byte) error {
		if err := s.holder.Fresh(ctx, s.renew); err != nil {
			return err
		}
		return putOnce(ctx, s.Bucket, keys.ModelPrefix(s.job.ID)+path, body)
	}
	return r.Write(put, func(put revision.Put) error {
		return keras.Write(r.Models, keras.Options{Train: r.Config.Training, Rows: rows}, put)
	})
}
