package revision_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"polyid-trainer/data"
	"polyid-trainer/featurize/smiles"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/revision/revisiontest"
	"polyid-trainer/nn/stack"
)

// system makes a file system of those files that a download takes.
func system(files map[string][]byte) fstest.MapFS {
	out := fstest.MapFS{}
	for path, body := range files {
		if revision.Wanted(path) {
			out[path] = &fstest.MapFile{Data: body}
		}
	}
	return out
}

func TestWriteOpen(t *testing.T) {
	r := revisiontest.Tiny(t, 2, 1)
	files := revisiontest.Files(t, r)
	want := []string{"calibration.json", "config.json", "domain_of_validity.json", "folds.json", "history.csv", "metrics.json",
		"model_fold_0/model.safetensors", "model_fold_1/model.safetensors", "plots/loss.png", "plots/parity_0_Tg.png", "plots/parity_1_Tm.png", "predictions.csv"}
	if got := slices.Sorted(maps.Keys(files)); !slices.Equal(got, want) {
		t.Errorf("files %v, want %v", got, want)
	}
	for path, body := range revisiontest.Files(t, revisiontest.Tiny(t, 2, 1)) {
		if !bytes.Equal(body, files[path]) {
			t.Errorf("%s differs between two equal revisions", path)
		}
	}
	back, err := revision.Open(system(files))
	if err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back.Config, r.Config) || !reflect.DeepEqual(back.Calibration, r.Calibration) || back.Domain.Len() != r.Domain.Len() {
		t.Errorf("read back as %+v, was %+v", back.Config, r.Config)
	}
	for i, m := range back.Models {
		var a, b bytes.Buffer
		if err := errors.Join(checkpoint.Write(&a, m), checkpoint.Write(&b, r.Models[i])); err != nil || !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("model %d is not what was written: %v", i, err)
		}
	}
	var folds data.Folds
	if err := json.Unmarshal(files["folds.json"], &folds); err != nil || !reflect.DeepEqual(folds, r.Folds) {
		t.Errorf("folds.json is not PolyID's file of the split: %v", err)
	}
	lines := strings.Count(string(files["predictions.csv"]), "\n")
	if lines != 1+len(r.Predictions) {
		t.Errorf("predictions.csv has %d lines for %d predictions", lines, len(r.Predictions))
	}
}

func TestOpenRefuses(t *testing.T) {
	files := revisiontest.Files(t, revisiontest.Tiny(t, 2, 1))
	other := revisiontest.Files(t, revisiontest.Tiny(t, 2, 2))
	for name, x := range map[string]struct {
		spoil func(fstest.MapFS)
		want  string
	}{
		"later schema": {func(s fstest.MapFS) { replace(s, "config.json", `"schema_version": 1`, `"schema_version": 2`) }, "run a newer one"},
		"format":       {func(s fstest.MapFS) { replace(s, "config.json", "polyid-trainer ensemble", "bert") }, "bert"},
		"no config":    {func(s fstest.MapFS) { delete(s, "config.json") }, "config.json"},
		"no metrics":   {func(s fstest.MapFS) { delete(s, "metrics.json") }, "metrics.json"},
		"no fold":      {func(s fstest.MapFS) { delete(s, "model_fold_1/model.safetensors") }, "model_fold_1"},
		"no residuals": {func(s fstest.MapFS) { delete(s, "calibration.json") }, "no reason"},
		"no domain":    {func(s fstest.MapFS) { delete(s, "domain_of_validity.json") }, "no reason"},
		"one fold twice": {func(s fstest.MapFS) {
			s["model_fold_1/model.safetensors"] = s["model_fold_0/model.safetensors"]
		}, "it is fold 0"},
		"mixed": {func(s fstest.MapFS) {
			s["model_fold_1/model.safetensors"] = &fstest.MapFile{Data: other["model_fold_1/model.safetensors"]}
		}, "another seed"},
		"targets":   {func(s fstest.MapFS) { replace(s, "config.json", `"name": "Tg"`, `"name": "Tx"`) }, "predicts"},
		"network":   {func(s fstest.MapFS) { replace(s, "config.json", `"mol_features": 4`, `"mol_features": 8`) }, "network"},
		"kfolds":    {func(s fstest.MapFS) { replace(s, "config.json", `"kfolds": 2`, `"kfolds": 200`) }, "kfolds"},
		"few folds": {func(s fstest.MapFS) { replace(s, "config.json", `"kfolds": 2`, `"kfolds": 1`) }, "calibration"},
		"cut":       {func(s fstest.MapFS) { m := s["model_fold_0/model.safetensors"]; m.Data = m.Data[:len(m.Data)-1] }, "model_fold_0"},
		"flipped":   {func(s fstest.MapFS) { flip(s["model_fold_0/model.safetensors"]) }, "model_fold_0"},
		"no JSON":   {func(s fstest.MapFS) { s["metrics.json"] = &fstest.MapFile{Data: []byte("<html>")} }, "metrics.json"},
	} {
		s := system(files)
		x.spoil(s)
		if _, err := revision.Open(s); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want a word of %q", name, err, x.want)
		}
	}
}

func replace(s fstest.MapFS, path, old, new string) {
	s[path] = &fstest.MapFile{Data: bytes.Replace(s[path].Data, []byte(old), []byte(new), 1)}
}

func flip(f *fstest.MapFile) {
	f.Data = bytes.Clone(f.Data)
	f.Data[len(f.Data)-3] ^= 1
}

// An imported model has no residuals and no training set, and says so.
func TestAbsent(t *testing.T) {
	r := revisiontest.Tiny(t, 2, 1)
	r.Calibration, r.Domain, r.Predictions, r.Folds, r.History, r.Config.Training, r.Config.Run = nil, nil, nil, nil, nil, nil, nil
	if err := r.Write(func(string, []byte) error { return nil }); err == nil {
		t.Error("a revision without calibration was written without a reason")
	}
	r.Config.Absent = map[string]string{}
	for _, path := range []string{"calibration.json", "domain_of_validity.json", "predictions.csv", "folds.json"} {
		r.Config.Absent[path] = "imported from PolyID"
	}
	back, err := revision.Open(system(revisiontest.Files(t, r)))
	if err != nil || back.Calibration != nil || back.Domain != nil {
		t.Errorf("an imported revision: %v", err)
	}
}

func TestWriteMore(t *testing.T) {
	r := revisiontest.Tiny(t, 2, 1)
	var got []string
	put := func(path string, _ []byte) error { got = append(got, path); return nil }
	more := func(path string) func(revision.Put) error {
		return func(put revision.Put) error { return put(path, nil) }
	}
	if err := r.Write(put, more("parameters.pk"), more("model_fold_0/model.h5")); err != nil || got[len(got)-1] != "model_fold_0/model.h5" {
		t.Errorf("%v, %v", got, err)
	}
	for _, path := range []string{"config.json", "README.md", "model_card.md", "../x", "model_extra/x", ""} {
		if err := r.Write(put, more(path)); err == nil {
			t.Errorf("%q was written", path)
		}
	}
	refused := errors.New("refused")
	if err := r.Write(func(string, []byte) error { return refused }); !errors.Is(err, refused) {
		t.Errorf("a refused write: %v", err)
	}
}

func TestWanted(t *testing.T) {
	for path, want := range map[string]bool{
		"config.json": true, "model_fold_0/model.safetensors": true, "model_fold_12/model.safetensors": true,
		"model.safetensors": false, "x/model_fold_0/model.safetensors": false, "model_fold_0/model.h5": false,
		"parameters.pk": false, "predictions.csv": true, "README.md": false,
	} {
		if revision.Wanted(path) != want {
			t.Errorf("Wanted(%s) = %v", path, !want)
		}
	}
}

func TestStackIsPublished(t *testing.T) {
	r := revisiontest.Tiny(t, 2, 1)
	r.Stack = revisiontest.Stack(t, r)
	files := revisiontest.Files(t, r)
	back, err := revision.Open(system(files))
	if err != nil {
		t.Fatal(err)
	}
	m, err := smiles.Read("CCOCC")
	if err != nil {
		t.Fatal(err)
	}
	network := make([][]float64, len(r.Config.Targets))
	for k := range network {
		network[k] = []float64{1, 2}
	}
	want, err := r.Stack.Predict(stack.Describe(m, 1, nil), network)
	if err != nil {
		t.Fatal(err)
	}
	got, err := back.Stack.Predict(stack.Describe(m, 1, nil), network)
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("read back it predicts %+v, not %+v: %v", got, want, err)
	}
	for name, spoil := range map[string]func(fstest.MapFS){
		"no arrays": func(s fstest.MapFS) { delete(s, "stack.safetensors") },
		"targets":   func(s fstest.MapFS) { replace(s, "stack.json", `"name":"Tg"`, `"name":"Tx"`) },
		"flipped":   func(s fstest.MapFS) { flip(s["stack.safetensors"]) },
	} {
		s := system(files)
		spoil(s)
		if _, err := revision.Open(s); err == nil || !strings.Contains(err.Error(), "stack") {
			t.Errorf("%s: %v", name, err)
		}
	}
	if !revision.Wanted("stack.json") || !revision.Wanted("stack.safetensors") || !revision.Owns("stack.json") {
		t.Error("a download leaves the stack out")
	}
}

func TestMembersAreScored(t *testing.T) {
	targets := []checkpoint.Target{{Name: "Tg"}}
	scores := revision.Compare(targets, []revision.Prediction{
		{Measured: []float64{1}, Predicted: []float64{1}, Members: map[stack.Member][]float64{stack.Trees: {2}, stack.Network: {1}}},
		{Measured: []float64{2}, Predicted: []float64{2}, Members: map[stack.Member][]float64{stack.Trees: {5}, stack.Network: {2}}},
	}, ensemble.Level)
	if m := scores["Tg"].Members; m[stack.Trees].MAE != 2 || m[stack.Network].MAE != 0 || len(m) != 2 {
		t.Errorf("members: %+v", m)
	}
}

func TestCardShowsMembers(t *testing.T) {
	r := revisiontest.Tiny(t, 2, 1)
	plain, err := revision.Card(r.Config, r.Metrics, revision.Place{Repo: "a/b"})
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(plain), "stack.json") {
		t.Error("the card of a network alone speaks of a stack")
	}
	tg := r.Metrics.OutOfFold["Tg"]
	tg.Members = map[stack.Member]revision.MemberScore{stack.Network: {MAE: 12.25}, stack.Trees: {MAE: 9.5}}
	r.Metrics.OutOfFold["Tg"] = tg
	r.Config.Intervals.Method = "local"
	card, err := revision.Card(r.Config, r.Metrics, revision.Place{Repo: "a/b"})
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"| property | blend | network | trees |", "| 12.2 | 9.5 |", "PolyID in Python loads the network alone", "narrow where a prediction is easy"} {
		if !strings.Contains(string(card), want) {
			t.Errorf("the card lacks %q", want)
		}
	}
}
