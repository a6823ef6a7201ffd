package stack_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"

	"polyid-trainer/featurize/descriptor"
	"polyid-trainer/featurize/smiles"
	"polyid-trainer/nn/stack"
)

// polymers are random polymers with a few descriptors and environments.
func polymers(n int, seed uint64) []stack.Polymer {
	rng := rand.New(rand.NewPCG(seed, 1))
	out := make([]stack.Polymer, n)
	for i := range out {
		p := stack.Polymer{Descriptors: make([]float32, len(descriptor.All())), Counts: map[uint32]float32{}}
		for d := range 5 {
			p.Descriptors[d] = float32(rng.NormFloat64())
		}
		for range 6 {
			p.Counts[uint32(rng.IntN(12))] += 1
		}
		out[i] = p
	}
	return out
}

// table makes a table of one target that value gives.
func table(t testing.TB, ps []stack.Polymer, value func(stack.Polymer) float64) *stack.Table {
	t.Helper()
	tab := &stack.Table{Names: []string{"Tg"}, Values: make([][]float64, 1), Network: make([][]float64, 1), Seed: 3}
	for i, p := range ps {
		tab.Group = append(tab.Group, int32(i))
		tab.Fold = append(tab.Fold, int32(i%4))
		tab.Values[0] = append(tab.Values[0], value(p))
		tab.Network[0] = append(tab.Network[0], 0)
	}
	tab.Space = stack.NewSpace(ps, tab.Group, nil)
	var err error
	if tab.X, err = tab.Space.Matrix(ps); err != nil {
		t.Fatal(err)
	}
	return tab
}

// halved deals the rows to two folds, which is quicker where folds do not matter.
func halved(tab *stack.Table) *stack.Table {
	for r := range tab.Fold {
		tab.Fold[r] = int32(r % 2)
	}
	return tab
}

func meanError(values, predicted []float64) float64 {
	e := 0.0
	for i, v := range values {
		e += math.Abs(v - predicted[i])
	}
	return e / float64(len(values))
}

// linearly is learned best by the linear member.
func linearly(p stack.Polymer) float64 {
	return float64(3*p.Descriptors[0] - 2*p.Descriptors[1] + p.Descriptors[2])
}

func TestBlendPrefersTheBetterMember(t *testing.T) {
	tab := table(t, polymers(120, 1), linearly)
	s, scores, err := stack.Fit(context.Background(), tab, stack.Config{Members: []stack.Member{stack.Network, stack.Linear}})
	if err != nil {
		t.Fatal(err)
	}
	if w := s.Targets[0].Weights; w[1] < 0.9 {
		t.Errorf("the weights of a useless network and an apt linear model are %.2f", w)
	}
	if e := meanError(tab.Values[0], scores.Blend[0]); e > 0.3 {
		t.Errorf("mean error out of fold %.3f", e)
	}
	copy(tab.Network[0], tab.Values[0]) // now the network is perfect
	if s, _, err = stack.Fit(context.Background(), tab, stack.Config{Members: []stack.Member{stack.Network, stack.Linear}}); err != nil {
		t.Fatal(err)
	}
	if w := s.Targets[0].Weights; w[0] < 0.95 {
		t.Errorf("the weights of a perfect network and a linear model are %.2f", w)
	}
}

// TestEveryMemberLearns fits each member alone to what it is able to learn.
func TestEveryMemberLearns(t *testing.T) {
	counted := func(p stack.Polymer) float64 { return float64(2*p.Counts[3] + p.Counts[7]) }
	for _, m := range stack.Members()[1:] {
		t.Run(string(m), func(t *testing.T) {
			tab := table(t, polymers(200, 2), counted)
			_, scores, err := stack.Fit(context.Background(), tab, stack.Config{Members: []stack.Member{m}})
			if err != nil {
				t.Fatal(err)
			}
			mean := 0.0
			for _, v := range tab.Values[0] {
				mean += v / float64(len(tab.Values[0]))
			}
			baseline := 0.0
			for _, v := range tab.Values[0] {
				baseline += math.Abs(v-mean) / float64(len(tab.Values[0]))
			}
			if e := meanError(tab.Values[0], scores.Members[m][0]); e > 0.85*baseline {
				t.Errorf("mean error out of fold %.3f, that of the mean %.3f", e, baseline)
			}
		})
	}
}

// TestNoRowIsSeenByItsScore plants a number in each group's structure that says its
// value but means nothing elsewhere: only what has seen the group could use it.
func TestNoRowIsSeenByItsScore(t *testing.T) {
	for _, m := range []stack.Member{stack.Trees, stack.Neighbours, stack.Linear} {
		t.Run(string(m), func(t *testing.T) {
			ps := polymers(120, 3)
			rng := rand.New(rand.NewPCG(9, 9))
			var value []float64
			for i := range ps {
				if i%2 == 1 { // a twin of the row before, in the same group
					ps[i] = ps[i-1]
					value = append(value, value[i-1])
					continue
				}
				ps[i].Counts = map[uint32]float32{uint32(1000 + i): 5} // the group's own environment
				value = append(value, rng.NormFloat64())
			}
			i := -1
			tab := table(t, ps, func(stack.Polymer) float64 { i++; return value[i] })
			for r := range tab.Group {
				tab.Group[r], tab.Fold[r] = int32(r/2), int32(r/2%4)
			}
			c := stack.Config{Members: []stack.Member{m}}
			_, scores, err := stack.Fit(context.Background(), tab, c)
			if err != nil {
				t.Fatal(err)
			}
			if e := meanError(tab.Values[0], scores.Blend[0]); e < 0.6 {
				t.Errorf("mean error out of fold %.3f: noise cannot be learned", e)
			}
			for r := range tab.Fold { // the leak: twins in different folds
				tab.Group[r], tab.Fold[r] = int32(r), int32(r%4)
			}
			_, scores, err = stack.Fit(context.Background(), tab, c)
			if err != nil {
				t.Fatal(err)
			}
			if e := meanError(tab.Values[0], scores.Blend[0]); m == stack.Neighbours && e > 0.3 {
				t.Errorf("mean error %.3f with every twin in sight: the test could not see a leak", e)
			}
		})
	}
}

func TestFitIsReproducible(t *testing.T) {
	tab := halved(table(t, polymers(60, 4), linearly))
	var scores [2]*stack.Scores
	for i := range scores {
		var err error
		if _, scores[i], err = stack.Fit(context.Background(), tab, stack.Config{}); err != nil {
			t.Fatal(err)
		}
	}
	if !reflect.DeepEqual(scores[0], scores[1]) {
		t.Error("two fits of one table differ")
	}
}

func TestPredictionIsTheBlendOfItsFolds(t *testing.T) {
	ps := polymers(60, 5)
	tab := table(t, ps, linearly)
	s, scores, err := stack.Fit(context.Background(), tab, stack.Config{Members: []stack.Member{stack.Network, stack.Trees, stack.Neighbours, stack.Linear}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := s.Predict(ps[0], [][]float64{{1, 2, 3, 4}})
	if err != nil {
		t.Fatal(err)
	}
	p := got[0]
	sum := 0.0
	for _, v := range p.PerFold {
		sum += v / float64(len(p.PerFold))
	}
	if math.Abs(sum-p.Mean) > 1e-9 {
		t.Errorf("the mean is %v, that of the folds %v", p.Mean, sum)
	}
	if p.Members[stack.Network] != 2.5 {
		t.Errorf("the network's member is %v, not the mean of its folds, 2.5", p.Members[stack.Network])
	}
	// Row 0 is validated by fold 0, so that fold's members predict it as the scores do.
	blend := 0.0
	for m, name := range s.Targets[0].Members {
		if name == stack.Network {
			blend += s.Targets[0].Weights[m] * 1
			continue
		}
		blend += s.Targets[0].Weights[m] * scores.Members[name][0][0]
	}
	if math.Abs(blend-p.PerFold[0]) > 1e-9 {
		t.Errorf("fold 0 predicts %v, its members' scores blend to %v", p.PerFold[0], blend)
	}
}

func TestBoundsAndWeights(t *testing.T) {
	ps := polymers(120, 6)
	tab := halved(table(t, ps, linearly))
	tab.Bound = [][]int8{make([]int8, len(ps))}
	tab.Weight = make([]float64, len(ps))
	for r := range ps {
		tab.Weight[r] = 1
		switch r % 5 {
		case 0: // a bound far off on the right side
			tab.Bound[0][r] = 1
			tab.Values[0][r] = -1000
		case 1: // nonsense of no weight
			tab.Weight[r] = 0
			tab.Values[0][r] = 1e6
		}
	}
	_, scores, err := stack.Fit(context.Background(), tab, stack.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for r, v := range scores.Blend[0] {
		if math.Abs(v) > 50 {
			t.Fatalf("row %d: %v: a kept bound or a row without weight was learned from", r, v)
		}
	}
}

func TestFewRowsKeepToTheNetwork(t *testing.T) {
	tab := table(t, polymers(40, 7), linearly)
	for r := range tab.Values[0] {
		if r >= 12 {
			tab.Values[0][r] = math.NaN()
		}
	}
	s, _, err := stack.Fit(context.Background(), tab, stack.Config{Members: []stack.Member{stack.Network, stack.Trees}})
	if err != nil {
		t.Fatal(err)
	}
	if m := s.Targets[0].Members; !reflect.DeepEqual(m, []stack.Member{stack.Network}) {
		t.Errorf("12 rows were fitted by %q", m)
	}
}

// Rows outside all folds, such as those without a value, may be of any group.
func TestRowsOutsideFolds(t *testing.T) {
	tab := table(t, polymers(60, 9), linearly)
	for r := 0; r < len(tab.Fold); r += 6 {
		tab.Fold[r], tab.Group[r], tab.Values[0][r] = -1, tab.Group[r+1], math.NaN()
	}
	_, scores, err := stack.Fit(context.Background(), tab, stack.Config{Members: []stack.Member{stack.Network, stack.Linear}})
	if err != nil {
		t.Fatal(err)
	}
	if !math.IsNaN(scores.Blend[0][0]) || math.IsNaN(scores.Blend[0][1]) {
		t.Errorf("a row outside all folds is predicted %v, one inside %v", scores.Blend[0][0], scores.Blend[0][1])
	}
}

func TestFitRefuses(t *testing.T) {
	for want, spoil := range map[string]func(*stack.Table){
		"two folds":              func(tab *stack.Table) { clear(tab.Fold) },
		"is in folds":            func(tab *stack.Table) { tab.Group[1] = tab.Group[0] },
		"do not have the matrix": func(tab *stack.Table) { tab.Weight = []float64{1} },
		"does not have":          func(tab *stack.Table) { tab.Values[0] = tab.Values[0][:3] },
	} {
		tab := table(t, polymers(40, 8), linearly)
		spoil(tab)
		if _, _, err := stack.Fit(context.Background(), tab, stack.Config{}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	if err := (stack.Config{Members: []stack.Member{"forest"}}).Validate(); err == nil {
		t.Error("a member that there is not was accepted")
	}
}

func ExampleDescribe() {
	ring, err := smiles.Read("C1CCCCC1") // a ring of three units of *CC*
	if err != nil {
		panic(err)
	}
	p := stack.Describe(ring, 3, nil)
	for i, d := range descriptor.All()[:3] {
		fmt.Println(d.Name, p.Descriptors[i])
	}
	// Output:
	// heavy_atoms 2
	// weight 28.054
	// hydrogens 4
}

// fitted is a stack of all members and the polymers it learned from.
func fitted(t testing.TB) (*stack.Stack, []stack.Polymer) {
	t.Helper()
	ps := polymers(60, 11)
	tab := halved(table(t, ps, linearly))
	s, _, err := stack.Fit(t.Context(), tab, stack.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return s, ps
}

func TestFilesAreTheStack(t *testing.T) {
	s, ps := fitted(t)
	var file bytes.Buffer
	doc, err := s.Encode(&file)
	if err != nil {
		t.Fatal(err)
	}
	again, err := stack.Decode(doc, bytes.NewReader(file.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	network := [][]float64{{1, 2}}
	for i, p := range ps {
		before, err := s.Predict(p, network)
		if err != nil {
			t.Fatal(err)
		}
		after, err := again.Predict(p, network)
		if err != nil {
			t.Fatal(err)
		}
		if !reflect.DeepEqual(before, after) {
			t.Fatalf("polymer %d: %+v before, %+v after", i, before, after)
		}
	}
	for n := 0; n < file.Len(); n += 997 {
		if _, err := stack.Decode(doc, bytes.NewReader(file.Bytes()[:n])); err == nil {
			t.Fatalf("tensors cut at %d bytes were read", n)
		}
	}
	for old, new := range map[string]string{
		`"schema":1`:      `"schema":2`,
		`"folds":2`:       `"folds":5`,
		`"linear"]`:       `"forest"]`,
		`"heavy_atoms"`:   `"heavy"`,
		`"neighbours":{"`: `"neighbour":{"`,
		`"power":`:        `"power":1e9,"k":`,
	} {
		bad := strings.Replace(string(doc), old, new, 1)
		if bad == string(doc) {
			t.Fatalf("%s has no %s", stack.JSONFile, old)
		}
		if _, err := stack.Decode([]byte(bad), bytes.NewReader(file.Bytes())); err == nil {
			t.Errorf("%s in place of %s was read", new, old)
		}
	}
}

// TestDifficultyFollowsTheError learns values whose noise is plain for half of the
// polymers, which share an environment of their own.
func TestDifficultyFollowsTheError(t *testing.T) {
	ps := polymers(400, 12)
	rng := rand.New(rand.NewPCG(5, 5))
	for i := range ps {
		if i%2 == 1 {
			ps[i].Counts = map[uint32]float32{50: 4, 51: 2, uint32(60 + i%5): 1}
		}
	}
	i := -1
	tab := table(t, ps, func(p stack.Polymer) float64 {
		i++
		if i%2 == 1 {
			return linearly(p) + 8*rng.NormFloat64()
		}
		return linearly(p) + 0.5*rng.NormFloat64()
	})
	_, scores, err := stack.Fit(context.Background(), tab, stack.Config{Members: []stack.Member{stack.Neighbours, stack.Linear}})
	if err != nil {
		t.Fatal(err)
	}
	var easy, hard float64
	for r, d := range scores.Difficulty[0] {
		if !(d > 0) {
			t.Fatalf("row %d: difficulty %v", r, d)
		}
		if r%2 == 1 {
			hard += d
		} else {
			easy += d
		}
	}
	if hard < 1.5*easy {
		t.Errorf("the mean difficulty of noisy rows is %.2f times that of the others", hard/easy)
	}
}

// A condition that was not stated is the median of the training rows.
func TestMissingConditionIsTheMedian(t *testing.T) {
	ps := polymers(60, 4)
	for i := range ps {
		ps[i].Conditions = []float32{float32(i % 5)}
	}
	ps[7].Conditions[0] = float32(math.NaN())
	tab := &stack.Table{Names: []string{"Tg"}, Values: make([][]float64, 1), Network: make([][]float64, 1)}
	for i, p := range ps {
		tab.Group, tab.Fold = append(tab.Group, int32(i)), append(tab.Fold, int32(i%2))
		tab.Values[0], tab.Network[0] = append(tab.Values[0], 10*float64(i%5)+linearly(p)), append(tab.Network[0], 0)
	}
	tab.Space = stack.NewSpace(ps, tab.Group, []string{"temperature_c"})
	if m := tab.Space.Medians; len(m) != 1 || m[0] != 2 {
		t.Fatalf("medians %v", m)
	}
	var err error
	if tab.X, err = tab.Space.Matrix(ps); err != nil {
		t.Fatal(err)
	}
	s, _, err := stack.Fit(t.Context(), tab, stack.Config{Members: []stack.Member{stack.Linear}})
	if err != nil {
		t.Fatal(err)
	}
	predict := func(condition float32) float64 {
		p := ps[0]
		p.Conditions = []float32{condition}
		out, err := s.Predict(p, [][]float64{{0, 0}})
		if err != nil {
			t.Fatal(err)
		}
		return out[0].Mean
	}
	if a, b := predict(float32(math.NaN())), predict(2); a != b {
		t.Errorf("without the condition %v, at its median %v", a, b)
	}
	if rise := predict(4) - predict(0); rise < 30 || rise > 50 {
		t.Errorf("from 0 to 4 it rises by %v, not by about 40", rise)
	}
}

// What a bound says counts only while a prediction breaks it: rows known to lie
// above 10 pull up those members whose fit lies lower.
func TestBoundsPull(t *testing.T) {
	for _, m := range []stack.Member{stack.Linear, stack.Dense, stack.Trees} {
		t.Run(string(m), func(t *testing.T) {
			fit := func(bound float64, side int8) float64 {
				ps := polymers(120, 5)
				tab := halved(table(t, ps, linearly))
				tab.Bound = [][]int8{make([]int8, len(ps))}
				for i := range ps {
					if ps[i].Counts[3] > 0 {
						tab.Values[0][i], tab.Bound[0][i] = bound, side
					}
				}
				_, scores, err := stack.Fit(t.Context(), tab, stack.Config{Members: []stack.Member{m}})
				if err != nil {
					t.Fatal(err)
				}
				sum, n := 0.0, 0
				for i := range ps {
					if ps[i].Counts[3] > 0 {
						sum, n = sum+scores.Blend[0][i], n+1
					}
				}
				return sum / float64(n)
			}
			kept, broken := fit(-100, 1), fit(10, 1)
			if broken < kept+3 {
				t.Errorf("their mean is %.2f with bounds that are kept and %.2f with broken ones", kept, broken)
			}
		})
	}
}

// A row of weight 0 is as good as absent.
func TestWeightsCount(t *testing.T) {
	for _, m := range []stack.Member{stack.Linear, stack.Trees} {
		t.Run(string(m), func(t *testing.T) {
			tab := halved(table(t, polymers(120, 6), linearly))
			clean := append([]float64(nil), tab.Values[0]...)
			tab.Weight = make([]float64, len(clean))
			for r := range clean {
				tab.Weight[r] = 1
				if r%3 == 0 {
					tab.Values[0][r], tab.Weight[r] = 50, 0
				}
			}
			_, scores, err := stack.Fit(t.Context(), tab, stack.Config{Members: []stack.Member{m}})
			if err != nil {
				t.Fatal(err)
			}
			if e := meanError(clean, scores.Blend[0]); e > 4 {
				t.Errorf("values of weight 0 were learned: the mean error is %.2f", e)
			}
		})
	}
}
