package plan

import (
	"reflect"
	"sync"
	"testing"

	"polyid-trainer/featurize"
)

// What a Bounded holds stays within its limit, and what it no longer holds is
// built again alike, whoever asks at the same time.
func TestBounded(t *testing.T) {
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	var graphs []*featurize.Graph
	var want []*Plan
	total := 0
	for _, s := range []string{"CCO", "CC(=O)OC", "c1ccccc1CC", "CCCCCCN", "OCC(F)C", "CCS"} {
		g, err := f.Graph(s)
		if err != nil {
			t.Fatal(err)
		}
		p := new(Builder).Build(g, 4)
		graphs, want, total = append(graphs, g), append(want, p), total+p.Bytes()
	}
	for _, limit := range []int{0, total / 2, total} {
		c := NewBounded(limit)
		var built sync.Map
		var wg sync.WaitGroup
		for w := range 4 {
			wg.Go(func() {
				for i := range 60 {
					n := int32((i*(w+1) + w) % len(graphs))
					p := c.Plan(n, func(b *Builder) *Plan {
						built.Store(n, true)
						return b.Build(graphs[n], 4)
					})
					if !reflect.DeepEqual(p, want[n]) {
						t.Errorf("limit %d: plan %d is another", limit, n)
					}
				}
			})
		}
		wg.Wait()
		if c.Bytes() > limit {
			t.Errorf("%d bytes are held, more than %d", c.Bytes(), limit)
		}
		if limit == total {
			for n := range graphs {
				c.Plan(int32(n), func(*Builder) *Plan { t.Errorf("plan %d is built again", n); return want[n] })
			}
		}
	}
}

// A ring of repeat units has the classes of one unit, at every layer: as many as
// the unit has atoms and directed bonds, whatever the number of units. Blocks
// that split no class share memory.
func TestRingCostsOneUnit(t *testing.T) {
	f, err := featurize.New(featurize.Config{})
	if err != nil {
		t.Fatal(err)
	}
	build := func(smiles string) *Plan {
		g, err := f.Graph(smiles)
		if err != nil {
			t.Fatal(err)
		}
		return new(Builder).Build(g, 12)
	}
	// Poly(lactic acid): -O-CH(CH3)-C(=O)-, 9 atoms and, with the bond to the
	// next unit, 9 bonds. The methyl's hydrogens are one class.
	const atoms, bonds = 9 - 2, 2 * (9 - 2)
	unit := "OC(C)C(=O)"
	var small, large *Plan
	for _, n := range []int{9, 27} {
		s := "O1C(C)C(=O)"
		for range n - 2 {
			s += unit
		}
		s += "OC(C)C1=O"
		p := build(s)
		for j := range p.Blocks {
			if p.AtomClasses(j) > atoms || p.BondClasses(j+1) > bonds {
				t.Fatalf("layer %d of a ring of %d units has %d atom and %d bond classes, a unit %d and %d", j, n, p.AtomClasses(j), p.BondClasses(j+1), atoms, bonds)
			}
		}
		small, large = large, p
	}
	if small.BondClasses(12) != bonds || large.BondClasses(12) != bonds || small.Bytes() != large.Bytes() {
		t.Errorf("rings of 9 and 27 units have %d and %d bond classes in %d and %d bytes, want %d of each",
			small.BondClasses(12), large.BondClasses(12), small.Bytes(), large.Bytes(), bonds)
	}
	if &large.Blocks[9].Bond[0] != &large.Blocks[10].Bond[0] || &large.Blocks[11].Bond[0] != &large.Blocks[10].Bond[0] {
		t.Error("blocks that split nothing do not share memory")
	}
}
