package search_test

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"testing"

	"polyid-trainer/featurize"
	"polyid-trainer/featurize/smiles"
	"polyid-trainer/jobs/search"
)

// problem is something to minimize.
type problem struct {
	name, space string
	trials      int
	score       func(search.Values) float64
}

// TestTPEPeer lets TPE, in its batches, and Optuna's sampler, one trial after the
// other, minimize the same functions with the same number of trials: published toy
// functions, and the error of kernel ridge regression on the glass transitions of
// the shipped table. Over the seeds, TPE must not be worse than Optuna, as a rank
// sum test tells at 1 %, and its median must be below that of random points.
func TestTPEPeer(t *testing.T) {
	if testing.Short() {
		t.Skip("compares numbers, which the race detector has nothing to say about")
	}
	python := os.Getenv("OPTUNA_PYTHON")
	if python == "" {
		t.Skip("set OPTUNA_PYTHON to a python with optuna==5.0.0, or run .ci/peers optuna")
	}
	seeds := 6
	if os.Getenv("LONG") != "" {
		seeds = 15
	}
	ask := startOptuna(t, python)
	for _, p := range []problem{
		{"Branin (2 real)", `{"x": {"uniform": [-5, 10]}, "y": {"uniform": [0, 15]}}`, 60, branin},
		{"Hartmann (6 real)", `{"a": {"uniform": [0, 1]}, "b": {"uniform": [0, 1]}, "c": {"uniform": [0, 1]}, "d": {"uniform": [0, 1]}, "e": {"uniform": [0, 1]}, "f": {"uniform": [0, 1]}}`, 80, hartmann},
		{"a quadratic of a logarithm, a whole number and choices", `{"lr": {"log": [1e-6, 1]}, "n": {"int": [1, 64]}, "kind": {"choice": ["a", "b", "c", "d"]}}`, 60, mixed},
		{"kernel ridge regression on the shipped table", `{"lambda": {"log": [1e-6, 100]}, "gamma": {"log": [1e-5, 10]}, "kernel": {"choice": ["gaussian", "laplace"]}}`, 40, ridge(t)},
	} {
		s := read(t, p.space)
		var ours, theirs, random []float64
		for seed := range seeds {
			ours = append(ours, minimize(p, s, func(i int, seen []search.Observation, pending []search.Point) search.Point {
				return search.TPE(s, uint64(seed), i, seen, pending)
			}))
			random = append(random, minimize(p, s, func(i int, _ []search.Observation, _ []search.Point) search.Point {
				return search.Random(s, uint64(seed), i)
			}))
			theirs = append(theirs, ask(t, p, seed))
		}
		z := rankSum(ours, theirs)
		t.Logf("%s, %d trials, median of %d seeds: TPE %.5g, Optuna %.5g, random %.5g; rank sum z %.2f", p.name, p.trials, seeds, median(ours), median(theirs), median(random), z)
		if z > 2.33 {
			t.Errorf("%s: TPE is worse than Optuna: %v and %v", p.name, ours, theirs)
		}
		if median(ours) >= median(random) {
			t.Errorf("%s: TPE is no better than random points", p.name)
		}
	}
}

// minimize is the best score that proposals in batches find.
func minimize(p problem, s search.Space, propose func(int, []search.Observation, []search.Point) search.Point) float64 {
	best := math.Inf(1)
	var seen []search.Observation
	for len(seen) < p.trials {
		var batch []search.Point
		for i := len(seen); i < min(len(seen)+search.TPEBatch, p.trials); i++ {
			batch = append(batch, propose(i, seen, batch))
		}
		for _, at := range batch {
			score := p.score(s.Values(at))
			best = min(best, score)
			seen = append(seen, search.Observation{At: at, Score: score})
		}
	}
	return best
}

// startOptuna starts Optuna and returns what asks it for the best score it finds.
func startOptuna(t *testing.T, python string) func(*testing.T, problem, int) float64 {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), python, "testdata/ask_optuna.py")
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		if err := cmd.Wait(); err != nil && t.Context().Err() == nil {
			t.Errorf("Optuna: %v", err)
		}
	})
	lines := bufio.NewReader(out)
	return func(t *testing.T, p problem, seed int) float64 {
		t.Helper()
		fmt.Fprintf(in, `{"space": %s, "seed": %d, "trials": %d}`+"\n", p.space, seed, p.trials)
		best := math.Inf(1)
		for range p.trials {
			line, err := lines.ReadBytes('\n')
			if err != nil {
				t.Fatal(err)
			}
			var v search.Values
			if err := json.Unmarshal(line, &v); err != nil {
				t.Fatal(err)
			}
			score := p.score(v)
			best = min(best, score)
			fmt.Fprintln(in, strconv.FormatFloat(score, 'g', -1, 64))
		}
		return best
	}
}

func median(x []float64) float64 {
	x = slices.Sorted(slices.Values(x))
	return (x[(len(x)-1)/2] + x[len(x)/2]) / 2
}

// rankSum is the z value of the rank sum test (Mann and Whitney 1947) of a being
// larger than b; equal values have their mean rank.
func rankSum(a, b []float64) float64 {
	u := 0.0
	for _, x := range a {
		for _, y := range b {
			switch {
			case x > y:
				u++
			case x == y:
				u += 0.5
			}
		}
	}
	n, m := float64(len(a)), float64(len(b))
	return (u - n*m/2) / math.Sqrt(n*m*(n+m+1)/12)
}

func number(v search.Values, name string) float64 {
	x, err := strconv.ParseFloat(string(v[name]), 64)
	if err != nil {
		panic(err)
	}
	return x
}

// branin is the function of Branin (1972); its least value is 0.397887.
func branin(v search.Values) float64 {
	x, y := number(v, "x"), number(v, "y")
	a := y - 5.1/(4*math.Pi*math.Pi)*x*x + 5/math.Pi*x - 6
	return a*a + 10*(1-1/(8*math.Pi))*math.Cos(x) + 10
}

// hartmann is the six-dimensional function of Hartmann (1973); its least value is
// -3.32237.
func hartmann(v search.Values) float64 {
	alpha := [4]float64{1, 1.2, 3, 3.2}
	a := [4][6]float64{{10, 3, 17, 3.5, 1.7, 8}, {0.05, 10, 17, 0.1, 8, 14}, {3, 3.5, 1.7, 10, 17, 8}, {17, 8, 0.05, 10, 0.1, 14}}
	p := [4][6]float64{
		{0.1312, 0.1696, 0.5569, 0.0124, 0.8283, 0.5886}, {0.2329, 0.4135, 0.8307, 0.3736, 0.1004, 0.9991},
		{0.2348, 0.1451, 0.3522, 0.2883, 0.3047, 0.6650}, {0.4047, 0.8828, 0.8732, 0.5743, 0.1091, 0.0381},
	}
	sum := 0.0
	for i := range alpha {
		inner := 0.0
		for j, name := range []string{"a", "b", "c", "d", "e", "f"} {
			d := number(v, name) - p[i][j]
			inner += a[i][j] * d * d
		}
		sum -= alpha[i] * math.Exp(-inner)
	}
	return sum
}

// mixed has its least value, 0, at lr 0.001, n 24 and kind c.
func mixed(v search.Values) float64 {
	d := math.Log10(number(v, "lr")) + 3
	n := (number(v, "n") - 24) / 16
	return d*d + n*n + map[string]float64{`"a"`: 2, `"b"`: 0.5, `"c"`: 0, `"d"`: 1}[string(v["kind"])]
}

// ridge is the mean absolute error, in five folds, of kernel ridge regression of
// the glass transitions of the shipped table on counts of Morgan environments.
func ridge(t *testing.T) func(search.Values) float64 {
	t.Helper()
	f, err := os.Open("../../data/stereopolymer_input_nopush.csv")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	table := csv.NewReader(f)
	head, err := table.Read()
	if err != nil {
		t.Fatal(err)
	}
	var counts []map[uint32]int
	var y []float64
	for {
		row, err := table.Read()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		value, err := strconv.ParseFloat(row[slices.Index(head, "Tg")], 64)
		if err != nil {
			continue // not measured
		}
		m, err := smiles.Read(row[slices.Index(head, "smiles_polymer")])
		if err != nil {
			t.Fatal(err)
		}
		counts, y = append(counts, featurize.Morgan(m)), append(y, value)
	}
	squares, absolute := distances(counts)
	return func(v search.Values) float64 {
		gamma, kernel := number(v, "gamma"), string(v["kernel"])
		k := func(i, j int) float64 {
			if kernel == `"gaussian"` {
				return math.Exp(-gamma * squares[i][j])
			}
			return math.Exp(-gamma * absolute[i][j])
		}
		sum := 0.0
		for fold := range 5 {
			sum += ridgeError(k, y, number(v, "lambda"), func(i int) bool { return i%5 == fold })
		}
		return sum / float64(len(y))
	}
}

// distances are the squared and absolute ones of each pair of counts, scaled by
// their sums.
func distances(counts []map[uint32]int) (squares, absolute [][]float64) {
	for _, a := range counts {
		var s, l []float64
		for _, b := range counts {
			na, nb, square, sum := 0.0, 0.0, 0.0, 0.0
			for _, n := range a {
				na += float64(n)
			}
			for _, n := range b {
				nb += float64(n)
			}
			each := func(x, y float64) {
				square, sum = square+100*(x-y)*(x-y), sum+math.Abs(x-y)
			}
			for _, h := range slices.Sorted(keys(a)) { // in an order, so that the sums are the same each time
				each(float64(a[h])/na, float64(b[h])/nb)
			}
			for _, h := range slices.Sorted(keys(b)) {
				if a[h] == 0 {
					each(0, float64(b[h])/nb)
				}
			}
			s, l = append(s, square), append(l, sum)
		}
		squares, absolute = append(squares, s), append(absolute, l)
	}
	return squares, absolute
}

func keys(m map[uint32]int) func(func(uint32) bool) {
	return func(yield func(uint32) bool) {
		for h := range m {
			if !yield(h) {
				return
			}
		}
	}
}

// ridgeError is the sum of the absolute errors of the rows that are held out.
func ridgeError(k func(i, j int) float64, y []float64, lambda float64, held func(int) bool) float64 {
	var rows []int
	mean := 0.0
	for i := range y {
		if !held(i) {
			rows, mean = append(rows, i), mean+y[i]
		}
	}
	n := len(rows)
	mean /= float64(n)
	l := make([][]float64, n) // the Cholesky factor of K + lambda·1
	for i := range l {
		l[i] = make([]float64, i+1)
		for j := range i + 1 {
			sum := k(rows[i], rows[j])
			if i == j {
				sum += lambda + 1e-9
			}
			for m := range j {
				sum -= l[i][m] * l[j][m]
			}
			if i == j {
				l[i][i] = math.Sqrt(max(sum, 1e-12))
			} else {
				l[i][j] = sum / l[j][j]
			}
		}
	}
	alpha := make([]float64, n)
	for i := range n {
		alpha[i] = y[rows[i]] - mean
		for j := range i {
			alpha[i] -= l[i][j] * alpha[j]
		}
		alpha[i] /= l[i][i]
	}
	for i := n - 1; i >= 0; i-- {
		for j := i + 1; j < n; j++ {
			alpha[i] -= l[j][i] * alpha[j]
		}
		alpha[i] /= l[i][i]
	}
	sum := 0.0
	for i := range y {
		if !held(i) {
			continue
		}
		predicted := mean
		for m, row := range rows {
			predicted += alpha[m] * k(i, row)
		}
		sum += math.Abs(predicted - y[i])
	}
	return sum
}
