package keras

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"strings"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/keras/internal/pickle"
)

// The classes that PolyID's pickles hold. What a model saved with
// save_training=True carries besides, pandas' tables of the training rows, is
// recognised and skipped on reading.
const (
	classScaler       = "sklearn.preprocessing._data.RobustScaler"
	classPreprocessor = "polyid.preprocessors.preprocessors.PolymerPreprocessor"
	classTokenizer    = "nfp.preprocessing.tokenizer.Tokenizer"
	featureModule     = "polyid.preprocessors.features"
	classDType        = "numpy.dtype"
	classArray        = "numpy.ndarray"
)

// allowed is the whole list of classes a pickle may name.
func allowed(c pickle.Class) bool {
	switch c = modern(c); c.String() {
	case classScaler, classPreprocessor, classTokenizer, classDType, classArray, makeArray.String(), makeTable.String(),
		"numpy._core.multiarray._reconstruct", "numpy._core.multiarray.scalar", "builtins.slice",
		"pandas.core.frame.DataFrame", "pandas.core.internals.managers.BlockManager", "pandas._libs.internals._unpickle_block",
		"pandas.core.indexes.base._new_Index", "pandas.core.indexes.base.Index", "pandas.core.indexes.range.RangeIndex", "pandas.core.indexes.numeric.Int64Index":
		return true
	}
	return c.Module == featureModule
}

// modern gives a class the name it has today: PolyID was once called polyml,
// and numpy 2 and scikit-learn 0.22 moved theirs.
func modern(c pickle.Class) pickle.Class {
	c.Module = strings.Replace(c.Module, "polyml", "polyid", 1)
	c.Module = strings.Replace(c.Module, "numpy.core.", "numpy._core.", 1)
	if c.Module == "sklearn.preprocessing.data" {
		c.Module = "sklearn.preprocessing._data"
	}
	return c
}

// Targets reads the targets that parameters.pk lists. Their units are in it only
// where this project wrote it: PolyID keeps none.
func Targets(parameters []byte) ([]checkpoint.Target, error) {
	d, err := readDict(parameters)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Parameters, err)
	}
	names, err := stringList(d, "prediction_columns")
	if err != nil {
		return nil, fmt.Errorf("%s: %w", Parameters, err)
	}
	v, _ := d.Get("prediction_units")
	units, _ := v.(*pickle.Dict)
	targets := make([]checkpoint.Target, len(names))
	for i, name := range names {
		targets[i].Name = name
		if units == nil {
			continue
		}
		if stated, err := stringList(units, name); err == nil && len(stated) == 1 {
			targets[i].Units = stated[0]
		}
	}
	return targets, nil
}

// parseData reads a fold's data file: everything of a model but its network.
func parseData(raw []byte) (*checkpoint.Model, error) {
	d, err := readDict(raw)
	if err != nil {
		return nil, err
	}
	names, err := stringList(d, "prediction_columns")
	if err != nil {
		return nil, err
	}
	m := &checkpoint.Model{}
	for _, name := range names {
		m.Targets = append(m.Targets, checkpoint.Target{Name: name})
	}
	if m.Scaler, err = scaler(d, len(names)); err != nil {
		return nil, fmt.Errorf("data_scaler: %w", err)
	}
	p, err := object(d, "preprocessor", classPreprocessor)
	if err != nil {
		return nil, err
	}
	if hs, _ := p.Get("explicit_hs"); hs != true {
		return nil, errors.New("preprocessor: it leaves hydrogens implicit; only explicit ones are read")
	}
	if m.Features.Atom, err = feature(p, "atom_features"); err != nil {
		return nil, err
	}
	if m.Features.Bond, err = feature(p, "bond_features"); err != nil {
		return nil, err
	}
	m.Vocab = &featurize.Vocab{}
	if m.Vocab.Atom, err = tokenizer(p, "atom_tokenizer"); err != nil {
		return nil, err
	}
	if m.Vocab.Bond, err = tokenizer(p, "bond_tokenizer"); err != nil {
		return nil, err
	}
	return m, nil
}

func readDict(raw []byte) (*pickle.Dict, error) {
	v, err := pickle.Read(raw, allowed)
	if err != nil {
		return nil, err
	}
	d, ok := v.(*pickle.Dict)
	if !ok {
		return nil, errors.New("it is not a dict")
	}
	return d, nil
}

// object is the state of an object of the given class.
func object(d *pickle.Dict, key, class string) (*pickle.Dict, error) {
	v, _ := d.Get(key)
	o, ok := v.(*pickle.Object)
	if !ok || modern(o.Class).String() != class {
		return nil, fmt.Errorf("%s: it is missing, or no %s", key, class)
	}
	state, ok := o.State.(*pickle.Dict)
	if !ok {
		return nil, fmt.Errorf("%s: it has no state", key)
	}
	return state, nil
}

func stringList(d *pickle.Dict, key string) ([]string, error) {
	v, _ := d.Get(key)
	l, ok := v.(*pickle.List)
	if !ok {
		return nil, fmt.Errorf("%s: it is missing, or no list", key)
	}
	out := make([]string, len(l.Items))
	for i, item := range l.Items {
		if out[i], ok = item.(string); !ok {
			return nil, fmt.Errorf("%s: it is no list of strings", key)
		}
	}
	return out, nil
}

// feature is the name of a feature function.
func feature(p *pickle.Dict, key string) (string, error) {
	v, _ := p.Get(key)
	c, ok := v.(pickle.Class)
	if !ok {
		return "", fmt.Errorf("preprocessor: %s: it is missing, or no function", key)
	}
	return c.Name, nil
}

func tokenizer(p *pickle.Dict, key string) (*featurize.Tokenizer, error) {
	state, err := object(p, key, classTokenizer)
	if err != nil {
		return nil, fmt.Errorf("preprocessor: %w", err)
	}
	v, _ := state.Get("_data")
	words, ok := v.(*pickle.Dict)
	n, _ := state.Get("num_classes")
	classes, ok2 := n.(int64)
	if !ok || !ok2 {
		return nil, fmt.Errorf("preprocessor: %s: it has no words or no number of classes", key)
	}
	of := make(map[string]int, len(words.Entries))
	for _, e := range words.Entries {
		word, ok := e.Key.(string)
		class, ok2 := e.Value.(int64)
		if _, twice := of[word]; !ok || !ok2 || twice {
			return nil, fmt.Errorf("preprocessor: %s: an entry is no word with its class, or comes twice", key)
		}
		of[word] = int(class)
	}
	if classes < 0 || classes > int64(len(of)) {
		return nil, fmt.Errorf("preprocessor: %s: %d classes of %d words", key, classes, len(of))
	}
	t, err := featurize.TokenizerFromState(of, int(classes))
	if err != nil {
		return nil, fmt.Errorf("preprocessor: %s: %w", key, err)
	}
	return t, nil
}

// scaler reads scikit-learn's RobustScaler. A model trained without one is
// scaled by nothing.
func scaler(d *pickle.Dict, targets int) (data.Scaler, error) {
	s := data.Scaler{Center: make([]float64, targets), Scale: make([]float64, targets)}
	for i := range s.Scale {
		s.Scale[i] = 1
	}
	if v, ok := d.Get("data_scaler"); ok && v == nil {
		return s, nil
	}
	state, err := object(d, "data_scaler", classScaler)
	if err != nil {
		return s, err
	}
	for _, part := range []struct {
		key  string
		into []float64
	}{{"center_", s.Center}, {"scale_", s.Scale}} {
		v, _ := state.Get(part.key)
		if v == nil { // not centered, or not scaled
			continue
		}
		got, err := floats(v)
		if err != nil {
			return s, fmt.Errorf("%s: %w", part.key, err)
		}
		if len(got) != targets {
			return s, fmt.Errorf("%s: %d values for %d targets", part.key, len(got), targets)
		}
		copy(part.into, got)
	}
	return s, nil
}

// floats reads a list of numbers, or a numpy array of little-endian float64 in
// one dimension.
func floats(v any) ([]float64, error) {
	switch v := v.(type) {
	case *pickle.List:
		out := make([]float64, len(v.Items))
		for i, item := range v.Items {
			switch x := item.(type) {
			case float64:
				out[i] = x
			case int64:
				out[i] = float64(x)
			default:
				return nil, errors.New("a list of something else than numbers")
			}
		}
		return out, nil
	case *pickle.Object:
		return array1(v)
	}
	return nil, errors.New("neither a list nor an array")
}

// array1 reads an array made of a list, or numpy's own pickled form:
// _reconstruct with the state version, shape, dtype, Fortran order, bytes.
func array1(o *pickle.Object) ([]float64, error) {
	bad := errors.New("not an array of float64 in one dimension")
	if o.Class == makeArray && len(o.Args.Items) == 1 {
		if l, ok := o.Args.Items[0].(*pickle.List); ok {
			return floats(l)
		}
	}
	if modern(o.Class).String() != "numpy._core.multiarray._reconstruct" {
		return nil, bad
	}
	state, ok := o.State.(*pickle.Tuple)
	if !ok || len(state.Items) != 5 {
		return nil, bad
	}
	shape, ok := state.Items[1].(*pickle.Tuple)
	if !ok || len(shape.Items) != 1 || !littleFloat64(state.Items[2]) {
		return nil, bad
	}
	raw, ok := state.Items[4].([]byte)
	if n, isInt := shape.Items[0].(int64); !ok || !isInt || len(raw)%8 != 0 || n != int64(len(raw)/8) {
		return nil, bad
	}
	out := make([]float64, len(raw)/8)
	for i := range out {
		out[i] = math.Float64frombits(binary.LittleEndian.Uint64(raw[8*i:]))
	}
	return out, nil
}

// littleFloat64 reports whether v is numpy's dtype('<f8').
func littleFloat64(v any) bool {
	o, ok := v.(*pickle.Object)
	if !ok || o.Class.String() != classDType || len(o.Args.Items) == 0 || o.Args.Items[0] != "f8" {
		return false
	}
	state, ok := o.State.(*pickle.Tuple)
	return ok && len(state.Items) > 1 && state.Items[1] == "<"
}
