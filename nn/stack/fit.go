package stack

import (
	"context"
	"fmt"
	"math"
	"slices"

	"polyid-trainer/nn/sparse"
	"polyid-trainer/nn/trees"
)

// Member names a way to predict.
type Member string

// The members, in the order in which they are listed everywhere.
const (
	Network    Member = "network"
	Dense      Member = "dense"
	Trees      Member = "trees"
	Neighbours Member = "neighbours"
	Linear     Member = "linear"
)

// Members lists all members.
func Members() []Member { return []Member{Network, Dense, Trees, Neighbours, Linear} }

// Config says what a stack is made of; its JSON is a training job's "stack".
type Config struct {
	Members []Member `json:"members"` // empty is all
}

// WithDefaults fills what is empty.
func (c Config) WithDefaults() Config {
	if len(c.Members) == 0 {
		c.Members = Members()
	}
	return c
}

// Validate reports every member that there is not, or twice.
func (c Config) Validate() error {
	for i, m := range c.Members {
		if !slices.Contains(Members(), m) {
			return fmt.Errorf("members/%d: %q is not a member; there are %q", i, m, Members())
		}
		if slices.Contains(c.Members[:i], m) {
			return fmt.Errorf("members/%d: %q is listed twice", i, m)
		}
	}
	return nil
}

// Table is what a stack is fitted to.
type Table struct {
	Space  Space
	X      *sparse.Matrix // rows × Space.Columns()
	Names  []string       // of the targets
	Values [][]float64    // [target][row], NaN where it is not measured
	Bound  [][]int8       // [target][row], see trees.Target; nil where there are none
	Weight []float64      // [row], ≥ 0, in any unit; nil is 1
	Group  []int32        // [row]: equal polymers
	Fold   []int32        // [row]: the fold that validates it, -1 for none
	// Network is what the network of the row's fold predicts, [target][row].
	Network [][]float64
	Seed    uint64
}

// weighed is t with weights whose mean is 1: what they count beside a penalty must
// not depend on how a table writes them.
func (t *Table) weighed() *Table {
	sum := 0.0
	for r, w := range t.Weight {
		if t.Fold[r] >= 0 {
			sum += w
		}
	}
	if sum == 0 {
		return t
	}
	n := 0
	for _, f := range t.Fold {
		if f >= 0 {
			n++
		}
	}
	out := *t
	out.Weight = slices.Clone(t.Weight)
	for r := range out.Weight {
		out.Weight[r] *= float64(n) / sum
	}
	return &out
}

func (t *Table) folds() int { return int(slices.Max(append([]int32{-1}, t.Fold...))) + 1 }

func (t *Table) check() error {
	rows := t.X.Rows()
	if rows > MaxRows {
		return fmt.Errorf("stack: %d rows are more than %d", rows, MaxRows)
	}
	if len(t.Group) != rows || len(t.Fold) != rows || t.Weight != nil && len(t.Weight) != rows {
		return fmt.Errorf("stack: group, fold and weight do not have the matrix's %d rows", rows)
	}
	if t.folds() < 2 {
		return fmt.Errorf("stack: it needs out-of-fold rows of at least two folds, not of %d", t.folds())
	}
	if len(t.Values) != len(t.Names) || len(t.Network) != len(t.Names) || t.Bound != nil && len(t.Bound) != len(t.Names) {
		return fmt.Errorf("stack: values, bounds and network are not of %d targets", len(t.Names))
	}
	for k, values := range t.Values {
		if len(values) != rows || len(t.Network[k]) != rows || t.Bound != nil && len(t.Bound[k]) != rows {
			return fmt.Errorf("stack: target %s does not have the matrix's %d rows", t.Names[k], rows)
		}
	}
	fold := map[int32]int32{}
	for r, g := range t.Group {
		if t.Fold[r] < 0 { // neither learned from nor scored
			continue
		}
		f, seen := fold[g]
		if seen && f != t.Fold[r] {
			return fmt.Errorf("stack: group %d is in folds %d and %d: what is learned from one would be scored on the other", g, f, t.Fold[r])
		}
		fold[g] = t.Fold[r]
	}
	return nil
}

// Stack predicts by blending members. It may be used by several goroutines at once.
type Stack struct {
	Space   Space
	Folds   int
	Targets []Target
	dense   []*dense // by fold; nil where it is no member
}

// Target is one property's part of a stack.
type Target struct {
	Name    string
	Members []Member
	Weights []float64 // of the members

	difficulty difficulty
	trees      []*forestAndBoost // by fold
	linear     []*linear         // by fold
	neighbours *neighbours
}

// MaxRows bounds the rows of a table: neighbours are looked for among all of them,
// for each of them.
const MaxRows = 30_000

// minRows is how many measured rows a target needs for members beside the network.
const minRows = 20

// Scores are the out-of-fold predictions, each by [target][row], NaN where the row
// has none.
type Scores struct {
	Members map[Member][][]float64
	Blend   [][]float64
	// Difficulty is how large an error of the blend is to be expected, by a fit to
	// the other folds' rows.
	Difficulty [][]float64
}

// Fit fits a stack and gives its out-of-fold predictions; see the package's comment
// for what they have seen. Equal tables give equal stacks, bit for bit. Cost: that
// of the members, folds times over; the trees take the most.
func Fit(ctx context.Context, t *Table, c Config) (*Stack, *Scores, error) {
	c = c.WithDefaults()
	if err := c.Validate(); err != nil {
		return nil, nil, fmt.Errorf("stack: %w", err)
	}
	if err := t.check(); err != nil {
		return nil, nil, err
	}
	t = t.weighed()
	f := &fitting{Table: t, stack: &Stack{Space: t.Space, Folds: t.folds()}}
	f.scores.Members = map[Member][][]float64{}
	for _, m := range c.Members {
		f.scores.Members[m] = f.empty()
	}
	f.scores.Blend, f.scores.Difficulty = f.empty(), f.empty()
	if slices.Contains(c.Members, Dense) {
		if err := f.fitDense(ctx); err != nil {
			return nil, nil, err
		}
	}
	for k := range t.Names {
		if err := f.fitTarget(ctx, k, c.Members); err != nil {
			return nil, nil, fmt.Errorf("stack: %s: %w", t.Names[k], err)
		}
	}
	return f.stack, &f.scores, nil
}

// fitting is a fit under way.
type fitting struct {
	*Table
	stack  *Stack
	scores Scores
}

func (f *fitting) empty() [][]float64 {
	out := make([][]float64, len(f.Names))
	for k := range out {
		out[k] = make([]float64, f.X.Rows())
		for r := range out[k] {
			out[k][r] = math.NaN()
		}
	}
	return out
}

func (f *fitting) fitTarget(ctx context.Context, k int, members []Member) error {
	t, out := newTarget(f.Table, k), Target{Name: f.Names[k]}
	if len(t.measured) < minRows && slices.Contains(members, Network) {
		members = []Member{Network}
	}
	out.Members = members
	row := make([]float32, f.X.Cols)
	near := make([][]neighbour, f.X.Rows())
	for _, m := range members {
		if m == Dense {
			continue
		}
		if m == Neighbours {
			out.neighbours = fitNeighbours(&f.Space, f.X, t)
		}
		for fold := range t.folds {
			if err := ctx.Err(); err != nil {
				return context.Cause(ctx)
			}
			if err := f.fitMember(&out, t, m, fold); err != nil {
				return fmt.Errorf("%s, fold %d: %w", m, fold, err)
			}
			for r, of := range f.Fold {
				if int(of) == fold {
					f.X.Dense(r, row)
					if m == Neighbours {
						index, value := f.X.Row(r)
						near[r] = out.neighbours.around(&f.Space, index, value, int32(fold))
					}
					f.scores.Members[m][k][r] = out.predict(m, fold, f.Network[k][r], row, near[r])
				}
			}
		}
	}
	f.blend(&out, t, k)
	f.difficulty(&out, t, k, near)
	f.stack.Targets = append(f.stack.Targets, out)
	return nil
}

func (f *fitting) fitMember(out *Target, t *target, m Member, fold int) (err error) {
	switch m {
	case Trees:
		var member *forestAndBoost
		member, err = fitTrees(f.X, t, fold, f.Seed)
		out.trees = append(out.trees, member)
	case Linear:
		out.linear = append(out.linear, fitLinear(&f.Space, f.X, t, fold))
	}
	return err
}

// blend fits the weights, those of the stack to all rows and those of the scores
// of a fold to the rows of the others.
func (f *fitting) blend(out *Target, t *target, k int) {
	weights := func(rows []int) []float64 {
		predicted := make([][]float64, len(out.Members))
		var value, weight []float64
		for _, r := range rows {
			for m, name := range out.Members {
				predicted[m] = append(predicted[m], f.scores.Members[name][k][r])
			}
			value, weight = append(value, t.value[r]), append(weight, t.weightOf(r))
		}
		return blend(predicted, value, weight)
	}
	out.Weights = weights(t.measured)
	for fold := range t.folds {
		w := weights(t.outside(t.measured, fold))
		for r, of := range f.Fold {
			if int(of) != fold {
				continue
			}
			f.scores.Blend[k][r] = 0
			for m, name := range out.Members {
				f.scores.Blend[k][r] += w[m] * f.scores.Members[name][k][r]
			}
		}
	}
}

// difficulty fits the difficulty of errors, that of the stack to all rows and that
// of the scores of a fold to the rows of the others.
func (f *fitting) difficulty(out *Target, t *target, k int, near [][]neighbour) {
	sign := make([][signs]float64, f.X.Rows())
	members := make([]float64, len(out.Members))
	for r := range sign {
		for m, name := range out.Members {
			members[m] = f.scores.Members[name][k][r]
		}
		sign[r] = out.signsOf(members, near[r])
	}
	fit := func(rows []int) difficulty {
		var s [][signs]float64
		var e, w []float64
		for _, r := range rows {
			s, e = append(s, sign[r]), append(e, math.Abs(f.scores.Blend[k][r]-t.value[r]))
			w = append(w, t.weightOf(r))
		}
		return fitDifficulty(s, e, w)
	}
	out.difficulty = fit(t.measured)
	for fold := range t.folds {
		d := fit(t.outside(t.measured, fold))
		for r, of := range f.Fold {
			if int(of) == fold {
				f.scores.Difficulty[k][r] = d.of(sign[r])
			}
		}
	}
}

// predict is what member m of fold predicts for a row; near are its neighbours
// outside the fold.
func (t *Target) predict(m Member, fold int, network float64, row []float32, near []neighbour) float64 {
	switch m {
	case Trees:
		return t.trees[fold].predict(row)
	case Linear:
		return t.linear[fold].predict(slices.Clone(row))
	case Neighbours:
		return t.neighbours.average(near, int32(fold))
	default:
		return network
	}
}

// Prediction is a stack's prediction of one property.
type Prediction struct {
	Mean    float64
	PerFold []float64 // the blend of each fold's members
	Members map[Member]float64
	// Difficulty is how large an error is to be expected.
	Difficulty float64
}

// Predict predicts the properties of a polymer; network are the ensemble's
// predictions, [target][fold].
func (s *Stack) Predict(p Polymer, network [][]float64) ([]Prediction, error) {
	x, err := s.Space.Matrix([]Polymer{p})
	if err != nil {
		return nil, fmt.Errorf("stack: %w", err)
	}
	if len(network) != len(s.Targets) {
		return nil, fmt.Errorf("stack: the network predicts %d targets, not %d", len(network), len(s.Targets))
	}
	row := make([]float32, x.Cols)
	x.Dense(0, row)
	index, value := x.Row(0)
	dense := make([][]float64, len(s.dense)) // [fold][target]
	for f, d := range s.dense {
		dense[f] = d.predict(slices.Clone(row))
	}
	out := make([]Prediction, len(s.Targets))
	for k := range s.Targets {
		t := &s.Targets[k]
		if len(network[k]) != s.Folds {
			return nil, fmt.Errorf("stack: the network predicts %s by %d folds, not %d", t.Name, len(network[k]), s.Folds)
		}
		out[k] = t.combine(s.Folds, func(m Member, f int, near []neighbour) float64 {
			if m == Dense {
				return dense[f][k]
			}
			return t.predict(m, f, network[k][f], row, near)
		}, func(f int) []neighbour { return t.neighbours.around(&s.Space, index, value, int32(f)) })
	}
	return out, nil
}

// combine blends what the members of each fold predict; near gives the neighbours
// outside a fold, -1 for all.
func (t *Target) combine(folds int, predict func(m Member, fold int, near []neighbour) float64, near func(fold int) []neighbour) Prediction {
	p := Prediction{PerFold: make([]float64, folds), Members: map[Member]float64{}}
	members := make([]float64, len(t.Members))
	for m, name := range t.Members {
		for f := range folds {
			var list []neighbour
			if name == Neighbours {
				list = near(f)
			}
			v := predict(name, f, list)
			members[m] += v / float64(folds)
			p.PerFold[f] += t.Weights[m] * v
		}
		p.Members[name] = members[m]
		p.Mean += t.Weights[m] * members[m]
	}
	var all []neighbour
	if t.neighbours != nil {
		all = near(-1)
	}
	p.Difficulty = t.difficulty.of(t.signsOf(members, all))
	return p
}

// forestAndBoost is the mean of the two kinds of trees.
type forestAndBoost struct{ boost, forest *trees.Model }

func (f *forestAndBoost) predict(row []float32) float64 {
	return (f.boost.Predict(row) + f.forest.Predict(row)) / 2
}

// fitTrees fits to the rows that fold does not validate. How many trees are boosted
// is decided on rows held back from a first fit.
func fitTrees(x *sparse.Matrix, t *target, fold int, seed uint64) (*forestAndBoost, error) {
	rows := t.outside(t.known, fold)
	y := trees.Target{Value: t.value, Weight: t.weight, Bound: t.bound}
	c := trees.Boosting{
		Rounds: 600, LearningRate: 0.05, MaxLeaves: 16, MinRows: max(2, min(20, len(rows)/30)),
		Lambda: 1, Columns: 0.3, Rows: 0.8, Patience: 50, Seed: seed,
	}
	fitted, held := t.holdOut(rows)
	probe, err := trees.Boost(x, y, fitted, held, c)
	if err != nil {
		return nil, err
	}
	c.Rounds, c.Patience = max(1, probe.Trees()), 0
	out := &forestAndBoost{}
	if out.boost, err = trees.Boost(x, y, rows, nil, c); err != nil {
		return nil, err
	}
	out.forest, err = trees.Forest(x, y, rows, trees.Bagging{Trees: 100, MinRows: 1 + len(rows)/500, Seed: seed})
	return out, err
}
