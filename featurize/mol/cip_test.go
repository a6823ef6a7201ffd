package mol

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
)

// plainRanks is what cipRanks computes, said plainly: in every round every atom
// is compared with every other by its rank and its key.
type plainRanks struct {
	r    *cipRanks // for its keys, which only look at r.rank
	rank []int
}

func newPlainRanks(m *Mol) *plainRanks {
	p := &plainRanks{r: newCIPRanks(m), rank: make([]int, len(m.Atoms))}
	p.split(p.r.elementKey)
	p.refine()
	return p
}

func (p *plainRanks) refine() {
	for range len(p.rank)/2 + 1 {
		before := len(slices.Compact(slices.Sorted(slices.Values(p.rank))))
		p.split(p.neighborKey)
		if before == len(slices.Compact(slices.Sorted(slices.Values(p.rank)))) {
			return
		}
	}
}

func (p *plainRanks) neighborKey(dst []int32, a int32) []int32 {
	for _, nb := range p.r.m.adj[a] {
		for range p.r.weight(nb) {
			dst = append(dst, int32(p.rank[nb.Atom])+1)
		}
	}
	slices.Sort(dst)
	slices.Reverse(dst)
	return append(dst, make([]int32, p.r.m.TotalHs(int(a)))...)
}

// split ranks atoms by their rank and then their key: the new rank is the
// number of atoms that come before.
func (p *plainRanks) split(key func([]int32, int32) []int32) {
	n := len(p.rank)
	full := make([][]int32, n)
	for a := range n {
		full[a] = append([]int32{int32(p.rank[a])}, key(nil, int32(a))...)
	}
	for a := range n {
		p.rank[a] = 0
		for b := range n {
			if slices.Compare(full[b], full[a]) < 0 {
				p.rank[a]++
			}
		}
	}
}

// randomMol grows a molecule of few kinds of atoms and bonds, so that many
// atoms look alike.
func randomMol(rng *rand.Rand, n int) *Mol {
	m := New(n, n+3)
	unit := 1 + rng.IntN(4) // chains of repeated units keep rounds going
	for i := range n {
		m.AddAtom(Atom{Element: [...]Element{carbon, carbon, carbon, oxygen, phosphorus}[rng.IntN(5)], ImplicitHs: uint8(rng.IntN(2))})
		if i >= unit {
			if rng.IntN(4) > 0 {
				m.Atoms[i] = m.Atoms[i-unit]
			}
			m.AddBond(Bond{Begin: int32(i - 1 - rng.IntN(min(i, 2))), End: int32(i), Kind: [...]BondKind{Single, Single, Double, AromaticBond, Any}[rng.IntN(5)]})
		}
	}
	for range rng.IntN(3) {
		if a, b := rng.IntN(n), rng.IntN(n); a != b && m.BondBetween(a, b) < 0 {
			m.AddBond(Bond{Begin: int32(a), End: int32(b), Kind: Single})
		}
	}
	return m
}

func TestCIPRanks(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for trial := range 2000 {
		m := randomMol(rng, 1+rng.IntN(30))
		want, got := newPlainRanks(m), newCIPRanks(m)
		for round := range 3 {
			for a, rank := range want.rank {
				if got.rank(int32(a)) != int32(rank) {
					t.Fatalf("molecule %d, round %d, atom %d: rank %d, want %d", trial, round, a, got.rank(int32(a)), rank)
				}
			}
			var changed []int32
			for range 1 + rng.IntN(2) {
				if a := int32(rng.IntN(len(m.Atoms))); m.Atoms[a].CIP == CIPNone {
					m.Atoms[a].CIP = CIPCode(1 + rng.IntN(2))
					changed = append(changed, a, a, a) // as for an atom at the end of two double bonds
				}
			}
			got.relabel(changed)
			want.split(got.labelKey)
			want.refine()
		}
	}
}

// BenchmarkCIPRanks ranks a chain that only its ends tell apart, the worst case
// for rounds: time per atom must not grow with the chain.
func BenchmarkCIPRanks(b *testing.B) {
	for _, n := range []int{100, 1000, 10000, 100000} {
		m := New(n, n)
		for i := range n {
			m.AddAtom(Atom{Element: carbon, ImplicitHs: 2})
			if i > 0 {
				m.AddBond(Bond{Begin: int32(i - 1), End: int32(i), Kind: Single})
			}
		}
		m.Atoms[0].Element = oxygen
		b.Run(fmt.Sprintf("n=%d", n), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				newCIPRanks(m)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(n), "ns/atom")
		})
	}
}
