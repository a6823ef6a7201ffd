package plan_test

import (
	"fmt"
	"math"
	"slices"
	"testing"

	"polyid-trainer/featurize"
	"polyid-trainer/nn"
	"polyid-trainer/nn/enginetest"
	"polyid-trainer/nn/plan"
)

const blocks = 12 // of the default network

// Mean classes per layer over the 229 rows, as an independent prototype with
// string keys counted them; its figures are rounded.
func TestClassCountsOfShippedPolymers(t *testing.T) {
	t.Parallel()
	wantAtoms := []float64{5.5, 11.5, 17, 24, 30, 36, 41, 48, 54, 61, 68, 75}
	wantBonds := []float64{6.7, 15, 30, 43, 56, 68, 79, 93, 105, 119, 133, 147, 161}
	const rounding = 0.6
	data := enginetest.ReadShipped(t)
	cache := plan.NewCache(blocks)
	check := func(what string, layer int, want float64, count func(*plan.Plan) int) {
		sum := 0
		for _, d := range data.Row {
			sum += count(cache.Plan(data.Distinct[d].Graph()))
		}
		if got := float64(sum) / float64(len(data.Row)); math.Abs(got-want) > rounding {
			t.Errorf("layer %d has %.2f %s classes on average, want %v", layer, got, what, want)
		}
	}
	for layer, want := range wantAtoms {
		check("atom", layer, want, func(p *plan.Plan) int { return p.AtomClasses(layer) })
	}
	for layer, want := range wantBonds {
		check("bond", layer, want, func(p *plan.Plan) int { return p.BondClasses(layer) })
	}
	t.Logf("%d plans of the shipped polymers take %d kB", cache.Len(), cache.Bytes()/1000)
	if cache.Len() != len(data.Distinct) {
		t.Errorf("%d plans for %d distinct graphs", cache.Len(), len(data.Distinct))
	}
	const bound = 4_000_000 // bytes; a tenth of what all plans of a worker may take
	if cache.Bytes() > bound {
		t.Errorf("plans take %d bytes, more than %d", cache.Bytes(), bound)
	}
}

// The members of a class have one state in the textbook form, whatever the
// weights; members of different classes do not.
func TestClassesAreStates(t *testing.T) {
	t.Parallel()
	c := nn.Config{AtomFeatures: 8, MolFeatures: 3, NumMessages: blocks}.WithDefaults()
	s := nn.Sizes{AtomClasses: 9, BondClasses: 14, Targets: 1}
	params := nn.NewParams(c, s)
	params.Init(1)
	for i := range params.Slab { // biases too
		params.Slab[i] += float32(0.1 * math.Sin(float64(i)))
	}
	ref := enginetest.NewReference(c, s, params)
	for i, p := range enginetest.ReadShipped(t).Distinct {
		atomClass, bondClass := plan.Trace(p.Graph(), blocks)
		atoms, bonds := ref.States(p)
		for layer := range atoms {
			if layer < blocks {
				checkStates(t, fmt.Sprintf("polymer %d, layer %d, atoms", i, layer), atomClass[layer], atoms[layer], c.AtomFeatures)
			}
			checkStates(t, fmt.Sprintf("polymer %d, layer %d, bonds", i, layer), bondClass[layer], bonds[layer], c.AtomFeatures)
		}
	}
}

func checkStates(t *testing.T, what string, class []int32, states []float64, width int) {
	t.Helper()
	const same = 1e-12 // relative; float64 rounding, summed in another order
	row := func(i int) []float64 { return states[i*width : (i+1)*width] }
	apart := func(a, b []float64) float64 {
		d, top := 0.0, 0.0
		for k := range a {
			d, top = max(d, math.Abs(a[k]-b[k])), max(top, math.Abs(a[k]))
		}
		return d / top
	}
	first := map[int32]int{}
	for i, c := range class {
		if f, ok := first[c]; !ok {
			first[c] = i
		} else if d := apart(row(f), row(i)); d > same {
			t.Errorf("%s: %d and %d share a class, their states differ by %.1e", what, f, i, d)
			return
		}
	}
	var firsts []int
	for _, i := range first {
		firsts = append(firsts, i)
	}
	slices.Sort(firsts)
	for n, i := range firsts {
		for _, j := range firsts[:n] {
			if apart(row(i), row(j)) <= same {
				t.Errorf("%s: %d and %d share a state, but not a class", what, i, j)
				return
			}
		}
	}
}

// Every field of a plan, against its definition over the members.
func TestFieldsAgreeWithMembers(t *testing.T) {
	t.Parallel()
	var b plan.Builder
	for i, polymer := range enginetest.ReadShipped(t).Distinct {
		g := polymer.Graph()
		p := b.Build(g, blocks)
		atom, bond := plan.Trace(g, blocks)
		for u, id := range g.Atom {
			if p.AtomID[atom[0][u]] != id {
				t.Fatalf("polymer %d: atom %d is in a class of another feature", i, u)
			}
		}
		for e, id := range g.Bond {
			if p.BondID[bond[0][e]] != id {
				t.Fatalf("polymer %d: bond %d is in a class of another feature", i, e)
			}
		}
		for layer := range blocks {
			checkCount(t, p.AtomMembers(layer), atom[layer])
		}
		for layer := range blocks + 1 {
			checkCount(t, p.BondMembers(layer), bond[layer])
		}
		for j := range p.Blocks {
			checkBlock(t, &p.Blocks[j], g, atom[j], bond[j], atom[j+1], bond[j+1], j == blocks-1)
		}
	}
}

func checkCount(t *testing.T, count []float32, class []int32) {
	t.Helper()
	want := make([]float32, len(count))
	for _, c := range class {
		want[c]++
	}
	if !slices.Equal(count, want) || slices.Contains(count, 0) {
		t.Fatalf("members %v, want %v", count, want)
	}
}

func checkBlock(t *testing.T, k *plan.Block, g *featurize.Graph, atom, bond, newAtom, newBond []int32, last bool) {
	t.Helper()
	if !slices.IsSorted(k.Bond) || !slices.IsSorted(k.Atom) {
		t.Fatal("classes are not numbered parent by parent")
	}
	for e, c := range newBond {
		if k.Bond[c] != bond[e] || k.Src[c] != atom[g.Src[e]] || k.Dst[c] != atom[g.Dst[e]] {
			t.Fatalf("bond %d reads something else than its class", e)
		}
	}
	if last {
		if k.Atom != nil || k.Messages.Row != nil || k.Readers.Row != nil {
			t.Fatal("the last block updates atoms")
		}
		return
	}
	sent := make([]map[int32]float32, len(g.Atom))
	for u := range sent {
		sent[u] = map[int32]float32{}
	}
	for e, u := range g.Src {
		sent[u][newBond[e]]++
	}
	for u, a := range newAtom {
		if k.Atom[a] != atom[u] {
			t.Fatalf("atom %d has another parent than its class", u)
		}
		got := map[int32]float32{}
		degree := float32(0)
		for e := k.Messages.Off[a]; e < k.Messages.Off[a+1]; e++ {
			got[k.Messages.Row[e]] = k.Messages.Weight[e]
			degree += k.Messages.Weight[e]
		}
		if fmt.Sprint(got) != fmt.Sprint(sent[u]) || degree != k.Degree[a] {
			t.Fatalf("atom %d gets messages %v, its class %v", u, sent[u], got)
		}
	}
	type entry struct {
		atom, bond int32
		weight     float32
	}
	var forward, back []entry
	for a := range k.Atom {
		for e := k.Messages.Off[a]; e < k.Messages.Off[a+1]; e++ {
			forward = append(forward, entry{int32(a), k.Messages.Row[e], k.Messages.Weight[e]})
		}
	}
	for b := range k.Bond {
		for e := k.Readers.Off[b]; e < k.Readers.Off[b+1]; e++ {
			back = append(back, entry{k.Readers.Row[e], int32(b), k.Readers.Weight[e]})
		}
	}
	slices.SortFunc(back, func(x, y entry) int {
		if x.atom != y.atom {
			return int(x.atom - y.atom)
		}
		return int(x.bond - y.bond)
	})
	if !slices.Equal(forward, back) {
		t.Fatal("Readers is not Messages transposed")
	}
}

// A plan must not depend on how features happen to be numbered: rounding would.
func TestIdsAreOnlyNames(t *testing.T) {
	t.Parallel()
	for i, polymer := range enginetest.ReadShipped(t).Distinct {
		g, renamed := polymer.Graph(), polymer.Graph()
		renamed.Atom, renamed.Bond = slices.Clone(g.Atom), slices.Clone(g.Bond)
		for u := range renamed.Atom {
			renamed.Atom[u] = 1000 - renamed.Atom[u]
		}
		for e := range renamed.Bond {
			renamed.Bond[e] = 7 * (renamed.Bond[e] ^ 5)
		}
		var b plan.Builder
		want, got := b.Build(g, blocks), b.Build(renamed, blocks)
		got.AtomID, got.BondID = want.AtomID, want.BondID
		if fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("polymer %d: the plan changes with the names of features", i)
		}
	}
}

func TestPlainPlanIsTheGraph(t *testing.T) {
	t.Parallel()
	g := enginetest.ReadShipped(t).Distinct[0].Graph()
	p := new(plan.Builder).Plain(g, 2)
	k := p.Blocks[0]
	if !slices.Equal(p.AtomID, g.Atom) || !slices.Equal(p.BondID, g.Bond) ||
		!slices.Equal(k.Src, g.Src) || !slices.Equal(k.Dst, g.Dst) {
		t.Error("the plain plan renumbers the graph")
	}
	if p.AtomClasses(1) != len(g.Atom) || p.BondClasses(2) != len(g.Bond) {
		t.Error("the plain plan merges rows")
	}
}

// A ring of equal repeat units is one unit's worth of classes at every layer.
func TestRingHasOneUnitOfClasses(t *testing.T) {
	t.Parallel()
	const units = 9 // of two unlike atoms
	g := new(featurize.Graph)
	for u := range int32(2 * units) {
		g.Atom = append(g.Atom, u%2)
		for _, v := range []int32{(u + 1) % (2 * units), (u + 2*units - 1) % (2 * units)} {
			g.Src, g.Dst, g.Bond = append(g.Src, u), append(g.Dst, v), append(g.Bond, 0)
		}
	}
	p := new(plan.Builder).Build(g, blocks)
	if p.AtomClasses(blocks-1) != 2 || p.BondClasses(blocks) != 2 {
		t.Errorf("%d atom and %d bond classes, want 2 and 2", p.AtomClasses(blocks-1), p.BondClasses(blocks))
	}
	if !slices.Equal(p.BondMembers(blocks), []float32{2 * units, 2 * units}) {
		t.Errorf("members %v", p.BondMembers(blocks))
	}
}

func TestGraphsWithoutBondsOrAtoms(t *testing.T) {
	t.Parallel()
	var b plan.Builder
	if p := b.Build(&featurize.Graph{}, 3); p.AtomClasses(2) != 0 || p.BondClasses(3) != 0 {
		t.Error("an empty graph has classes")
	}
	p := b.Build(&featurize.Graph{Atom: []int32{4, 4, 2}}, 3)
	if p.AtomClasses(2) != 2 || p.BondClasses(3) != 0 || p.Blocks[0].Degree[0] != 0 {
		t.Errorf("lone atoms: %+v", p)
	}
}

func BenchmarkBuild(b *testing.B) {
	data := enginetest.ReadShipped(b)
	var graphs []*featurize.Graph
	for _, d := range data.Row {
		graphs = append(graphs, data.Distinct[d].Graph())
	}
	var builder plan.Builder
	b.ReportAllocs()
	i := 0
	for b.Loop() {
		builder.Build(graphs[i%len(graphs)], blocks)
		i++
	}
}
