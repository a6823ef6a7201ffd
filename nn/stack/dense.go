package stack

import (
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"

	"gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"polyid-trainer/nn/sparse"
)

// dense is a network of two hidden layers that predicts all targets of a row of
// scaled features. It is Gorgonia's own operators, differentiated by Gorgonia and
// fitted by its Adam; predictions need only its weights.
type dense struct {
	scaling   scaling
	columns   []int32 // of the features that are its inputs
	mean, std []float64
	layers    [3]layer
}

// layer is weights [in × out] and bias [out].
type layer struct {
	in, out int
	weight  []float32
	bias    []float32
}

// Settings of the dense network.
const (
	denseInputs  = 1024 // at most; the environments that most rows have go first
	denseHidden1 = 128
	denseHidden2 = 64
	denseBatch   = 64
	denseSteps   = 1500
	denseRate    = 2e-3 // of Adam, falling to 0 along half a cosine
	denseDropout = 0.3
	denseDecay   = 1e-4 // L2 penalty in Adam's gradient
)

// fitDense fits a network a fold and notes what it predicts out of fold.
func (f *fitting) fitDense(ctx context.Context) error {
	targets := make([]*target, len(f.Names))
	for k := range targets {
		targets[k] = newTarget(f.Table, k)
	}
	row := make([]float32, f.X.Cols)
	for fold := range f.folds() {
		d, err := fitDense(ctx, &f.Space, f.X, targets, fold, f.Seed)
		if err != nil {
			return fmt.Errorf("stack: dense, fold %d: %w", fold, err)
		}
		f.stack.dense = append(f.stack.dense, d)
		for r, of := range f.Fold {
			if int(of) != fold {
				continue
			}
			f.X.Dense(r, row)
			for k, v := range d.predict(row) {
				f.scores.Members[Dense][k][r] = v
			}
		}
	}
	return nil
}

// fitDense fits one network to the rows that fold does not validate.
func fitDense(ctx context.Context, s *Space, x *sparse.Matrix, targets []*target, fold int, seed uint64) (*dense, error) {
	var rows []int // with a value of any target
	for r, of := range targets[0].fold {
		if of < 0 || int(of) == fold {
			continue
		}
		if slices.ContainsFunc(targets, func(t *target) bool { return !math.IsNaN(t.value[r]) }) {
			rows = append(rows, r)
		}
	}
	d := &dense{scaling: newScaling(s, x, rows)}
	z := d.scaling.matrix(x)
	d.columns = inputs(s, z, rows)
	for _, t := range targets {
		mean, std := moments(t, t.outside(t.measured, fold))
		d.mean, d.std = append(d.mean, mean), append(d.std, std)
	}
	if len(rows) == 0 {
		return nil, errors.New("no target has a measured row outside it")
	}
	l := newLearner(len(d.columns), len(targets), rand.New(rand.NewPCG(seed, uint64(fold))))
	defer l.machine.Close()
	l.rows, l.z, l.targets, l.dense = rows, z, targets, d
	for step := range denseSteps {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		if err := l.step(step); err != nil {
			return nil, fmt.Errorf("step %d: %w", step, err)
		}
	}
	d.layers = l.layers()
	return d, nil
}

// inputs are the centred columns and the environments that most rows have.
func inputs(s *Space, z *sparse.Matrix, rows []int) []int32 {
	count := make([]int, z.Cols)
	for _, r := range rows {
		index, _ := z.Row(r)
		for _, c := range index {
			count[c]++
		}
	}
	var columns, hashes []int32
	for c := range int32(s.first()) {
		columns = append(columns, c)
	}
	for c := int32(s.first()); int(c) < z.Cols; c++ {
		if count[c] > 0 {
			hashes = append(hashes, c)
		}
	}
	slices.SortStableFunc(hashes, func(a, b int32) int { return count[b] - count[a] })
	columns = append(columns, hashes[:min(len(hashes), max(0, denseInputs-len(columns)))]...)
	slices.Sort(columns)
	return columns
}

// moments are the weighted mean and deviation of a target's rows.
func moments(t *target, rows []int) (mean, std float64) {
	var sum, square, weight float64
	for _, r := range rows {
		w := t.weightOf(r)
		sum, square, weight = sum+w*t.value[r], square+w*t.value[r]*t.value[r], weight+w
	}
	if weight == 0 {
		return 0, 1
	}
	mean = sum / weight
	std = math.Sqrt(max(square/weight-mean*mean, 0))
	if std < 1e-9*max(math.Abs(mean), 1) {
		std = 1
	}
	return mean, std
}

// predict gives every target of a row of features, which it scales in place.
func (d *dense) predict(row []float32) []float64 {
	d.scaling.apply(row)
	x := make([]float32, len(d.columns))
	for i, c := range d.columns {
		x[i] = row[c]
	}
	for i := range d.layers {
		x = d.layers[i].forward(x, i < len(d.layers)-1)
	}
	out := make([]float64, len(x))
	for k, v := range x {
		out[k] = d.mean[k] + d.std[k]*float64(v)
	}
	return out
}

func (l *layer) forward(x []float32, rectify bool) []float32 {
	y := slices.Clone(l.bias)
	for i, v := range x {
		if v == 0 {
			continue
		}
		for j, w := range l.weight[i*l.out : (i+1)*l.out] {
			y[j] += v * w
		}
	}
	if rectify {
		for j := range y {
			y[j] = max(y[j], 0)
		}
	}
	return y
}

// learner is a network being fitted: a Gorgonia graph of one batch and its machine.
type learner struct {
	rng     *rand.Rand
	rows    []int
	order   []int // of an epoch; what is left of it
	z       *sparse.Matrix
	targets []*target
	dense   *dense

	x, y, share  *tensor.Dense    // the batch: inputs, targets, and what each of those counts in the loss
	drop         [2]*tensor.Dense // what the hidden values are multiplied by
	weight, bias [3]*gorgonia.Node
	learnable    gorgonia.Nodes // those
	machine      gorgonia.VM
	solver       *gorgonia.AdamSolver
}

// newLearner makes the graph: x·W₁+b₁ → ReLU → dropout → x·W₂+b₂ → ReLU → dropout →
// x·W₃+b₃, and the mean of the squares of what is wrong with it.
func newLearner(in, out int, rng *rand.Rand) *learner {
	l := &learner{rng: rng, solver: gorgonia.NewAdamSolver(gorgonia.WithL2Reg(denseDecay))}
	g := gorgonia.NewGraph()
	input := func(name string, columns int) (*gorgonia.Node, *tensor.Dense) {
		v := tensor.New(tensor.WithShape(denseBatch, columns), tensor.Of(tensor.Float32))
		n := gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithShape(denseBatch, columns), gorgonia.WithName(name), gorgonia.WithValue(v))
		return n, v
	}
	var x, y, share *gorgonia.Node
	x, l.x = input("x", in)
	y, l.y = input("y", out)
	share, l.share = input("share", out)
	sizes := []int{in, denseHidden1, denseHidden2, out}
	for i := range l.weight {
		w := make([]float32, sizes[i]*sizes[i+1])
		scale := math.Sqrt(2 / float64(sizes[i]))
		for k := range w {
			w[k] = float32(scale * rng.NormFloat64())
		}
		l.weight[i] = gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithName(fmt.Sprintf("w%d", i)),
			gorgonia.WithShape(sizes[i], sizes[i+1]), gorgonia.WithValue(tensor.New(tensor.WithShape(sizes[i], sizes[i+1]), tensor.WithBacking(w))))
		l.bias[i] = gorgonia.NewMatrix(g, tensor.Float32, gorgonia.WithName(fmt.Sprintf("b%d", i)), gorgonia.WithShape(1, sizes[i+1]),
			gorgonia.WithValue(tensor.New(tensor.WithShape(1, sizes[i+1]), tensor.Of(tensor.Float32))))
		x = gorgonia.Must(gorgonia.BroadcastAdd(gorgonia.Must(gorgonia.Mul(x, l.weight[i])), l.bias[i], nil, []byte{0}))
		if i < len(l.drop) {
			var mask *gorgonia.Node
			mask, l.drop[i] = input(fmt.Sprintf("drop%d", i), sizes[i+1])
			x = gorgonia.Must(gorgonia.HadamardProd(gorgonia.Must(gorgonia.Rectify(x)), mask))
		}
		l.learnable = append(l.learnable, l.weight[i], l.bias[i])
	}
	wrong := gorgonia.Must(gorgonia.HadamardProd(gorgonia.Must(gorgonia.Square(gorgonia.Must(gorgonia.Sub(x, y)))), share))
	loss := gorgonia.Must(gorgonia.Sum(wrong))
	if _, err := gorgonia.Grad(loss, l.learnable...); err != nil {
		panic(fmt.Sprintf("stack: the dense network's graph has no gradient: %v", err)) // its shape is fixed
	}
	l.machine = gorgonia.NewTapeMachine(g, gorgonia.BindDualValues(l.learnable...))
	return l
}

// step learns one batch.
func (l *learner) step(n int) error {
	l.batch()
	if err := l.machine.RunAll(); err != nil {
		return err
	}
	defer l.machine.Reset()
	gorgonia.WithLearnRate(denseRate / 2 * (1 + math.Cos(math.Pi*float64(n)/denseSteps)))(l.solver)
	return l.solver.Step(gorgonia.NodesToValueGrads(l.learnable))
}

// batch draws the next rows, each once an epoch, and what dropout lets through.
func (l *learner) batch() {
	x, y, share := l.x.Float32s(), l.y.Float32s(), l.share.Float32s()
	in, out := len(l.dense.columns), len(l.targets)
	clear(share)
	row := make([]float32, l.z.Cols)
	count := make([]float64, out) // of each target: the weight of its rows in the batch
	for b := range denseBatch {
		if len(l.order) == 0 {
			l.order = l.rng.Perm(len(l.rows))
		}
		r := l.rows[l.order[len(l.order)-1]]
		l.order = l.order[:len(l.order)-1]
		l.z.Dense(r, row)
		for i, c := range l.dense.columns {
			x[b*in+i] = row[c]
		}
		met := l.met(r, x[b*in:(b+1)*in])
		for k, t := range l.targets {
			if v := t.value[r]; !math.IsNaN(v) && !met[k] {
				y[b*out+k] = float32((v - l.dense.mean[k]) / l.dense.std[k])
				share[b*out+k] = float32(t.weightOf(r))
				count[k] += t.weightOf(r)
			}
		}
	}
	for i := range share { // the mean of each target's squares, whatever the batch has of it
		if share[i] != 0 {
			share[i] /= float32(max(count[i%out], 1))
		}
	}
	for _, d := range l.drop {
		mask := d.Float32s()
		for i := range mask {
			mask[i] = 0
			if l.rng.Float32() >= denseDropout {
				mask[i] = 1 / (1 - denseDropout)
			}
		}
	}
}

// met reports which targets of row r, whose inputs are x, are bounds that the
// weights as they are keep.
func (l *learner) met(r int, x []float32) []bool {
	out := make([]bool, len(l.targets))
	if !slices.ContainsFunc(l.targets, func(t *target) bool { return t.bound != nil && t.bound[r] != 0 }) {
		return out
	}
	for i := range l.weight {
		w := l.weight[i].Value().(*tensor.Dense)
		now := layer{in: w.Shape()[0], out: w.Shape()[1], weight: w.Float32s(), bias: l.bias[i].Value().(*tensor.Dense).Float32s()}
		x = now.forward(x, i < len(l.weight)-1)
	}
	for k, t := range l.targets {
		out[k] = t.met(r, l.dense.mean[k]+l.dense.std[k]*float64(x[k]))
	}
	return out
}

// layers copies the weights out of the graph.
func (l *learner) layers() (out [3]layer) {
	for i := range out {
		w := l.weight[i].Value().(*tensor.Dense)
		out[i] = layer{
			in: w.Shape()[0], out: w.Shape()[1],
			weight: slices.Clone(w.Float32s()),
			bias:   slices.Clone(l.bias[i].Value().(*tensor.Dense).Float32s()),
		}
	}
	return out
}
