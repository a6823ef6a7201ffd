package keras

import (
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"

	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/keras/internal/pickle"
	"polyid-trainer/nn/train"
)

// Options is what PolyID's files hold besides the models.
type Options struct {
	Train *train.Config // how the models were trained; nil if that is not known
	Rows  *Rows         // what they were trained on; nil leaves it out, as PolyID does by default
}

// Dir is the folder of the fold at an index in the models given to Write.
func Dir(fold int) string { return fmt.Sprintf("model_fold_%d", fold) }

// Write hands put, one by one, the files of a folder that PolyID's
// MultiModel.load_models loads, by their paths below it:
//
//	parameters.pk
//	model_fold_0/model_fold_0.h5       weights; and the same bytes again as model.h5
//	model_fold_0/model_fold_0_data.pk  tokenizers, scaler, target names, parameters
//	model_fold_0/preprocessor.pk       the tokenizers alone
//	model_fold_0/scaler.pk             the scaler alone
//	model_fold_1/…
//	polyid_0_1_2_4.py                  Shim, for those who have that version
//
// The models must predict the same targets; training state in them is left out.
// A PolyID of version 0.1.2.3 with Keras 2.14 then predicts what they do. Loading
// the pickles runs PolyID's, nfp's, scikit-learn's and numpy's constructors and
// nothing else, with Rows pandas' too.
//
// The bytes depend on the arguments alone. One fold's files are in memory at a
// time: 17 MB of weights at PolyID's full size. put may keep what it gets. An
// error of put ends Write and is returned.
func Write(models []*checkpoint.Model, o Options, put func(path string, body []byte) error) error {
	if len(models) == 0 {
		return errors.New("an ensemble of no models")
	}
	for i, m := range models {
		if err := writable(m, models[0]); err != nil {
			return fmt.Errorf("fold %d: %w", i, err)
		}
	}
	if o.Rows != nil {
		if err := o.Rows.check(models); err != nil {
			return err
		}
	}
	parameters := parametersOf(models, o.Train)
	root := dict(
		pickle.Entry{Key: "prediction_columns", Value: list(targetNames(models[0].Targets))},
		pickle.Entry{Key: "prediction_units", Value: units(models[0])},
		pickle.Entry{Key: "parameters", Value: parameters},
	)
	if o.Rows != nil {
		root.Entries = append(root.Entries, pickle.Entry{Key: "df_input", Value: o.Rows.input()})
	}
	if err := putPickle(put, Parameters, root); err != nil {
		return err
	}
	for i, m := range models {
		data := modelData(m, strconv.Itoa(i), parameters)
		if o.Rows != nil {
			data.Entries = append(data.Entries, o.Rows.fold(i)...)
		}
		if err := writeFold(m, Dir(i), data, put); err != nil {
			return fmt.Errorf("fold %d: %w", i, err)
		}
	}
	return put(ShimPath, []byte(Shim))
}

// writable reports why m cannot be written as one of first's ensemble.
func writable(m, first *checkpoint.Model) error {
	if err := m.Validate(); err != nil {
		return err
	}
	if m.Weights == nil || !m.Weights.Fits(m.Config, m.Sizes()) {
		return errors.New("its weights are missing, or not those of its configuration")
	}
	if !slices.Equal(m.Targets, first.Targets) {
		return fmt.Errorf("it predicts %v, the first fold %v", m.Targets, first.Targets)
	}
	return nil
}

func writeFold(m *checkpoint.Model, dir string, data *pickle.Dict, put func(path string, body []byte) error) error {
	weights, err := marshalWeights(m)
	if err != nil {
		return fmt.Errorf("weights: %w", err)
	}
	for _, name := range []string{dir + ".h5", "model.h5"} {
		if err := put(path.Join(dir, name), weights); err != nil {
			return err
		}
	}
	for _, f := range []struct {
		name  string
		value any
	}{{dir + "_data.pk", data}, {"preprocessor.pk", preprocessorObject(m)}, {"scaler.pk", scalerObject(m)}} {
		if err := putPickle(put, path.Join(dir, f.name), f.value); err != nil {
			return err
		}
	}
	return nil
}

func putPickle(put func(path string, body []byte) error, name string, v any) error {
	b, err := pickle.Write(v)
	if err != nil {
		return fmt.Errorf("%s: %w", name, err)
	}
	return put(name, b)
}

// units is what MultiModel calls prediction_units: for each target the units
// that its column states, None without.
func units(m *checkpoint.Model) *pickle.Dict {
	d := &pickle.Dict{}
	for _, t := range m.Targets {
		e := pickle.Entry{Key: t.Name}
		if t.Units != "" {
			e.Value = list([]string{t.Units})
		}
		d.Entries = append(d.Entries, e)
	}
	return d
}
