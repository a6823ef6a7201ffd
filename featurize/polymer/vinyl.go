package polymer

import "polyid-trainer/featurize/mol"

// vinylGrowth adds monomers over a C=C bond each, in either direction.
type vinylGrowth struct {
	monomers []*monomer
	weights  []float64
}

func (g *vinylGrowth) check() error {
	for i, k := range g.monomers {
		if len(k.double) == 0 && g.weights[i] > 0 {
			e := failure(LacksGroups, "monomer %d (%s) has no C=C double bond to add over", i+1, k.smiles)
			e.Monomer = i
			return e
		}
	}
	return nil
}

// addition is a chain in addition growth: what its two ends are.
type addition struct {
	c          *chain
	head, tail int32 // -1 before the first monomer
}

func newAddition(c *chain) *addition { return &addition{c: c, head: -1, tail: -1} }

// grow builds a chain of dp monomers, or closes it into a ring.
func (g *vinylGrowth) grow(c *chain, choose chooser, dp int, ring bool) {
	w := newAddition(c)
	for range dp {
		w.monomer(g, choose)
	}
	if ring {
		c.join(w.tail, w.head, mol.Single)
		return
	}
	w.end()
}

// monomer draws one and adds it.
func (w *addition) monomer(g *vinylGrowth, choose chooser) {
	k := g.monomers[choose.weighted(g.weights)]
	double := k.double[choose.index(len(k.double))]
	w.add(k.m, double)
}

// add adds a copy of m over its double bond, from the chain's end to the first
// of the two atoms. The second is the new end.
func (w *addition) add(m *mol.Mol, double [2]int32) (offset int32) {
	firstBond := int32(len(w.c.bonds))
	offset = w.c.add(m)
	w.c.saturate(firstBond + int32(m.BondBetween(int(double[0]), int(double[1]))))
	w.link(double[0]+offset, double[1]+offset)
	return offset
}

// link bonds the end of the chain to first and makes last its end.
func (w *addition) link(first, last int32) {
	if w.tail >= 0 {
		w.c.join(w.tail, first, mol.Single)
	} else {
		w.head = first
	}
	w.tail = last
}

// end puts hydrogens on both ends.
func (w *addition) end() {
	w.c.giveHs(w.head, 1)
	w.c.giveHs(w.tail, 1)
}
