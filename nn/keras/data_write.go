package keras

import (
	"strings"

	"polyid-trainer/featurize"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/keras/internal/pickle"
	"polyid-trainer/nn/train"
)

// Python's public names of what makes an array or a table from plain lists. They
// are used instead of what numpy and pandas pickle themselves, which differs
// between versions.
var (
	makeArray = pickle.Class{Module: "numpy", Name: "array"}
	makeTable = pickle.Class{Module: "pandas", Name: "DataFrame"}
)

// sklearnVersion is the version of scikit-learn whose scaler is written. PolyID
// 0.1.2.3 asks for it; another one warns.
const sklearnVersion = "1.3.0"

// class splits the constants of data.go.
func class(name string) pickle.Class {
	i := strings.LastIndexByte(name, '.')
	return pickle.Class{Module: name[:i], Name: name[i+1:]}
}

func dict(entries ...pickle.Entry) *pickle.Dict { return &pickle.Dict{Entries: entries} }

func list[T any](values []T) *pickle.List {
	l := &pickle.List{Items: make([]any, len(values))}
	for i, v := range values {
		l.Items[i] = v
	}
	return l
}

// made is what Python makes by calling a class with args.
func made(c pickle.Class, args ...any) *pickle.Object {
	return &pickle.Object{Class: c, Args: &pickle.Tuple{Items: args}}
}

// modelData is what a fold's data file holds of the model.
func modelData(m *checkpoint.Model, id string, parameters *pickle.Dict) *pickle.Dict {
	return dict(
		pickle.Entry{Key: "prediction_columns", Value: list(targetNames(m.Targets))},
		pickle.Entry{Key: "data_scaler", Value: scalerObject(m)},
		pickle.Entry{Key: "preprocessor", Value: preprocessorObject(m)},
		pickle.Entry{Key: "model_id", Value: id},
		pickle.Entry{Key: "parameters", Value: parameters},
		pickle.Entry{Key: "atom_features", Value: featureFunction(m.Features.WithDefaults().Atom)},
		pickle.Entry{Key: "bond_features", Value: featureFunction(m.Features.WithDefaults().Bond)},
	)
}

// scalerObject is scikit-learn's RobustScaler.
func scalerObject(m *checkpoint.Model) *pickle.Object {
	o := made(class(classScaler))
	o.State = dict(
		pickle.Entry{Key: "with_centering", Value: true},
		pickle.Entry{Key: "with_scaling", Value: true},
		pickle.Entry{Key: "quantile_range", Value: &pickle.Tuple{Items: []any{25.0, 75.0}}},
		pickle.Entry{Key: "unit_variance", Value: false},
		pickle.Entry{Key: "copy", Value: true},
		pickle.Entry{Key: "n_features_in_", Value: int64(len(m.Targets))},
		pickle.Entry{Key: "center_", Value: made(makeArray, list(m.Scaler.Center))},
		pickle.Entry{Key: "scale_", Value: made(makeArray, list(m.Scaler.Scale))},
		pickle.Entry{Key: "_sklearn_version", Value: sklearnVersion},
	)
	return o
}

// preprocessorObject is PolyID's preprocessor with nfp's tokenizers.
func preprocessorObject(m *checkpoint.Model) *pickle.Object {
	o := made(class(classPreprocessor))
	o.State = dict(
		pickle.Entry{Key: "output_dtype", Value: "int32"},
		pickle.Entry{Key: "atom_tokenizer", Value: tokenizerObject(m.Vocab.Atom)},
		pickle.Entry{Key: "bond_tokenizer", Value: tokenizerObject(m.Vocab.Bond)},
		pickle.Entry{Key: "atom_features", Value: featureFunction(m.Features.WithDefaults().Atom)},
		pickle.Entry{Key: "bond_features", Value: featureFunction(m.Features.WithDefaults().Bond)},
		pickle.Entry{Key: "explicit_hs", Value: true},
	)
	return o
}

func featureFunction(name string) pickle.Class {
	return pickle.Class{Module: featureModule, Name: name}
}

func tokenizerObject(t *featurize.Tokenizer) *pickle.Object {
	of, classes := t.State()
	words := dict(pickle.Entry{Key: "unk", Value: int64(featurize.Unknown)})
	for _, w := range t.Words() {
		words.Entries = append(words.Entries, pickle.Entry{Key: w, Value: int64(of[w])})
	}
	o := made(class(classTokenizer))
	o.State = dict(
		pickle.Entry{Key: "_data", Value: words},
		pickle.Entry{Key: "num_classes", Value: int64(classes)},
		pickle.Entry{Key: "train", Value: false},
		pickle.Entry{Key: "unknown", Value: &pickle.List{}},
	)
	return o
}

// parametersOf is PolyID's Parameters as a dict; those of the training are left
// out if it is not known.
func parametersOf(models []*checkpoint.Model, t *train.Config) *pickle.Dict {
	m := models[0]
	d := dict(
		pickle.Entry{Key: "kfolds", Value: int64(len(models))},
		pickle.Entry{Key: "prediction_columns", Value: list(targetNames(m.Targets))},
		pickle.Entry{Key: "atom_features", Value: int64(m.Config.AtomFeatures)},
		pickle.Entry{Key: "bond_features", Value: int64(m.Config.BondFeatures)},
		pickle.Entry{Key: "mol_features", Value: int64(m.Config.MolFeatures)},
		pickle.Entry{Key: "num_messages", Value: int64(m.Config.NumMessages)},
		pickle.Entry{Key: "dropout", Value: m.Config.Dropout},
	)
	if t != nil {
		d.Entries = append(d.Entries,
			pickle.Entry{Key: "batch_size", Value: int64(t.BatchSize)},
			pickle.Entry{Key: "epochs", Value: int64(t.Epochs)},
			pickle.Entry{Key: "learning_rate", Value: t.LearningRate},
			pickle.Entry{Key: "decay", Value: t.Decay},
		)
	}
	return d
}
