package keras

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/keras/internal/pickle"
	"polyid-trainer/nn/train"
)

// madeUp is an untrained model of random sizes.
func madeUp(t testing.TB, r *rand.Rand, targets ...string) *checkpoint.Model {
	t.Helper()
	m := &checkpoint.Model{
		Config: nn.Config{
			Name: nn.Global100, AtomFeatures: 1 + r.IntN(20), MolFeatures: 1 + r.IntN(9), NumMessages: 1 + r.IntN(14),
			Dropout: []float64{0, 0.05, 0.5}[r.IntN(3)],
		},
		Features: featurize.Config{Atom: "atom_features_v1", Bond: "bond_features_v1"},
		Vocab:    &featurize.Vocab{},
	}
	m.Config.BondFeatures = m.Config.AtomFeatures // global100 has no other
	for _, tokenizer := range []**featurize.Tokenizer{&m.Vocab.Atom, &m.Vocab.Bond} {
		var words []string
		for i := range 1 + r.IntN(30) {
			words = append(words, fmt.Sprintf("('%c', %d, False)", 'A'+i, r.IntN(4)))
		}
		var err error
		if *tokenizer, err = featurize.NewTokenizer(words); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range targets {
		m.Targets = append(m.Targets, checkpoint.Target{Name: name, Units: "°C"})
		m.Scaler.Center = append(m.Scaler.Center, 100*r.Float64()-50)
		m.Scaler.Scale = append(m.Scaler.Scale, 60*r.Float64()+0.1)
	}
	m.Weights = nn.NewParams(m.Config, m.Sizes())
	m.Weights.Init(r.Uint64())
	return m
}

// written is the folder that Write makes.
func written(t testing.TB, models []*checkpoint.Model, o Options) fstest.MapFS {
	t.Helper()
	folder := fstest.MapFS{}
	err := Write(models, o, func(path string, body []byte) error {
		if folder[path] != nil {
			t.Errorf("%s was written twice", path)
		}
		folder[path] = &fstest.MapFile{Data: body}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return folder
}

// TestReadsWhatItWrote writes ensembles of every shape and reads them back.
func TestReadsWhatItWrote(t *testing.T) {
	r := rand.New(rand.NewPCG(7, 8))
	for _, targets := range [][]string{{"Tg"}, {"Tg", "Tm"}, {"log10_Permeability_CO2", "Density", "x.y"}, {"Tg (°C)", "atom", "output_0"}} {
		for range 5 {
			models := []*checkpoint.Model{madeUp(t, r, targets...), madeUp(t, r, targets...)}
			folder := written(t, models, Options{Train: &train.Config{Epochs: 7, BatchSize: 1, LearningRate: 1e-4}})
			got, err := Read(folder)
			if err != nil {
				t.Fatal(err)
			}
			for i, m := range models {
				g := got[i]
				if !slices.Equal(g.Targets, m.Targets) {
					t.Errorf("targets %+v came back as %+v", m.Targets, g.Targets)
				}
				if g.Config != m.Config || g.Sizes() != m.Sizes() || g.Features != m.Features {
					t.Errorf("%+v, %+v came back as %+v, %+v", m.Config, m.Sizes(), g.Config, g.Sizes())
				}
				if !slices.Equal(g.Weights.Slab, m.Weights.Slab) {
					t.Errorf("%+v: other weights came back", m.Config)
				}
				if !slices.Equal(g.Scaler.Center, m.Scaler.Center) || !slices.Equal(g.Scaler.Scale, m.Scaler.Scale) {
					t.Errorf("scaler %v came back as %v", m.Scaler, g.Scaler)
				}
				if !slices.Equal(g.Vocab.Atom.Words(), m.Vocab.Atom.Words()) || !slices.Equal(g.Vocab.Bond.Words(), m.Vocab.Bond.Words()) {
					t.Error("another vocabulary came back")
				}
				if dir := Dir(i) + "/"; &folder[dir+"model.h5"].Data[0] != &folder[dir+Dir(i)+".h5"].Data[0] {
					t.Error("the weights' two names are not one body")
				}
			}
			for path, f := range written(t, models, Options{Train: &train.Config{Epochs: 7, BatchSize: 1, LearningRate: 1e-4}}) {
				if !bytes.Equal(f.Data, folder[path].Data) {
					t.Errorf("%s has other bytes the second time", path)
				}
			}
		}
	}
}

// TestLargestNetwork writes as many blocks as there may be: their description
// does not fit an attribute by itself.
func TestLargestNetwork(t *testing.T) {
	m := madeUp(t, rand.New(rand.NewPCG(1, 1)), "Tg")
	m.Config.AtomFeatures, m.Config.BondFeatures, m.Config.NumMessages = 2, 2, nn.MaxMessages
	m.Weights = nn.NewParams(m.Config, m.Sizes())
	m.Weights.Init(1)
	got, err := Read(written(t, []*checkpoint.Model{m}, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	if got[0].Config != m.Config || !slices.Equal(got[0].Weights.Slab, m.Weights.Slab) {
		t.Errorf("%+v came back as %+v", m.Config, got[0].Config)
	}
}

// TestWritesWhatItRead writes PolyID's own ensemble again: the same models come
// back.
func TestWritesWhatItRead(t *testing.T) {
	models, err := Read(saved(t))
	if err != nil {
		t.Fatal(err)
	}
	got, err := Read(written(t, models, Options{}))
	if err != nil {
		t.Fatal(err)
	}
	for i, m := range models {
		var a, b bytes.Buffer
		if err := checkpoint.Write(&a, m); err != nil {
			t.Fatal(err)
		}
		if err := checkpoint.Write(&b, got[i]); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a.Bytes(), b.Bytes()) {
			t.Errorf("fold %d came back as another model", i)
		}
	}
}

// TestTrainingRows finds the rows of a training in the files.
func TestTrainingRows(t *testing.T) {
	nan := math.NaN()
	o := Options{Rows: &Rows{
		Table: &data.Table{
			Structures: []data.Structure{
				{Polymer: "CCO", PM: 0.5, Replicate: 1},
				{Monomers: []string{"C=C", "C=CC"}, PM: nan, Distribution: []float64{1, 2}, DP: 18},
				{RepeatUnit: "*C*", PM: nan},
			},
			Targets: []data.Target{{Name: "Tg", Units: "°C"}, {Name: "Tm"}},
			Y:       []float64{1, nan, 3, 4, 5, 6},
		},
		Chains:    []Chain{{SMILES: "CCO"}, {SMILES: "CCCC"}, {SMILES: "CC", DP: 2, Ring: true}},
		Folds:     []data.Fold{{Train: []int{0}, Validate: []int{1, 2}}},
		Predicted: [][]float64{{2.5, 4.5, 5.5, 5}},
		History:   [][]train.Epoch{{{Epoch: 1, Loss: 0.5, ValLoss: 0.25}}},
	}}
	r := rand.New(rand.NewPCG(6, 6))
	model := madeUp(t, r, "Tg", "Tm")
	model.Targets[1].Units = ""
	folder := written(t, []*checkpoint.Model{model}, o)
	if _, err := Read(folder); err != nil {
		t.Fatal(err)
	}
	frame := func(path, name string) string {
		d, err := readDict(folder[path].Data)
		if err != nil {
			t.Fatal(err)
		}
		v, _ := d.Get(name)
		var b strings.Builder
		args := v.(*pickle.Object).Args.Items
		fmt.Fprintln(&b, args[1].(*pickle.List).Items)
		for _, e := range args[0].(*pickle.Dict).Entries {
			fmt.Fprintln(&b, e.Key, e.Value.(*pickle.List).Items)
		}
		return b.String()
	}
	for _, x := range []struct{ path, name, want string }{
		{"parameters.pk", "df_input", `[0 1 2]
smiles_polymer [CCO CCCC CC]
smiles_monomer [<nil> C=C.C=CC <nil>]
mechanism [<nil> <nil> <nil>]
distribution [[] [1, 2] []]
smiles_repeat_unit [<nil> <nil> *C*]
monomers [<nil> ('C=C', 'C=CC') <nil>]
pm [0.5 NaN NaN]
replicate_structure [1 0 0]
DP [<nil> 18 2]
periodic [false false true]
Tg [1 3 5]
Tg_units [°C °C °C]
Tm [NaN 4 6]
`},
		{"model_fold_0/model_fold_0_data.pk", "df_validate_results", `[1 2]
smiles_polymer [CCCC CC]
smiles_monomer [C=C.C=CC <nil>]
mechanism [<nil> <nil>]
distribution [[1, 2] []]
smiles_repeat_unit [<nil> *C*]
monomers [('C=C', 'C=CC') <nil>]
pm [NaN NaN]
replicate_structure [0 0]
DP [18 2]
periodic [false true]
Tg [3 5]
Tg_units [°C °C]
Tm [4 6]
Tg_pred [2.5 5.5]
Tg_err [0.5 -0.5]
Tm_pred [4.5 5]
Tm_err [-0.5 1]
`},
		{"model_fold_0/model_fold_0_data.pk", "df_loss_log", "[0]\nepoch [0]\nloss [0.5]\nval_loss [0.25]\n"},
	} {
		if got := frame(x.path, x.name); got != x.want {
			t.Errorf("%s is\n%swant\n%s", x.name, got, x.want)
		}
	}
}

func TestWillNotWrite(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 3))
	discard := func(string, []byte) error { return nil }
	full := errors.New("disk full")
	for _, x := range []struct {
		want   string
		models []*checkpoint.Model
		o      Options
		put    func(string, []byte) error
	}{
		{"no models", nil, Options{}, discard},
		{"fold 1: it predicts", []*checkpoint.Model{madeUp(t, r, "Tg"), madeUp(t, r, "Tm")}, Options{}, discard},
		{"weights are missing", func() []*checkpoint.Model { m := madeUp(t, r, "Tg"); m.Weights = nil; return []*checkpoint.Model{m} }(), Options{}, discard},
		{"disk full", []*checkpoint.Model{madeUp(t, r, "Tg")}, Options{}, func(path string, _ []byte) error {
			if strings.HasSuffix(path, "scaler.pk") {
				return full
			}
			return nil
		}},
		{`target 0 is "Tm"`, []*checkpoint.Model{madeUp(t, r, "Tg")}, Options{Rows: &Rows{
			Table: &data.Table{Targets: []data.Target{{Name: "Tm"}}},
		}}, discard},
		{"row 7 of 0", []*checkpoint.Model{madeUp(t, r, "Tg")}, Options{Rows: &Rows{
			Table: &data.Table{Targets: []data.Target{{Name: "Tg"}}},
			Folds: []data.Fold{{Train: []int{7}}}, Predicted: make([][]float64, 1), History: make([][]train.Epoch, 1),
		}}, discard},
	} {
		if err := Write(x.models, x.o, x.put); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("error %v, want it to say %q", err, x.want)
		}
	}
}

// BenchmarkWrite writes one fold at PolyID's full size.
func BenchmarkWrite(b *testing.B) {
	m := madeUp(b, rand.New(rand.NewPCG(1, 1)), "Tg", "Tm")
	m.Config = nn.DefaultConfig()
	m.Weights = nn.NewParams(m.Config, m.Sizes())
	b.SetBytes(int64(4 * len(m.Weights.Slab)))
	b.ReportAllocs()
	for b.Loop() {
		if err := Write([]*checkpoint.Model{m}, Options{}, func(string, []byte) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}
