package nn_test

import (
	"math"
	"slices"
	"testing"

	"polyid-trainer/nn"
)

func TestFullSize(t *testing.T) {
	t.Parallel()
	c := nn.DefaultConfig()
	c.MolFeatures = 128
	s := nn.Sizes{AtomClasses: 9, BondClasses: 14, Targets: 2}
	if got := nn.NumParams(c, s); got != 4_361_359 {
		t.Errorf("NumParams = %d, PolyID's model has 4,361,359", got)
	}
	p := nn.NewParams(c, s)
	if p.Len() != 194 {
		t.Errorf("%d tensors, PolyID's model has 194", p.Len())
	}
}

func TestOrderAndShapes(t *testing.T) {
	t.Parallel()
	c := nn.Config{AtomFeatures: 16, MolFeatures: 4, NumMessages: 2}.WithDefaults()
	p := nn.NewParams(c, nn.Sizes{AtomClasses: 9, BondClasses: 14, Targets: 1})
	type row struct {
		name  string
		shape []int
	}
	dense := func(name string, in, out int) []row {
		return []row{{name + ".kernel", []int{in, out}}, {name + ".bias", []int{out}}}
	}
	want := slices.Concat(
		[]row{{"bond_embedding", []int{14, 16}}, {"atom_embedding", []int{9, 16}}},
		dense("global_init.query", 16, 1), dense("global_init.value", 16, 4),
		dense("block0.global.query", 16, 1), dense("block0.global.value", 16, 4),
		dense("block0.edge.concat.dense1", 52, 32), dense("block0.edge.concat.dense2", 32, 16),
		dense("block0.node.concat.dense1", 36, 32), dense("block0.node.concat.dense2", 32, 16),
		dense("block0.node.dense1", 16, 32), dense("block0.node.dense2", 32, 16),
		dense("block1.global.query", 16, 1), dense("block1.global.value", 16, 4),
		dense("block1.edge.concat.dense1", 52, 32), dense("block1.edge.concat.dense2", 32, 16),
		dense("head0", 16, 1),
	)
	var got []row
	n := 0
	for name, tensor := range p.Tensors() {
		got = append(got, row{name, tensor.Shape})
		if &tensor.Data[0] != &p.Slab[n] {
			t.Errorf("%s does not start at element %d of the slab", name, n)
		}
		n += len(tensor.Data)
	}
	if n != len(p.Slab) {
		t.Errorf("tensors cover %d of %d elements", n, len(p.Slab))
	}
	if !slices.EqualFunc(got, want, func(a, b row) bool { return a.name == b.name && slices.Equal(a.shape, b.shape) }) {
		t.Errorf("tensors\n%v\nwant\n%v", got, want)
	}
}

// The typed view and the named one must be the same memory.
func TestViewIsTheSlab(t *testing.T) {
	t.Parallel()
	c := nn.Config{AtomFeatures: 3, MolFeatures: 2, NumMessages: 2}.WithDefaults()
	s := nn.Sizes{AtomClasses: 2, BondClasses: 2, Targets: 2}
	p := nn.NewParams(c, s)
	net := nn.View(c, s, p.Slab)
	for name, v := range map[string][]float32{
		"atom_embedding":                   net.Atom,
		"block0.node.concat.dense2.bias":   net.Block[0].Msg2.Bias,
		"block1.edge.concat.dense1.kernel": net.Block[1].Edge1.Kernel,
		"head1.bias":                       net.Head[1].Bias,
	} {
		tensor, ok := p.Tensor(name)
		if !ok || len(tensor.Data) != len(v) || &tensor.Data[0] != &v[0] {
			t.Errorf("%s: the named view and the typed one differ", name)
		}
	}
}

func TestInit(t *testing.T) {
	t.Parallel()
	c := nn.Config{AtomFeatures: 32, NumMessages: 2}.WithDefaults()
	s := nn.Sizes{AtomClasses: 20, BondClasses: 20, Targets: 2}
	p, again, other := nn.NewParams(c, s), nn.NewParams(c, s), nn.NewParams(c, s)
	p.Init(7)
	again.Init(7)
	other.Init(8)
	if !slices.Equal(p.Slab, again.Slab) {
		t.Error("one seed gave two initialisations")
	}
	if slices.Equal(p.Slab, other.Slab) {
		t.Error("two seeds gave one initialisation")
	}
	for _, tc := range []struct {
		name  string
		limit float64
	}{
		{"atom_embedding", 0.05},
		{"block0.edge.concat.dense1.kernel", math.Sqrt(6.0 / (3*32 + 8 + 64))},
		{"block1.global.query.bias", 0},
	} {
		tensor, _ := p.Tensor(tc.name)
		top, sum := 0.0, 0.0
		for _, v := range tensor.Data {
			top = max(top, math.Abs(float64(v)))
			sum += float64(v)
		}
		if top > tc.limit || top < 0.98*tc.limit {
			t.Errorf("%s: largest value %v, want just below %v", tc.name, top, tc.limit)
		}
		// The mean of n uniform values has a standard deviation of limit/√(3n).
		if n := float64(len(tensor.Data)); math.Abs(sum/n) > 5*tc.limit/math.Sqrt(3*n) {
			t.Errorf("%s: mean %v is not near 0", tc.name, sum/n)
		}
	}
}

func TestCopyFromRefusesAnotherLayout(t *testing.T) {
	t.Parallel()
	c := nn.DefaultConfig()
	s := nn.Sizes{AtomClasses: 2, BondClasses: 2, Targets: 1}
	p := nn.NewParams(c, s)
	if !p.Fits(c, s) {
		t.Error("parameters do not fit their own network")
	}
	s.Targets = 2
	if p.Fits(c, s) {
		t.Error("parameters fit another network")
	}
	if err := p.CopyFrom(nn.NewParams(c, s)); err == nil {
		t.Error("parameters of another layout were accepted")
	}
}
