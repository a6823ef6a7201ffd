package predict_test

import (
	"archive/zip"
	"compress/gzip"
	"encoding/csv"
	"io/fs"
	"math"
	"os"
	"strconv"
	"strings"
	"testing"

	"polyid-trainer/jobs"
	"polyid-trainer/nn/keras"
	"polyid-trainer/nn/revision/revisiontest"
	"polyid-trainer/worker/predict"
)

const kerasData = "../../nn/keras/testdata/"

// saved are the files of an ensemble that PolyID 0.1.2.3 saved.
func saved(t *testing.T) map[string][]byte {
	t.Helper()
	z, err := zip.OpenReader(kerasData + "ensemble.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	files := map[string][]byte{}
	for _, f := range z.File {
		if files[f.Name], err = fs.ReadFile(z, f.Name); err != nil {
			t.Fatal(err)
		}
	}
	return files
}

// answers are PolyID's own, by chain and fold: of Tg and Tm.
func answers(t *testing.T) map[string][][2]float64 {
	t.Helper()
	f, err := os.Open(kerasData + "predictions.csv.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	text, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := csv.NewReader(text).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string][][2]float64{}
	for _, row := range rows[1:] {
		fold, err := strconv.Atoi(row[0])
		if err != nil {
			t.Fatal(err)
		}
		folds := out[row[1]]
		for len(folds) <= fold {
			folds = append(folds, [2]float64{})
		}
		for i := range 2 {
			if folds[fold][i], err = strconv.ParseFloat(row[2+i], 64); err != nil {
				t.Fatal(err)
			}
		}
		out[row[1]] = folds
	}
	return out
}

// A revision that PolyID itself saved is served from the Hub as it is, and
// predicts what PolyID does; what it does not know is null, and says why.
func TestImported(t *testing.T) {
	b := newBench(t)
	commit := b.commit("main", saved(t))
	b.models.Refresh(t.Context())
	if err := b.models.Ready(); err != nil {
		t.Fatal(err)
	}
	want := answers(t)
	q := &predict.Request{}
	for chain := range want {
		q.Inputs = append(q.Inputs, predict.Input{Polymer: chain})
	}
	out := b.answer(q)
	if out.Model.Commit != commit || out.Counts.Failed != 0 || len(want) < 50 {
		t.Fatalf("answered %+v, %+v of %d polymers", out.Model, out.Counts, len(want))
	}
	for i, r := range out.Results {
		for target, name := range []string{"Tg", "Tm"} {
			p := r.Predictions[name]
			for fold, theirs := range want[q.Inputs[i].Polymer] {
				if ours := float64(p.PerFold[fold]); !(math.Abs(ours-theirs[target]) <= 1e-3) {
					t.Fatalf("%s of %s by fold %d: %v, PolyID says %v", name, q.Inputs[i].Polymer, fold, ours, theirs[target])
				}
			}
			if p.Interval != nil {
				t.Errorf("an interval %v without calibration", p.Interval)
			}
		}
		if r.Domain != nil {
			t.Errorf("a domain of validity %+v without hashes", r.Domain)
		}
		said := map[string]string{}
		for _, w := range r.Warnings {
			said[w.Code] = w.Detail
		}
		for _, code := range []string{"no_interval", "no_domain_of_validity"} {
			if !strings.Contains(said[code], "imported") {
				t.Errorf("%s says %q", code, said[code])
			}
		}
	}
}

// Beside a config.json no pickle is looked at; without either there is no model;
// and a pickle that would run code is refused while what served goes on.
func TestImportedRefuses(t *testing.T) {
	b := newBench(t)
	b.commit("main", map[string][]byte{"README.md": []byte("nothing yet")})
	if _, err := b.Answer(t.Context(), one); jobs.ErrorCode(err) != jobs.ModelNotLoaded || !strings.Contains(err.Error(), "/v1/training-jobs") {
		t.Errorf("of a branch without a model: %v", err)
	}
	b.publish(1)
	b.models.Refresh(t.Context())
	evil := saved(t)
	evil[keras.Parameters] = []byte("cos\nsystem\n(S'true'\ntR.")
	both := revisiontest.TinyFiles(t, 2, 2)
	both[keras.Parameters] = evil[keras.Parameters]
	second := b.commit("main", both)
	b.models.Refresh(t.Context())
	if c := b.answer(one).Model.Commit; c != second {
		t.Errorf("beside a pickle, %s answers, want %s", c, second)
	}
	b.restart(predict.ModelsConfig{Allow: func(string) bool { return true }})
	b.commitTo("polyid/theirs", "main", evil)
	_, err := b.Answer(t.Context(), &predict.Request{Model: jobs.Revision{Repo: "polyid/theirs"}, Inputs: one.Inputs})
	if jobs.ErrorCode(err) != jobs.ModelNotLoaded || !strings.Contains(err.Error(), "system") {
		t.Errorf("a pickle that names os.system: %v", err)
	}
}
