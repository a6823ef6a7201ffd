package global100_test

import (
	"math"
	"testing"

	G "gorgonia.org/gorgonia"
	"gorgonia.org/tensor"

	"polyid-trainer/nn"
	"polyid-trainer/nn/enginetest"
)

// The network in Gorgonia's own operators, in float64: values from its kernels,
// gradients from its rules. It shares nothing with the fused operators or with
// the textbook form that engines are held to, and meets TensorFlow.
func TestNativeOperatorsAgreeWithPolyID(t *testing.T) {
	t.Parallel()
	const tolerance = 1e-10
	golden := enginetest.Small(t)
	b := golden.Batches[0]
	got := newOracle(t, golden, b.Polymers[0])
	if d := enginetest.Apart(got.pred, b.F64.Pred); d > tolerance {
		t.Errorf("predictions differ by %.1e", d)
	}
	if d := math.Abs(got.loss - b.F64.Loss); d > tolerance {
		t.Errorf("loss differs by %.1e", d)
	}
	worst := 0.0
	for name, want := range b.F64.Grad {
		if enginetest.Undetermined(name) {
			continue
		}
		d := enginetest.Apart(got.grad[name], want)
		worst = max(worst, d)
		if d > tolerance {
			t.Errorf("gradient of %s differs by %.1e", name, d)
		}
	}
	t.Logf("gradients within %.1e", worst)
}

type oracle struct {
	pred []float64
	loss float64
	grad map[string][]float64
}

// newOracle builds the graph for one polymer and runs it.
func newOracle(t *testing.T, golden *enginetest.Golden, p *enginetest.Polymer) oracle {
	t.Helper()
	n := native{t: t, g: G.NewGraph(), weights: map[string]*G.Node{}}
	var names []string
	var weights G.Nodes
	for name, w := range golden.Params.Tensors() {
		shape := w.Shape
		if len(shape) == 1 { // a bias is a row
			shape = []int{1, shape[0]}
		}
		data := make([]float64, len(w.Data))
		for i, v := range w.Data {
			data[i] = float64(v)
		}
		n.weights[name] = n.matrix(name, shape[0], shape[1], data)
		names, weights = append(names, name), append(weights, n.weights[name])
	}
	preds, loss := n.network(golden.Config, golden.Sizes, p)
	// What is to be read after the run: later operators reuse registers.
	read := make([]G.Value, len(preds))
	for i, y := range preds {
		G.Read(y, &read[i])
	}
	grads, err := G.Grad(loss, weights...)
	if err != nil {
		t.Fatal(err)
	}
	vm := G.NewTapeMachine(n.g)
	defer vm.Close()
	if err := vm.RunAll(); err != nil {
		t.Fatal(err)
	}
	out := oracle{loss: loss.Value().Data().(float64), grad: map[string][]float64{}}
	for _, y := range read {
		out.pred = append(out.pred, values(y)...)
	}
	for i, name := range names {
		out.grad[name] = values(grads[i].Value())
	}
	return out
}

func values(v G.Value) []float64 {
	if x, ok := v.Data().(float64); ok {
		return []float64{x}
	}
	return v.Data().([]float64)
}

// native builds matrices of float64; a vector is a matrix of one row.
type native struct {
	t       *testing.T
	g       *G.ExprGraph
	weights map[string]*G.Node
}

func (n *native) must(x *G.Node, err error) *G.Node {
	n.t.Helper()
	if err != nil {
		n.t.Fatal(err)
	}
	return x
}

func (n *native) matrix(name string, rows, cols int, data []float64) *G.Node {
	return G.NodeFromAny(n.g, tensor.New(tensor.WithShape(rows, cols), tensor.WithBacking(data)), G.WithName(name))
}

// selector has a one in each row, at the given columns: times x it is a gather
// of x's rows, transposed a segment sum.
func (n *native) selector(name string, columns []int32, cols int) *G.Node {
	data := make([]float64, len(columns)*cols)
	for r, c := range columns {
		data[r*cols+int(c)] = 1
	}
	return n.matrix(name, len(columns), cols, data)
}

func (n *native) filled(name string, rows, cols int, v float64) *G.Node {
	data := make([]float64, rows*cols)
	for i := range data {
		data[i] = v
	}
	return n.matrix(name, rows, cols, data)
}

func (n *native) mul(a, b *G.Node) *G.Node   { return n.must(G.Mul(a, b)) }
func (n *native) add(a, b *G.Node) *G.Node   { return n.must(G.Add(a, b)) }
func (n *native) relu(x *G.Node) *G.Node     { return n.must(G.Rectify(x)) }
func (n *native) turn(x *G.Node) *G.Node     { return n.must(G.Transpose(x, 1, 0)) }
func (n *native) join(xs ...*G.Node) *G.Node { return n.must(G.Concat(1, xs...)) }

// dense is x·kernel + 1·bias; ones is a column as high as x.
func (n *native) dense(name string, x, ones *G.Node) *G.Node {
	return n.add(n.mul(x, n.weights[name+".kernel"]), n.mul(ones, n.weights[name+".bias"]))
}

func (n *native) network(c nn.Config, s nn.Sizes, p *enginetest.Polymer) (preds G.Nodes, loss *G.Node) {
	nA, nB := len(p.Atom), len(p.Bond)
	onesA, onesB := n.filled("onesA", nA, 1, 1), n.filled("onesB", nB, 1, 1)
	onesM := n.filled("onesM", 1, c.MolFeatures, 1)
	fromSrc, fromDst := n.selector("src", p.Src, nA), n.selector("dst", p.Dst, nA)
	a := n.mul(n.selector("atom", p.Atom, s.AtomClasses), n.weights["atom_embedding"])
	b := n.mul(n.selector("bond", p.Bond, s.BondClasses), n.weights["bond_embedding"])

	// Softmax over atoms and bonds together is a quotient of sums over both.
	pool := func(name string) *G.Node {
		var top, bottom *G.Node
		for _, x := range []struct{ rows, ones *G.Node }{{a, onesA}, {b, onesB}} {
			weight := n.turn(n.must(G.Exp(n.dense(name+".query", x.rows, x.ones))))
			t, u := n.mul(weight, n.dense(name+".value", x.rows, x.ones)), n.mul(weight, x.ones)
			if top == nil {
				top, bottom = t, u
			} else {
				top, bottom = n.add(top, t), n.add(bottom, u)
			}
		}
		return n.must(G.HadamardDiv(top, n.mul(bottom, onesM)))
	}
	g := pool("global_init")
	for j := range c.NumMessages {
		name := "block" + string(rune('0'+j))
		g = n.add(g, pool(name+".global"))
		tiled := n.mul(onesB, g)
		x := n.join(b, n.mul(fromSrc, a), n.mul(fromDst, a), tiled)
		x = n.relu(n.dense(name+".edge.concat.dense1", x, onesB))
		b = n.add(b, n.dense(name+".edge.concat.dense2", x, onesB))
		if j == c.NumMessages-1 {
			break
		}
		x = n.relu(n.dense(name+".node.concat.dense1", n.join(n.mul(fromDst, a), b, tiled), onesB))
		x = n.mul(n.turn(fromSrc), n.dense(name+".node.concat.dense2", x, onesB))
		x = n.relu(n.dense(name+".node.dense1", x, onesA))
		a = n.add(a, n.dense(name+".node.dense2", x, onesA))
	}
	mean := n.mul(n.filled("mean", 1, nB, 1/float64(nB)), b)
	one := n.filled("one", 1, 1, 1)
	for i, name := range []string{"head0", "head1"} {
		pred := n.dense(name, mean, one)
		preds = append(preds, pred)
		target := n.filled(name+".target", 1, 1, p.Target[i])
		e := n.must(G.Abs(n.must(G.Sub(pred, target))))
		if loss == nil {
			loss = e
		} else {
			loss = n.add(loss, e)
		}
	}
	half := G.NewConstant(1 / float64(len(preds)))
	return preds, n.must(G.Mul(n.must(G.Sum(loss)), half))
}
