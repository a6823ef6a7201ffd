package keras

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"maps"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/dataset"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/train"
)

// answer is what testdata/predict.py says of a folder.
type answer struct {
	Columns     []string            `json:"prediction_columns"`
	Units       map[string][]string `json:"prediction_units"`
	Parameters  map[string]any      `json:"parameters"`
	Predictions [][][]float64       `json:"predictions"` // [folds][polymers][targets]
	Aggregate   [][]float64         `json:"aggregate"`   // [polymers][targets]
	Input       *table              `json:"df_input"`
	Polymers    int                 `json:"df_polymer"`
	Models      []struct {
		Layers     []string          `json:"layers"`
		Weights    int               `json:"weights"`
		Parameters map[string]any    `json:"parameters"`
		Frames     map[string]*table `json:"frames"`
	} `json:"models"`
}

// table is a pandas frame.
type table struct {
	Columns []string `json:"columns"`
	Types   []string `json:"dtypes"`
	Index   []int    `json:"index"`
	Rows    [][]any  `json:"rows"`
}

// column is a column's values, nil where pandas has NaN or None.
func (f *table) column(t *testing.T, name string) []any {
	t.Helper()
	at := slices.Index(f.Columns, name)
	if at < 0 {
		t.Fatalf("no column %q in %q", name, f.Columns)
	}
	values := make([]any, len(f.Rows))
	for i, row := range f.Rows {
		values[i] = row[at]
	}
	return values
}

// trained trains one fold's model on PolyID's table.
func trained(t *testing.T, c nn.Config, columns []string, split data.Fold, epochs int) (*checkpoint.Model, *train.Result, *data.Table) {
	t.Helper()
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	table, set, err := dataset.PolyID(t.Context(), f, c.NumMessages)
	if err != nil {
		t.Fatal(err)
	}
	table = only(table, columns)
	fold, err := set.Fold(table, split)
	if err != nil {
		t.Fatal(err)
	}
	m := &checkpoint.Model{Config: c, Features: f.Config(), Vocab: fold.Vocab, Scaler: fold.Scaler}
	for _, target := range table.Targets {
		m.Targets = append(m.Targets, checkpoint.Target{Name: target.Name, Units: target.Units})
	}
	e, err := cpu.New(c, m.Sizes(), 1)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	tc := train.DefaultConfig()
	tc.Epochs, tc.LearningRate = epochs, 1e-3
	r, err := train.Fit(t.Context(), e, train.Data{Train: fold.Train, Validate: fold.Validate, Scale: fold.Scaler.Scale}, tc, train.Options{})
	if err != nil {
		t.Fatal(err)
	}
	m.Weights = r.Best
	return m, r, table
}

// only is a table with some of its targets.
func only(t *data.Table, columns []string) *data.Table {
	out := *t
	out.Targets, out.Y, out.N = nil, nil, nil
	var keep []int
	for i, target := range t.Targets {
		if slices.Contains(columns, target.Name) {
			keep = append(keep, i)
			out.Targets = append(out.Targets, target)
		}
	}
	for row := range t.Rows() {
		for _, i := range keep {
			out.Y = append(out.Y, t.Values(row)[i])
		}
	}
	return &out
}

// every is for a machine with half an hour to spare.
var every = flag.Bool("every", false, "ask PolyID about every shipped polymer, not only each tenth of the large ones")

// shipped is a chain of every polymer of PolyID's table, and of each tenth of
// the other, whose polymers are large; or with -every of all.
func shipped(t *testing.T) []string {
	t.Helper()
	var smiles []string
	for _, set := range data.AllShipped() {
		table, _, err := data.Parse(t.Context(), []*data.Sheet{set.Sheet()}, data.Columns{}, data.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i := range table.Structures {
			if table.Structures[i].Notation() != data.Polymer && i%10 != 0 && !*every {
				continue
			}
			chains, err := structure.Grower{}.Grow(&table.Structures[i])
			if err != nil {
				t.Fatal(err)
			}
			smiles = append(smiles, chains[0].SMILES)
		}
	}
	slices.Sort(smiles)
	return slices.Compact(smiles)
}

// halves divides PolyID's table into two folds.
func halves() (even, odd data.Fold) {
	for i := range 229 {
		if i%2 == 0 {
			even.Train, odd.Validate = append(even.Train, i), append(odd.Validate, i)
		} else {
			odd.Train, even.Validate = append(odd.Train, i), append(even.Validate, i)
		}
	}
	return even, odd
}

var small = nn.Config{Name: nn.Global100, AtomFeatures: 16, BondFeatures: 16, MolFeatures: 4, NumMessages: 3, Dropout: 0.05}

// TestPolyIDPredictsTheSame trains ensembles, writes them, has PolyID load them
// with TensorFlow, and compares its predictions with this project's.
func TestPolyIDPredictsTheSame(t *testing.T) {
	python := os.Getenv("POLYID_PYTHON")
	if python == "" {
		t.Skip("set POLYID_PYTHON to a python with polyid==0.1.2.3 and tensorflow==2.14.1, or run .ci/peers polyid")
	}
	even, odd := halves()
	one := nn.Config{Name: nn.Global100, AtomFeatures: 12, BondFeatures: 12, MolFeatures: 7, NumMessages: 1}
	both := []string{"Tg", "Tm"}

	first, firstRun, table := trained(t, small, both, even, 3)
	second, secondRun, _ := trained(t, small, both, odd, 3)
	tc := train.DefaultConfig()
	tc.Epochs, tc.LearningRate = 3, 1e-3
	rows := &Rows{Table: table, Folds: []data.Fold{even, odd}, History: [][]train.Epoch{firstRun.Progress.History, secondRun.Progress.History}}
	for i, m := range []*checkpoint.Model{first, second} {
		rows.Predicted = append(rows.Predicted, predictRows(t, m, table, rows.Folds[i].Validate))
	}
	single, _, _ := trained(t, one, []string{"Tm"}, even, 2)
	single.Targets[0] = checkpoint.Target{Name: "melting point (°C)"} // no name of a layer
	full, _, _ := trained(t, nn.DefaultConfig(), both, odd, 1)

	ensembles := map[string][]*checkpoint.Model{
		save(t, "small", []*checkpoint.Model{first, second}, Options{Train: &tc, Rows: rows}): {first, second},
		save(t, "single", []*checkpoint.Model{single}, Options{}):                             {single},
		save(t, "full", []*checkpoint.Model{full}, Options{}):                                 {full},
	}
	polymers := shipped(t)
	answers := ask(t, python, polymers, slices.Sorted(maps.Keys(ensembles))...)
	for folder, models := range ensembles {
		a := answers[folder]
		compare(t, filepath.Base(folder), models, polymers, a)
		switch filepath.Base(folder) {
		case "small":
			checkTraining(t, a, rows)
			if a.Units["Tg"] == nil || a.Parameters["epochs"] != 3.0 || a.Models[1].Parameters["mol_features"] != 4.0 {
				t.Errorf("units %v, parameters %v and %v", a.Units, a.Parameters, a.Models[1].Parameters)
			}
		case "full":
			if got := a.Models[0].Layers; !slices.Contains(got, "Tg") || !slices.Contains(got, "global_update_12") {
				t.Errorf("PolyID would not know the layers %q", got)
			}
		}
	}
}

// TestShim has PolyID 0.1.2.4 load an ensemble with the help of Shim.
func TestShim(t *testing.T) {
	python := os.Getenv("POLYID4_PYTHON")
	if python == "" {
		t.Skip("set POLYID4_PYTHON to a python with polyid==0.1.2.4, tensorflow==2.21.0 and numpy==1.26.4, or run .ci/peers polyid4")
	}
	even, _ := halves()
	m, _, table := trained(t, small, []string{"Tg", "Tm"}, even, 2)
	var polymers []string
	for i := 0; i < table.Rows(); i += 10 {
		polymers = append(polymers, table.Structures[i].Polymer)
	}
	folder := save(t, "ensemble", []*checkpoint.Model{m}, Options{})
	a := ask(t, python, polymers, "--shim", "polyid_0_1_2_4.py", folder)
	compare(t, "PolyID 0.1.2.4", []*checkpoint.Model{m}, polymers, a[folder])
}

// TestNewestPandas has the newest pandas, numpy and scikit-learn read the
// pickles that need no PolyID.
func TestNewestPandas(t *testing.T) {
	python := os.Getenv("RDKIT_PYTHON")
	if python == "" {
		t.Skip("set RDKIT_PYTHON to a python with pandas and scikit-learn, or run .ci/peers")
	}
	even, odd := halves()
	m, run, table := trained(t, small, []string{"Tg", "Tm"}, even, 1)
	folder := save(t, "ensemble", []*checkpoint.Model{m}, Options{Rows: &Rows{
		Table: table, Folds: []data.Fold{{Train: even.Train, Validate: odd.Train}},
		Predicted: [][]float64{predictRows(t, m, table, odd.Train)}, History: [][]train.Epoch{run.Progress.History},
	}})
	const script = `
import json, pickle, sys, warnings
from pathlib import Path
warnings.simplefilter("ignore") # scikit-learn says that it is another version than the scaler's
folder = Path(sys.argv[1])
df = pickle.loads((folder / "parameters.pk").read_bytes())["df_input"]
scaler = pickle.loads((folder / "model_fold_0" / "scaler.pk").read_bytes())
print(json.dumps({"rows": len(df), "tg": df.Tg.sum(), "scaled": scaler.inverse_transform([[0, 0], [1, 1]]).tolist()}))
`
	out, err := exec.Command(python, "-c", script, folder).Output()
	if err != nil {
		t.Fatalf("%v: %s", err, err.(*exec.ExitError).Stderr)
	}
	var got struct {
		Rows   int
		Tg     float64
		Scaled [][]float64
	}
	if err := json.Unmarshal(out, &got); err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for row := range table.Rows() {
		if v := table.Values(row)[0]; !math.IsNaN(v) {
			sum += v
		}
	}
	if got.Rows != table.Rows() || math.Abs(got.Tg-sum) > 1e-6 || got.Scaled[0][1] != m.Scaler.Center[1] || got.Scaled[1][0] != m.Scaler.Center[0]+m.Scaler.Scale[0] {
		t.Errorf("%+v, want %d rows, a sum of %v, scaler %+v", got, table.Rows(), sum, m.Scaler)
	}
}

// save writes an ensemble to a folder of that name, which it returns.
func save(t *testing.T, name string, models []*checkpoint.Model, o Options) string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), name)
	err := Write(models, o, func(path string, body []byte) error {
		path = filepath.Join(folder, filepath.FromSlash(path))
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			return err
		}
		return os.WriteFile(path, body, 0o600)
	})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Read(os.DirFS(folder)); err != nil {
		t.Error(err)
	}
	return folder
}

// compare holds PolyID's predictions to the models' own, fold by fold and on
// average.
func compare(t *testing.T, name string, models []*checkpoint.Model, polymers []string, a *answer) {
	t.Helper()
	if len(a.Predictions) != len(models) || !slices.Equal(a.Columns, targetNames(models[0].Targets)) {
		t.Fatalf("%s: PolyID loads %d models that predict %q", name, len(a.Predictions), a.Columns)
	}
	for i, m := range models {
		if want := nn.NumParams(m.Config, m.Sizes()); a.Models[i].Weights != want {
			t.Errorf("%s: fold %d has %d weights in PolyID, want %d", name, i, a.Models[i].Weights, want)
		}
	}
	e, err := ensemble.New(models, cpu.New, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	worst, spread := 0.0, 0.0
	for n, smiles := range polymers {
		for target, perFold := range predict(t, e, smiles) {
			mean := 0.0
			for i, v := range perFold {
				theirs := a.Predictions[i][n][target]
				mean += v / float64(len(perFold))
				worst = max(worst, math.Abs(v-theirs))
				spread = max(spread, math.Abs(v-a.Predictions[i][0][target]))
				if !(math.Abs(v-theirs) <= 1e-3) {
					t.Fatalf("%s, fold %d, %s: %s is %v here and %v in PolyID", name, i, smiles, models[0].Targets[target].Name, v, theirs)
				}
			}
			if d := math.Abs(mean - a.Aggregate[n][target]); !(d <= 1e-3) {
				t.Fatalf("%s, %s: the mean is %v here and %v in PolyID", name, smiles, mean, a.Aggregate[n][target])
			}
		}
	}
	t.Logf("%s: %d polymers × %d folds × %d targets within %.1e of PolyID's, over a range of %.1f", name, len(polymers), len(models), len(models[0].Targets), worst, spread)
}

// predictRows is a model's predictions of some of a table's rows, [rows × targets].
func predictRows(t *testing.T, m *checkpoint.Model, table *data.Table, rows []int) (out []float64) {
	t.Helper()
	e, err := ensemble.New([]*checkpoint.Model{m}, cpu.New, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, row := range rows {
		for _, v := range predict(t, e, table.Structures[row].Polymer) {
			out = append(out, v[0])
		}
	}
	return out
}

// predict is each target's answers by each fold.
func predict(t *testing.T, e *ensemble.Ensemble, smiles string) [][]float64 {
	t.Helper()
	g, err := e.Featurizer().Graph(smiles)
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.Predict(e.Plan(g))
	if err != nil {
		t.Fatal(err)
	}
	out := make([][]float64, len(p.Values))
	for i, v := range p.Values {
		out[i] = v.PerFold
	}
	return out
}

// ask runs testdata/predict.py.
func ask(t *testing.T, python string, polymers []string, args ...string) map[string]*answer {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
	defer cancel()
	in, err := json.Marshal(polymers)
	if err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(ctx, python, append([]string{"testdata/predict.py"}, args...)...)
	c.Env = append(os.Environ(), "TF_CPP_MIN_LOG_LEVEL=3", "CUDA_VISIBLE_DEVICES=")
	c.Stdin = bytes.NewReader(in)
	var out, log bytes.Buffer
	c.Stdout, c.Stderr = &out, &log
	if err := c.Run(); err != nil {
		t.Fatalf("%v: %s", err, log.Bytes()[max(0, log.Len()-3000):])
	}
	answers := map[string]*answer{}
	if err := json.Unmarshal(out.Bytes(), &answers); err != nil {
		t.Fatal(err)
	}
	return answers
}

// checkTraining holds the frames that PolyID finds to what was written.
func checkTraining(t *testing.T, a *answer, rows *Rows) {
	t.Helper()
	if a.Input == nil || len(a.Input.Rows) != rows.Table.Rows() || a.Polymers != rows.Table.Rows() {
		t.Fatalf("df_input %v, %d polymers", a.Input, a.Polymers)
	}
	for i, model := range a.Models {
		frames := model.Frames
		f := rows.Folds[i]
		if !slices.Equal(frames["df_train"].Index, f.Train) || !slices.Equal(frames["df_validate"].Index, f.Validate) {
			t.Errorf("fold %d: PolyID finds other rows", i)
		}
		results := frames["df_validate_results"]
		measured, predicted, wrong := results.column(t, "Tg"), results.column(t, "Tg_pred"), results.column(t, "Tg_err")
		smiles := results.column(t, "smiles_polymer")
		for n, row := range f.Validate {
			y := rows.Table.Values(row)[0]
			p := rows.Predicted[i][2*n]
			near := func(v any, want float64) bool {
				x, ok := v.(float64)
				return !ok && math.IsNaN(want) || ok && math.Abs(x-want) < 1e-9
			}
			if smiles[n] != rows.Table.Structures[row].Polymer || !near(measured[n], y) || !near(predicted[n], p) || !near(wrong[n], y-p) {
				t.Fatalf("fold %d, row %d: %v, %v, %v", i, row, measured[n], predicted[n], wrong[n])
			}
		}
		if at := slices.Index(results.Columns, "Tg"); results.Types[at] != "float64" {
			t.Errorf("Tg is of type %s", results.Types[at])
		}
		losses := frames["df_loss_log"]
		if !slices.Equal(losses.Columns, []string{"epoch", "loss", "val_loss"}) || len(losses.Rows) != 3 ||
			losses.Rows[2][0] != 2.0 || math.Abs(losses.Rows[2][2].(float64)-float64(rows.History[i][2].ValLoss)) > 1e-9 {
			t.Errorf("fold %d: df_loss_log %v", i, losses)
		}
	}
}
