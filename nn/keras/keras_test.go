package keras

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"encoding/csv"
	"errors"
	"io"
	"io/fs"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/fstest"

	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/keras/internal/pickle"
)

// saved is an ensemble as PolyID 0.1.2.3 wrote it, see testdata/gen_ensemble.py.
func saved(t testing.TB) fstest.MapFS {
	t.Helper()
	z, err := zip.OpenReader("testdata/ensemble.zip")
	if err != nil {
		t.Fatal(err)
	}
	defer z.Close()
	folder := fstest.MapFS{}
	for _, f := range z.File {
		b, err := fs.ReadFile(z, f.Name)
		if err != nil {
			t.Fatal(err)
		}
		folder[f.Name] = &fstest.MapFile{Data: b}
	}
	return folder
}

func TestRead(t *testing.T) {
	models, err := Read(saved(t))
	if err != nil {
		t.Fatal(err)
	}
	if len(models) != 2 {
		t.Fatalf("%d models, want 2", len(models))
	}
	for i, want := range []struct {
		center, scale []float64
		bonds         int
		first         string
	}{
		// From Python's own look at the files.
		{[]float64{33.0, 157.0}, []float64{39.0, 60.599999999999994}, 13, "('C', 4, 0, 0, False)"},
		{[]float64{37, 146}, []float64{41.5, 61.5}, 14, "('C', 3, 0, 0, False)"},
	} {
		m := models[i]
		if c := (nn.Config{Name: nn.Global100, AtomFeatures: 32, BondFeatures: 32, MolFeatures: 32, NumMessages: 3, Dropout: 0.05}); m.Config != c {
			t.Errorf("fold %d: %+v, want %+v", i, m.Config, c)
		}
		if m.Origin.Fold != i || m.Training != nil || m.Features.Atom != "atom_features_v1" || m.Features.Bond != "bond_features_v1" {
			t.Errorf("fold %d: %+v, %+v", i, m.Origin, m.Features)
		}
		if s := m.Sizes(); s != (nn.Sizes{AtomClasses: 9, BondClasses: want.bonds, Targets: 2}) {
			t.Errorf("fold %d: sizes %+v", i, s)
		}
		if !slices.Equal(m.Scaler.Center, want.center) || !slices.Equal(m.Scaler.Scale, want.scale) {
			t.Errorf("fold %d: scaler %+v, want %v and %v", i, m.Scaler, want.center, want.scale)
		}
		if w := m.Vocab.Atom.Words(); w[0] != want.first || w[6] != "('S', 2, 0, 0, False)" {
			t.Errorf("fold %d: atom words %q", i, m.Vocab.Atom.Words())
		}
		// It is a whole model: it can be written as one of this project's.
		var b bytes.Buffer
		if err := checkpoint.Write(&b, m); err != nil {
			t.Errorf("fold %d: %v", i, err)
		}
	}
}

// TestPredictsAsPolyID holds the imported ensemble, from SMILES to °C, to what
// PolyID answered with it.
func TestPredictsAsPolyID(t *testing.T) {
	models, err := Read(saved(t))
	if err != nil {
		t.Fatal(err)
	}
	e, err := ensemble.New(models, cpu.New, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	rows, err := csv.NewReader(bytes.NewReader(gunzip(t, "testdata/predictions.csv.gz"))).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]*ensemble.Prediction{}
	worst := 0.0
	for _, row := range rows[1:] {
		fold, err := strconv.Atoi(row[0])
		if err != nil {
			t.Fatal(err)
		}
		p := known[row[1]]
		if p == nil {
			g, err := e.Featurizer().Graph(row[1])
			if err != nil {
				t.Fatal(err)
			}
			if p, err = e.Predict(e.Plan(g)); err != nil {
				t.Fatal(err)
			}
			known[row[1]] = p
		}
		for target, cell := range row[2:] {
			want, err := strconv.ParseFloat(cell, 64)
			if err != nil {
				t.Fatal(err)
			}
			d := math.Abs(p.Values[target].PerFold[fold] - want)
			worst = max(worst, d)
			if !(d <= 1e-4) {
				t.Fatalf("fold %d, %s: target %d is %v, PolyID says %v", fold, row[1], target, p.Values[target].PerFold[fold], want)
			}
		}
	}
	t.Logf("%d predictions within %.1e °C of PolyID's", 2*(len(rows)-1), worst)
}

// TestDataWithTrainingTables reads a data file saved with save_training=True,
// which carries pandas' tables of the training rows.
func TestDataWithTrainingTables(t *testing.T) {
	m, err := parseData(gunzip(t, "testdata/with_training.pk.gz"))
	if err != nil {
		t.Fatal(err)
	}
	if len(m.Targets) != 2 || m.Targets[1].Name != "Tm" || m.Vocab.Atom.Classes() != 9 {
		t.Errorf("targets %v, atom words %q", m.Targets, m.Vocab.Atom.Words())
	}
}

func gunzip(t *testing.T, name string) []byte {
	t.Helper()
	f, err := os.Open(name)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	b, err := io.ReadAll(z)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// TestRefusedFolders names what is wrong with folders that are no ensemble.
func TestRefusedFolders(t *testing.T) {
	for _, x := range []struct {
		name string
		mod  func(f fstest.MapFS)
		want string
	}{
		{"no folds", func(f fstest.MapFS) {
			for name := range f {
				if strings.HasPrefix(name, "model_") {
					delete(f, name)
				}
			}
		}, "no folder model_*"},
		{"no parameters", func(f fstest.MapFS) { delete(f, "parameters.pk") }, "parameters.pk"},
		{"no weights", func(f fstest.MapFS) { delete(f, "model_1/model_1.h5") }, "model_1.h5"},
		{"weights for data", func(f fstest.MapFS) { f["model_0/model_0_data.pk"] = f["model_0/model_0.h5"] }, "pickle"},
		{"data for weights", func(f fstest.MapFS) { f["model_0/model_0.h5"] = f["model_0/model_0_data.pk"] }, "not an HDF5 file"},
		{"another fold's data", func(f fstest.MapFS) {
			f["model_0/model_0_data.pk"] = f["model_1/model_1_data.pk"]
			f["model_1/model_1.h5"] = f["model_0/model_0.h5"]
		}, "bond classes"},
	} {
		f := saved(t)
		x.mod(f)
		if _, err := Read(f); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: error %v, want it to say %q", x.name, err, x.want)
		}
	}
}

// TestEvilPickle replaces the scaler's class by one whose making would run a
// command.
func TestEvilPickle(t *testing.T) {
	f := saved(t)
	b := f["model_0/model_0_data.pk"].Data
	f["model_0/model_0_data.pk"].Data = bytes.Replace(b, []byte("\x8c\x1bsklearn.preprocessing._data\x94\x8c\x0cRobustScaler"),
		[]byte("\x8c\x0asubprocess\x94\x8c\x05Popen"), 1)
	_, err := Read(f)
	var c *pickle.ClassError
	if !errors.As(err, &c) || c.Class.String() != "subprocess.Popen" {
		t.Errorf("error %v, want subprocess.Popen refused", err)
	}
}

// TestDamage changes single bytes of the weights' file and of the data: nothing
// may panic.
func TestDamage(t *testing.T) {
	f := saved(t)
	r := rand.New(rand.NewPCG(1, 2))
	for range 100 {
		for _, name := range []string{"model_1/model_1.h5", "model_1/model_1_data.pk"} {
			b := bytes.Clone(f[name].Data)
			b[r.IntN(min(len(b), 64<<10))] ^= byte(1 + r.IntN(255))
			if strings.HasSuffix(name, ".h5") {
				_, _, _, _ = readWeights(b)
			} else {
				_, _ = parseData(b)
			}
		}
	}
}

func FuzzParseData(f *testing.F) {
	folder := saved(f)
	f.Add(folder["model_1/model_1_data.pk"].Data)
	f.Add(folder["parameters.pk"].Data)
	f.Fuzz(func(t *testing.T, b []byte) {
		m, err := parseData(b)
		if err == nil && len(m.Scaler.Center) != len(m.Targets) {
			t.Fatalf("%d centers for %d targets", len(m.Scaler.Center), len(m.Targets))
		}
	})
}

func FuzzParseNetwork(f *testing.F) {
	f.Add([]byte(`{"class_name":"Functional","config":{"layers":[{"class_name":"Embedding","name":"e","config":{},"inbound_nodes":[[["atom",0,0,{}]]]}],"output_layers":[["e",0,0]]}}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		if n, err := parseNetwork(b); err == nil {
			if r, err := n.roles(); err == nil {
				r.layers()
			}
		}
	})
}

// Wanted names what Read reads and no more.
func TestWanted(t *testing.T) {
	folder := saved(t)
	for path := range folder {
		if !Wanted(path) {
			t.Errorf("%s is not wanted", path)
		}
	}
	for _, path := range []string{"README.md", "config.json", "model_0.h5", "model_0/model.h5", "model_0/model_1.h5", "model_0/scaler.pk", "x/model_0/model_0.h5", "model_0/x/model_0.h5", "x/parameters.pk"} {
		if Wanted(path) {
			t.Errorf("%s is wanted", path)
		}
	}
}
