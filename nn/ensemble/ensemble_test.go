package ensemble_test

import (
	"errors"
	"flag"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"sync"
	"testing"
	"weak"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/cpu"
	"polyid-trainer/nn/dataset"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/train"
)

var slow = flag.Bool("slow", false, "measure the coverage of intervals on the shipped table (a minute)")

// small is a network that trains the shipped table in seconds.
var small = nn.Config{Name: nn.Global100, AtomFeatures: 16, BondFeatures: 16, MolFeatures: 8, NumMessages: 2, Dropout: 0.05}

var targets = []checkpoint.Target{{Name: "Tg", Units: "°C"}, {Name: "Tm", Units: "°C"}}

// polyid is PolyID's table for the small network.
func polyid(t *testing.T) (*data.Table, *dataset.Dataset) {
	t.Helper()
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	table, set, err := dataset.PolyID(t.Context(), f, small.NumMessages)
	if err != nil {
		t.Fatal(err)
	}
	return table, set
}

// untrained makes a model of fresh weights for rows.
func untrained(t *testing.T, table *data.Table, set *dataset.Dataset, rows []int, seed uint64) *checkpoint.Model {
	t.Helper()
	f, err := set.Fold(table, data.Fold{Train: rows})
	if err != nil {
		t.Fatal(err)
	}
	w := nn.NewParams(small, f.Sizes())
	w.Init(seed)
	return &checkpoint.Model{Config: small, Features: featurize.Config{}.WithDefaults(), Vocab: f.Vocab, Targets: targets, Scaler: f.Scaler, Weights: w}
}

func upTo(n int) []int {
	rows := make([]int, n)
	for i := range rows {
		rows[i] = i
	}
	return rows
}

// threeFolds are models that learned from different rows, so with vocabularies
// and scalers of their own.
func threeFolds(t *testing.T, table *data.Table, set *dataset.Dataset) []*checkpoint.Model {
	return []*checkpoint.Model{
		untrained(t, table, set, upTo(229), 1), untrained(t, table, set, upTo(100), 2), untrained(t, table, set, upTo(40), 3),
	}
}

// TestOnePassEqualsEachFold compares with each fold predicting on its own, in
// the order a caller would do it by hand.
func TestOnePassEqualsEachFold(t *testing.T) {
	table, set := polyid(t)
	models := threeFolds(t, table, set)
	e, err := ensemble.New(models, cpu.New, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	for _, row := range []int{0, 77, 200} {
		p := predict(t, e, table.Structures[row].Polymer)
		for k, m := range models {
			engine, err := cpu.New(m.Config, m.Sizes(), 9)
			if err != nil {
				t.Fatal(err)
			}
			if err := engine.SetState(&nn.State{Weights: m.Weights}); err != nil {
				t.Fatal(err)
			}
			scaled, err := train.Predict(t.Context(), engine, set.Bind(m.Vocab, []int{row}), 2)
			if err != nil {
				t.Fatal(err)
			}
			for i, x := range m.Scaler.Inverse([]float64{float64(scaled[0]), float64(scaled[1])}) {
				if got := p.Values[i].PerFold[k]; math.Abs(got-x) > 1e-12*math.Abs(x) {
					t.Errorf("row %d, fold %d, target %d: %v, want %v", row, k, i, got, x)
				}
			}
			engine.Close()
		}
		for i, v := range p.Values {
			a, b, c := v.PerFold[0], v.PerFold[1], v.PerFold[2]
			mean := (a + b + c) / 3
			std := math.Sqrt(((a-mean)*(a-mean) + (b-mean)*(b-mean) + (c-mean)*(c-mean)) / 2)
			if math.Abs(v.Mean-mean) > 1e-9 || math.Abs(v.Std-std) > 1e-9 || v.Interval != nil {
				t.Errorf("row %d, target %d: %+v, want mean %v, std %v and no interval", row, i, v, mean, std)
			}
		}
	}
}

func predict(t *testing.T, e *ensemble.Ensemble, smiles string) *ensemble.Prediction {
	t.Helper()
	g, err := e.Featurizer().Graph(smiles)
	if err != nil {
		t.Fatal(err)
	}
	p, err := e.Predict(e.Plan(g))
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestUnknownFeaturesAreCounted(t *testing.T) {
	table, set := polyid(t)
	e, err := ensemble.New(threeFolds(t, table, set), cpu.New, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	if p := predict(t, e, table.Structures[0].Polymer); p.Unknown != 0 {
		t.Errorf("a training polymer has %d unknown features", p.Unknown)
	}
	// Fluorine, and its bond to carbon.
	if p := predict(t, e, "CC(F)C(=O)O"); p.Unknown < 2 {
		t.Errorf("a polymer with fluorine has %d unknown features, want 2 or more", p.Unknown)
	}
}

// A prediction that is kept, as a server keeps thousands, does not keep the plan.
func TestPlansAreLetGo(t *testing.T) {
	table, set := polyid(t)
	e, err := ensemble.New(threeFolds(t, table, set), cpu.New, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	g, err := e.Featurizer().Graph("CC(O)C(=O)O")
	if err != nil {
		t.Fatal(err)
	}
	p := e.Plan(g)
	of := weak.Make(p)
	kept, err := e.Predict(p)
	if err != nil {
		t.Fatal(err)
	}
	predict(t, e, "CCO") // the engines hold what they ran last
	runtime.GC()
	if of.Value() != nil {
		t.Error("the plan is still there")
	}
	runtime.KeepAlive(kept)
}

// TestConcurrentUse predicts from several goroutines at once; run it with -race.
func TestConcurrentUse(t *testing.T) {
	table, set := polyid(t)
	e, err := ensemble.New(threeFolds(t, table, set), cpu.New, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	want := map[string]*ensemble.Prediction{}
	for row := 0; row < 229; row += 23 {
		s := table.Structures[row].Polymer
		want[s] = predict(t, e, s)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for s, w := range want {
				g, err := e.Featurizer().Graph(s)
				if err != nil {
					t.Error(err)
					return
				}
				p, err := e.Predict(e.Plan(g))
				if err != nil || p.Values[0].Mean != w.Values[0].Mean || p.Values[1].PerFold[2] != w.Values[1].PerFold[2] {
					t.Errorf("%+v, %v, want %+v", p, err, w)
				}
			}
		})
	}
	wg.Wait()
}

// held is an engine whose first run waits, and that counts polymers by run.
type held struct {
	nn.Engine
	once           sync.Once
	begun, release chan struct{}
	runs           []int
}

func (h *held) Predict(b *nn.Batch, dst []float32) error {
	h.runs = append(h.runs, len(b.Examples))
	h.once.Do(func() {
		close(h.begun)
		<-h.release
	})
	return h.Engine.Predict(b, dst)
}

// What comes while a fold is at work goes through it together, and who is refused
// costs nobody else their answer.
func TestCallsGoTogether(t *testing.T) {
	table, set := polyid(t)
	h := &held{begun: make(chan struct{}), release: make(chan struct{})}
	e, err := ensemble.New(threeFolds(t, table, set)[:1], func(c nn.Config, s nn.Sizes, seed uint64) (_ nn.Engine, err error) {
		h.Engine, err = cpu.New(c, s, seed)
		return h, err
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	chains := []string{"CCO", "CC(O)C(=O)O", "OCCO", "[He]", "CCC(=O)O", "CCCCO", "OC(=O)CCO"} // [He] has no bonds
	got, failed := make([]*ensemble.Prediction, len(chains)), make([]error, len(chains))
	var asking sync.WaitGroup
	for i, chain := range chains {
		g, err := e.Featurizer().Graph(chain)
		if err != nil {
			t.Fatal(err)
		}
		plan := e.Plan(g)
		asking.Go(func() { got[i], failed[i] = e.Predict(plan) })
		if i == 0 {
			<-h.begun
		}
	}
	for e.Waiting() < len(chains)-1 {
		runtime.Gosched()
	}
	close(h.release)
	asking.Wait()
	// The one alone, then the refused one's four, and those again one by one.
	if total := len(h.runs); total > 3+4 {
		t.Errorf("runs of %v polymers", h.runs)
	}
	for i, chain := range chains {
		if chain == "[He]" {
			if failed[i] == nil {
				t.Errorf("%s was predicted", chain)
			}
			continue
		}
		if failed[i] != nil {
			t.Errorf("%s: %v", chain, failed[i])
		} else if alone := predict(t, e, chain); alone.Values[0].Mean != got[i].Values[0].Mean {
			t.Errorf("%s: %v together, %v alone", chain, got[i].Values[0].Mean, alone.Values[0].Mean)
		}
	}
}

func TestRefusedModels(t *testing.T) {
	table, set := polyid(t)
	broken := errors.New("no such device")
	rows := []ensemble.OutOfFold{{Measured: []float64{1, 1}, Predicted: []float64{1, 1}}}
	oneFold, err := ensemble.Calibrate(targets, 1, rows, ensemble.Intervals{})
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		name, want  string
		mod         func(m []*checkpoint.Model) []*checkpoint.Model
		newEngine   nn.NewEngine
		calibration *ensemble.Calibration
	}{
		{name: "none", want: "no models", mod: func([]*checkpoint.Model) []*checkpoint.Model { return nil }},
		{name: "targets", want: "fold 1: it predicts", mod: func(m []*checkpoint.Model) []*checkpoint.Model { m[1].Targets = targets[:1]; return m }},
		{name: "features", want: "fold 2: it reads", mod: func(m []*checkpoint.Model) []*checkpoint.Model {
			m[2].Features.Atom = "atom_features_v2"
			return m
		}},
		{name: "blocks", want: "fold 1: it has 3 blocks", mod: func(m []*checkpoint.Model) []*checkpoint.Model { m[1].Config.NumMessages = 3; return m }},
		{name: "weights", want: "fold 0", mod: func(m []*checkpoint.Model) []*checkpoint.Model { m[0].Config.MolFeatures = 9; return m }},
		{name: "engine", want: "no such device", newEngine: func(nn.Config, nn.Sizes, uint64) (nn.Engine, error) { return nil, broken }},
		{name: "calibration", want: "calibration", calibration: oneFold},
	} {
		models := threeFolds(t, table, set)
		if x.mod != nil {
			models = x.mod(models)
		}
		if x.newEngine == nil {
			x.newEngine = cpu.New
		}
		if _, err := ensemble.New(models, x.newEngine, x.calibration); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: error %v, want it to say %q", x.name, err, x.want)
		}
	}
}

// crossValidate trains the small network on five folds of rows and returns the
// ensemble with intervals.
func crossValidate(t *testing.T, table *data.Table, set *dataset.Dataset, split *data.Partition, seed uint64) *ensemble.Ensemble {
	t.Helper()
	c := train.DefaultConfig()
	c.Epochs, c.LearningRate, c.Seed = 15, 3e-3, seed
	var models []*checkpoint.Model
	var rows []ensemble.OutOfFold
	for k, f := range split.Folds {
		fold, err := set.Fold(table, f)
		if err != nil {
			t.Fatal(err)
		}
		engine, err := cpu.New(small, fold.Sizes(), train.FoldSeed(seed, k))
		if err != nil {
			t.Fatal(err)
		}
		d := train.Data{Train: fold.Train, Validate: fold.Validate, Scale: fold.Scaler.Scale, Fold: k}
		r, err := train.Fit(t.Context(), engine, d, c, train.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if err := train.WarmStart(engine, r.Best); err != nil {
			t.Fatal(err)
		}
		scaled, err := train.Predict(t.Context(), engine, fold.Validate, len(targets))
		if err != nil {
			t.Fatal(err)
		}
		engine.Close()
		for i, row := range f.Validate {
			rows = append(rows, ensemble.OutOfFold{
				Fold: k, Group: split.Groups[row], Measured: table.Values(row),
				Predicted: fold.Scaler.Inverse([]float64{float64(scaled[2*i]), float64(scaled[2*i+1])}),
			})
		}
		models = append(models, &checkpoint.Model{Config: small, Features: featurize.Config{}.WithDefaults(),
			Vocab: fold.Vocab, Targets: targets, Scaler: fold.Scaler, Weights: r.Best})
	}
	calibration, err := ensemble.Calibrate(targets, len(split.Folds), rows, ensemble.Intervals{})
	if err != nil {
		t.Fatal(err)
	}
	e, err := ensemble.New(models, cpu.New, calibration)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

// TestCoverageOnTheShippedTable holds out a fifth of the polymers, trains and
// calibrates on the rest, and counts how often the intervals hold what was
// measured of the fifth; five times, with other fifths. Some hundred groups of
// rows, of which a handful decide each quantile, make single tables vary by
// several points, and hence the wide limits.
func TestCoverageOnTheShippedTable(t *testing.T) {
	if !*slow {
		t.Skip("slow: go test ./nn/ensemble -run Coverage -slow")
	}
	table, set := polyid(t)
	var inside, all [2]int
	var width [2]float64
	for seed := range uint64(5) {
		split, err := table.Partition(data.PartitionRequest{Folds: 5, Seed: seed, Holdout: &data.Holdout{Fraction: 0.2}})
		if err != nil {
			t.Fatal(err)
		}
		e := crossValidate(t, table, set, split, seed)
		for _, row := range split.Holdout {
			p := predict(t, e, table.Structures[row].Polymer)
			for i, y := range table.Values(row) {
				if v := p.Values[i].Interval; v != nil && !math.IsNaN(y) {
					all[i]++
					width[i] += v.High - v.Low
					if y >= v.Low && y <= v.High {
						inside[i]++
					}
				}
			}
		}
		e.Close()
	}
	for i, target := range targets {
		c := float64(inside[i]) / float64(all[i])
		t.Logf("%s: %.1f %% of %d held-out values, mean width %.0f °C", target.Name, 100*c, all[i], width[i]/float64(all[i]))
		if c < 0.82 || c > 0.98 {
			t.Errorf("%s: intervals at 90 %% hold %.1f %%", target.Name, 100*c)
		}
	}
}

// BenchmarkInterval is the cost of an interval from a large calibration.
func BenchmarkInterval(b *testing.B) {
	r := rand.New(rand.NewPCG(1, 1))
	var rows []ensemble.OutOfFold
	for i := range 10000 {
		rows = append(rows, ensemble.OutOfFold{Fold: i % 5, Group: int32(i), Measured: []float64{r.NormFloat64()}, Predicted: []float64{0}})
	}
	c, err := ensemble.Calibrate(targets[:1], 5, rows, ensemble.Intervals{})
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		c.Interval(0, []float64{1, 2, 3, 4, 5})
	}
}
