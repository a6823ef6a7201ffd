package trees_test

import (
	"bytes"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"reflect"
	"strconv"
	"testing"

	"polyid-trainer/featurize"
	"polyid-trainer/featurize/smiles"
	"polyid-trainer/nn/sparse"
	"polyid-trainer/nn/trees"
)

// problem is a table to learn.
type problem struct {
	x           sparse.Matrix
	y           []float64
	train, test []int
}

func (p *problem) divide(seed uint64) {
	order := rand.New(rand.NewPCG(seed, 1)).Perm(len(p.y))
	p.test, p.train = order[:len(order)/4], order[len(order)/4:]
}

func (p *problem) rmse(m *trees.Model) float64 {
	row, sum := make([]float32, p.x.Cols), 0.0
	for _, r := range p.test {
		p.x.Dense(r, row)
		d := m.Predict(row) - p.y[r]
		sum += d * d
	}
	return math.Sqrt(sum / float64(len(p.test)))
}

// friedman is Friedman's first function of five of ten columns (Annals of
// Statistics 1991, 19, 1), with noise.
func friedman(rows int) *problem {
	p := &problem{x: sparse.Matrix{Cols: 10}}
	rng := rand.New(rand.NewPCG(7, 7))
	index := []int32{0, 1, 2, 3, 4, 5, 6, 7, 8, 9}
	for range rows {
		v := make([]float32, 10)
		for i := range v {
			v[i] = rng.Float32()
		}
		p.x.Append(index, v)
		f := func(i int) float64 { return float64(v[i]) }
		p.y = append(p.y, 10*math.Sin(math.Pi*f(0)*f(1))+20*(f(2)-0.5)*(f(2)-0.5)+10*f(3)+5*f(4)+rng.NormFloat64())
	}
	p.divide(1)
	return p
}

// fingerprints is a property of a shipped table, learned from counts of Morgan
// environments of the repeat units.
func fingerprints(t *testing.T, file, structure, target string) *problem {
	t.Helper()
	f, err := os.Open("../../data/" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	column := map[string]int{}
	for i, name := range records[0] {
		column[name] = i
	}
	p := &problem{x: sparse.Matrix{Cols: 1024}}
	for _, r := range records[1:] {
		y, err := strconv.ParseFloat(r[column[target]], 64)
		if err != nil {
			continue
		}
		m, err := smiles.Read(r[column[structure]])
		if err != nil {
			t.Fatal(err)
		}
		counts := make([]float32, p.x.Cols)
		for hash, n := range featurize.Morgan(m) {
			counts[hash%uint32(p.x.Cols)] += float32(n)
		}
		var index []int32
		var value []float32
		for c, n := range counts {
			if n != 0 {
				index, value = append(index, int32(c)), append(value, n)
			}
		}
		p.x.Append(index, value)
		p.y = append(p.y, y)
	}
	p.divide(2)
	return p
}

// TestBesideScikitLearn holds the errors of both kinds of trees to those of
// scikit-learn's at equal settings: not more than 2 % above.
func TestBesideScikitLearn(t *testing.T) {
	python := os.Getenv("RDKIT_PYTHON")
	if python == "" {
		t.Skip("RDKIT_PYTHON names no Python with scikit-learn: see .ci/peers")
	}
	problems := map[string]*problem{
		"friedman": friedman(2000),
		"Tg":       fingerprints(t, "polymers_seven_properties.csv", "smiles_repeat_unit", "Glass_Transition"),
	}
	if os.Getenv("LONG") != "" { // five times the rows of Tg
		problems["density"] = fingerprints(t, "polymers_seven_properties.csv", "smiles_repeat_unit", "Density")
	}
	for name, p := range problems {
		t.Run(name, func(t *testing.T) {
			peer := askPeer(t, python, p)
			boost, err := trees.Boost(&p.x, trees.Target{Value: p.y}, p.train, nil, trees.Boosting{})
			if err != nil {
				t.Fatal(err)
			}
			sum := 0.0
			const seeds = 3
			for seed := range uint64(seeds) {
				forest, err := trees.Forest(&p.x, trees.Target{Value: p.y}, p.train, trees.Bagging{Trees: 100, Seed: seed})
				if err != nil {
					t.Fatal(err)
				}
				sum += p.rmse(forest) / seeds
			}
			for _, c := range []struct {
				kind       string
				ours, peer float64
			}{{"boosted", p.rmse(boost), peer.Boost}, {"forest", sum, peer.Forest}} {
				t.Logf("%s: error %.4g, scikit-learn's %.4g, the mean's %.4g", c.kind, c.ours, c.peer, peer.Mean)
				if c.ours > 1.02*c.peer {
					t.Errorf("%s: error %.4g is more than 2 %% above scikit-learn's %.4g", c.kind, c.ours, c.peer)
				}
			}
		})
	}
}

type peerErrors struct{ Boost, Forest, Mean float64 }

func askPeer(t *testing.T, python string, p *problem) (e peerErrors) {
	t.Helper()
	x := make([][]float32, p.x.Rows())
	for r := range x {
		x[r] = make([]float32, p.x.Cols)
		p.x.Dense(r, x[r])
	}
	question, err := json.Marshal(map[string]any{"x": x, "y": p.y, "train": p.train, "test": p.test, "seed": 0})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(python, "testdata/sklearn_peer.py")
	cmd.Stdin = bytes.NewReader(question)
	cmd.Stderr = os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(answer, &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestEqualSeedsGiveEqualTrees(t *testing.T) {
	p := friedman(300)
	fit := map[string]func(seed uint64) (*trees.Model, error){
		"boosted": func(seed uint64) (*trees.Model, error) {
			return trees.Boost(&p.x, trees.Target{Value: p.y}, p.train, p.test, trees.Boosting{Rows: 0.7, Columns: 0.5, Patience: 10, Seed: seed})
		},
		"forest": func(seed uint64) (*trees.Model, error) {
			return trees.Forest(&p.x, trees.Target{Value: p.y}, p.train, trees.Bagging{Trees: 20, Seed: seed})
		},
	}
	for name, f := range fit {
		t.Run(name, func(t *testing.T) {
			var got []trees.Arrays
			for _, seed := range []uint64{1, 1, 2} {
				m, err := f(seed)
				if err != nil {
					t.Fatal(err)
				}
				got = append(got, m.Arrays())
			}
			if !reflect.DeepEqual(got[0], got[1]) {
				t.Error("the same seed gave two models")
			}
			if reflect.DeepEqual(got[0], got[2]) {
				t.Error("another seed gave the same model")
			}
		})
	}
}

func TestArraysAreTheModel(t *testing.T) {
	p := friedman(500)
	m, err := trees.Boost(&p.x, trees.Target{Value: p.y}, p.train, nil, trees.Boosting{})
	if err != nil {
		t.Fatal(err)
	}
	again, err := trees.New(m.Arrays(), p.x.Cols)
	if err != nil {
		t.Fatal(err)
	}
	row := make([]float32, p.x.Cols)
	for r := range p.y {
		p.x.Dense(r, row)
		if a, b := m.Predict(row), again.Predict(row); a != b {
			t.Fatalf("row %d: %v before, %v after", r, a, b)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	good := func() trees.Arrays {
		return trees.Arrays{
			Start: []int32{0, 3}, Column: []int32{1, 0, 0}, Cut: []float32{0, 0, 0}, MissingLeft: []uint8{0, 0, 0},
			Left: []int32{1, 0, 0}, Right: []int32{2, 0, 0}, Value: []float32{0, 1, 2},
		}
	}
	if _, err := trees.New(good(), 2); err != nil {
		t.Fatal(err)
	}
	for name, spoil := range map[string]func(*trees.Arrays){
		"a loop":              func(a *trees.Arrays) { a.Left[1] = 1; a.Right[1] = 1 },
		"a child outside":     func(a *trees.Arrays) { a.Right[0] = 3 },
		"a negative child":    func(a *trees.Arrays) { a.Right[0] = -1 },
		"a column outside":    func(a *trees.Arrays) { a.Column[0] = 2 },
		"lengths that differ": func(a *trees.Arrays) { a.Value = a.Value[:2] },
		"an empty tree":       func(a *trees.Arrays) { a.Start = []int32{0, 0, 3} },
		"starts that descend": func(a *trees.Arrays) { a.Start = []int32{0, 4, 3} },
		"no start":            func(a *trees.Arrays) { a.Start = nil },
		"no number":           func(a *trees.Arrays) { a.Value[1] = float32(math.NaN()) },
		"no base":             func(a *trees.Arrays) { a.Base = math.Inf(1) },
	} {
		t.Run(name, func(t *testing.T) {
			a := good()
			spoil(&a)
			if _, err := trees.New(a, 2); err == nil {
				t.Error("it was accepted")
			}
		})
	}
}

// step is a table whose only column says on which of two levels the value is.
func step(missing float32) *problem {
	p := &problem{x: sparse.Matrix{Cols: 2}}
	for i := range 40 {
		v, y := float32(i%4), 0.0
		switch {
		case i%4 == 3:
			v, y = missing, 5
		case i%4 == 2:
			y = 1
		}
		p.x.Append([]int32{1}, []float32{v})
		p.y = append(p.y, y)
		p.train = append(p.train, i)
	}
	return p
}

func TestMissingValuesGoWhereTheyFit(t *testing.T) {
	nan := float32(math.NaN())
	p := step(nan)
	m, err := trees.Boost(&p.x, trees.Target{Value: p.y}, p.train, nil, trees.Boosting{MinRows: 1, LearningRate: 1, Rounds: 3})
	if err != nil {
		t.Fatal(err)
	}
	for v, want := range map[float32]float64{0: 0, 1: 0, 2: 1, nan: 5} {
		if got := m.Predict([]float32{0, v}); math.Abs(got-want) > 1e-6 {
			t.Errorf("at %v: %v, want %v", v, got, want)
		}
	}
}

func TestWeightsCount(t *testing.T) {
	p := step(3)
	weight := make([]float64, len(p.y))
	for i := range weight {
		weight[i] = 1
		if p.y[i] == 5 {
			weight[i] = 0
		}
	}
	for name, fit := range map[string]func() (*trees.Model, error){
		"boosted": func() (*trees.Model, error) {
			return trees.Boost(&p.x, trees.Target{Value: p.y, Weight: weight}, p.train, nil, trees.Boosting{MinRows: 1})
		},
		"forest": func() (*trees.Model, error) {
			return trees.Forest(&p.x, trees.Target{Value: p.y, Weight: weight}, p.train, trees.Bagging{Trees: 30})
		},
	} {
		m, err := fit()
		if err != nil {
			t.Fatal(err)
		}
		if got := m.Predict([]float32{0, 3}); got > 1.001 {
			t.Errorf("%s: rows of weight 0 moved the prediction to %v", name, got)
		}
	}
}

func TestBoundsPullOneWay(t *testing.T) {
	x := sparse.Matrix{Cols: 1}
	var y []float64
	var bound []int8
	var rows []int
	for i := range 60 {
		x.Append([]int32{0}, []float32{float32(i % 3)})
		y = append(y, []float64{10, 12, 4}[i%3]) // 10; at least 12; at most 4
		bound = append(bound, []int8{0, 1, -1}[i%3])
		rows = append(rows, i)
	}
	m, err := trees.Boost(&x, trees.Target{Value: y, Bound: bound}, rows, nil, trees.Boosting{MinRows: 1})
	if err != nil {
		t.Fatal(err)
	}
	for v, want := range map[float32]float64{0: 10, 1: 12, 2: 4} {
		if got := m.Predict([]float32{v}); math.Abs(got-want) > 0.01 {
			t.Errorf("at %v: %v, want %v", v, got, want)
		}
	}
	for i := range y { // bounds that the measured mean keeps
		y[i] = []float64{10, 3, 400}[i%3]
	}
	m, err = trees.Boost(&x, trees.Target{Value: y, Bound: bound}, rows, nil, trees.Boosting{MinRows: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []float32{0, 1, 2} {
		if got := m.Predict([]float32{v}); math.Abs(got-10) > 0.01 {
			t.Errorf("a bound that holds already moved the prediction at %v to %v", v, got)
		}
	}
}

func TestHeldRowsEndTheFit(t *testing.T) {
	p := friedman(400)
	for i := range p.y { // nothing to learn
		p.y[i] = rand.New(rand.NewPCG(uint64(i), 3)).NormFloat64()
	}
	m, err := trees.Boost(&p.x, trees.Target{Value: p.y}, p.train, p.test, trees.Boosting{Rounds: 200, Patience: 10})
	if err != nil {
		t.Fatal(err)
	}
	if m.Trees() > 50 {
		t.Errorf("%d trees were kept for noise", m.Trees())
	}
}

func TestFitRefuses(t *testing.T) {
	p := friedman(50)
	nan := append([]float64(nil), p.y...)
	nan[p.train[0]] = math.NaN()
	weight := make([]float64, len(p.y))
	weight[p.train[0]] = -1
	for name, c := range map[string]struct {
		target trees.Target
		rows   []int
	}{
		"no rows":           {trees.Target{Value: p.y}, nil},
		"too few values":    {trees.Target{Value: p.y[:9]}, p.train},
		"a value missing":   {trees.Target{Value: nan}, p.train},
		"a negative weight": {trees.Target{Value: p.y, Weight: weight}, p.train},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := trees.Boost(&p.x, c.target, c.rows, nil, trees.Boosting{}); err == nil {
				t.Error("Boost accepted it")
			}
			if _, err := trees.Forest(&p.x, c.target, c.rows, trees.Bagging{}); err == nil {
				t.Error("Forest accepted it")
			}
		})
	}
}

func ExampleBoost() {
	x := sparse.Matrix{Cols: 1}
	var y []float64
	var rows []int
	for i := range 100 {
		x.Append([]int32{0}, []float32{float32(i)})
		y = append(y, float64(i/50)) // 0, then 1
		rows = append(rows, i)
	}
	m, err := trees.Boost(&x, trees.Target{Value: y}, rows, nil, trees.Boosting{})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%.2f %.2f\n", m.Predict([]float32{10}), m.Predict([]float32{90}))
	// Output: 0.00 1.00
}

func BenchmarkBoost(b *testing.B) {
	for _, rows := range []int{1000, 8000} {
		p := friedman(rows)
		b.Run(fmt.Sprintf("rows=%d", rows), func(b *testing.B) {
			for b.Loop() {
				if _, err := trees.Boost(&p.x, trees.Target{Value: p.y}, p.train, nil, trees.Boosting{}); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
