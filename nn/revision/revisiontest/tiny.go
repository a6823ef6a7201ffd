// Package revisiontest makes small revisions for tests.
package revisiontest

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/featurize/smiles"
	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/dataset"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/train"
)

// Model is a network small enough for any test.
var Model = nn.Config{Name: nn.Global100, AtomFeatures: 16, BondFeatures: 16, MolFeatures: 4, NumMessages: 2}

// Created is when a Tiny revision says it was made.
var Created = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

// Tiny is a revision of folds models with fresh weights on PolyID's table, of
// which every sixth row is held out: whole, with everything that is measured
// measured of these models, and different for another seed.
func Tiny(t testing.TB, folds int, seed uint64) *revision.Revision {
	t.Helper()
	r, err := tiny(t.Context(), folds, seed)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// Full is Tiny with networks of PolyID's size, 17 MB each. What Tiny measured is
// not measured again, so its figures are of the small ones.
func Full(t testing.TB, folds int, seed uint64) *revision.Revision {
	t.Helper()
	r := Tiny(t, folds, seed)
	r.Config.Model = nn.DefaultConfig()
	for i, m := range r.Models {
		m.Config = r.Config.Model
		m.Weights = nn.NewParams(m.Config, m.Sizes())
		m.Weights.Init(seed + uint64(i))
	}
	return r
}

func tiny(ctx context.Context, folds int, seed uint64) (*revision.Revision, error) {
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		return nil, err
	}
	table, set, err := dataset.PolyID(ctx, f, Model.NumMessages)
	if err != nil {
		return nil, err
	}
	q := data.PartitionRequest{Folds: folds, Seed: 1, Holdout: &data.Holdout{}}
	for row := 0; row < table.Rows(); row += 6 {
		q.Holdout.Rows = append(q.Holdout.Rows, table.Origin[row].Position)
	}
	part, err := table.Partition(q)
	if err != nil {
		return nil, err
	}
	epochs := train.DefaultConfig()
	epochs.Epochs, epochs.Seed = 3, seed
	r := &revision.Revision{
		Config: revision.Config{
			Job: "tj_test", CreatedAt: Created, CodeVersion: "test", Seed: seed, Model: Model, Features: f.Config(),
			Training: &epochs, KernelPaths: []string{"generic"},
			Chains: revision.Chains{Notations: []data.Notation{data.Polymer}, Replicates: 1, EndGroups: "as the SMILES give them"},
			Data: revision.Data{Name: "stereopolymer_input_nopush", Hash: table.Hash(), Licence: "BSD-3-Clause", Rows: table.Rows(),
				Polymers: len(table.PolymerGroups().Members()), Holdout: len(part.Holdout), GroupBy: data.ByPolymer},
			Run: &revision.Run{StartedAt: Created.Add(-time.Minute), FinishedAt: Created, WorkerSeconds: 90, Hardware: []string{"a test"}},
		},
		Folds: part.Folds,
	}
	for _, target := range table.Targets {
		r.Config.Targets = append(r.Config.Targets, checkpoint.Target{Name: target.Name, Units: target.Units})
	}
	for i, fold := range part.Folds {
		made, err := set.Fold(table, fold)
		if err != nil {
			return nil, err
		}
		w := nn.NewParams(Model, made.Sizes())
		w.Init(seed + uint64(i))
		r.Models = append(r.Models, &checkpoint.Model{
			Config: Model, Features: f.Config(), Vocab: made.Vocab, Targets: r.Config.Targets, Scaler: made.Scaler, Weights: w,
			Origin: checkpoint.Origin{Fold: i, Seed: seed, DataHash: table.Hash(), KernelPaths: []string{"generic"}, CodeVersion: "test", BestEpoch: 2},
		})
		mae := make([]train.Measure, len(table.Targets))
		r.History = append(r.History, []train.Epoch{{Epoch: 1, Loss: 1, ValLoss: 1, ValMAE: mae, ValMAEScaled: mae}, {Epoch: 2, Loss: 0.5, ValLoss: 0.5, ValMAE: mae, ValMAEScaled: mae}})
	}
	if err := measure(r, table, part, set); err != nil {
		return nil, err
	}
	r.Domain = &featurize.Domain{}
	for _, s := range table.Structures {
		m, err := smiles.Read(s.Polymer)
		if err != nil {
			return nil, err
		}
		r.Domain.Add(m)
	}
	return r, nil
}

// measure predicts every row as a finalizer does and scores the predictions.
func measure(r *revision.Revision, table *data.Table, part *data.Partition, set *dataset.Dataset) error {
	// answer predicts rows by an ensemble of models.
	answer := func(models []*checkpoint.Model, c *ensemble.Calibration, rows []int, hear func(row int, p *ensemble.Prediction)) error {
		e, err := ensemble.New(models, cpu.New, c)
		if err != nil {
			return err
		}
		defer e.Close()
		for _, row := range rows {
			g, err := e.Featurizer().Graph(table.Structures[row].Polymer)
			if err != nil {
				return err
			}
			p, err := e.Predict(e.Plan(g))
			if err != nil {
				return err
			}
			hear(row, p)
		}
		return nil
	}
	for k, fold := range part.Folds {
		err := answer(r.Models[k:k+1], nil, fold.Validate, func(row int, p *ensemble.Prediction) {
			ys := make([]float64, len(p.Values))
			for t, v := range p.Values {
				ys[t] = v.Mean
			}
			r.Predictions = append(r.Predictions, revision.OutOfFold(row, k, part.Groups[row], table.Structures[row].Polymer, table.Values(row), ys))
		})
		if err != nil {
			return err
		}
	}
	var err error
	if r.Calibration, err = ensemble.Calibrate(r.Config.Targets, len(r.Models), revision.CalibrationRows(r.Predictions), ensemble.Intervals{}); err != nil {
		return err
	}
	err = answer(r.Models, r.Calibration, part.Holdout, func(row int, p *ensemble.Prediction) {
		r.Predictions = append(r.Predictions, revision.HeldOut(row, part.Groups[row], table.Structures[row].Polymer, table.Values(row), p))
	})
	if err != nil {
		return err
	}
	r.Metrics = revision.Measure(table, part.Folds, r.Predictions, ensemble.Level)
	for i := range r.Metrics.Folds {
		f := &r.Metrics.Folds[i]
		f.Epochs, f.BestEpoch, f.BestValLoss = 2, 2, 0.5
	}
	return nil
}

// Dir writes a revision to a new directory.
func Dir(t testing.TB, r *revision.Revision) string {
	t.Helper()
	dir := t.TempDir()
	for path, body := range Files(t, r) {
		name := filepath.Join(dir, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// files are those of Tiny revisions, by folds and seed.
var files sync.Map

// TinyFiles are the files of a Tiny revision. They are made once for all tests of
// a program, because their figures take a while; the map is the caller's.
func TinyFiles(t testing.TB, folds int, seed uint64) map[string][]byte {
	t.Helper()
	type key struct {
		folds int
		seed  uint64
	}
	made, _ := files.LoadOrStore(key{folds, seed}, sync.OnceValue(func() map[string][]byte {
		return Files(t, Tiny(t, folds, seed))
	}))
	return maps.Clone(made.(func() map[string][]byte)())
}

// Files are the files of a revision by path.
func Files(t testing.TB, r *revision.Revision) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	err := r.Write(func(path string, body []byte) error {
		if _, twice := files[path]; twice {
			return fmt.Errorf("%s twice", path)
		}
		files[path] = body
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
