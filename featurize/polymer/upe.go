package polymer

// upeGrowth makes unsaturated polyester thermosets as m2p models them: two
// rings of polyester, joined over a C=C of each by crosslinkers in between.
type upeGrowth struct {
	rings     *stepGrowth
	crosslink *vinylGrowth
}

// upeAttempts is how many rings are tried until two have a C=C to spare.
const upeAttempts = 20

// newUPE sorts the monomers into backbone and crosslinkers.
func newUPE(monomers []*monomer, weights []float64, crosslinker []bool) (*upeGrowth, error) {
	if len(crosslinker) != 0 && len(crosslinker) != len(monomers) {
		return nil, failure(InvalidMonomers, "there are %d crosslinker marks for %d monomers", len(crosslinker), len(monomers))
	}
	g := &upeGrowth{crosslink: &vinylGrowth{}}
	var backbone []*monomer
	for i, k := range monomers {
		links := len(crosslinker) != 0 && crosslinker[i]
		if len(crosslinker) == 0 {
			s := esterSites(k)
			links = len(k.double) > 0 && len(s.a)+len(s.b) == 0
		}
		switch {
		case weights[i] == 0:
		case links:
			g.crosslink.monomers = append(g.crosslink.monomers, k)
			g.crosslink.weights = append(g.crosslink.weights, weights[i])
		default:
			backbone = append(backbone, k)
		}
	}
	alike := make([]float64, len(backbone)) // m2p does not weigh the backbone
	for i := range alike {
		alike[i] = 1
	}
	var err error
	g.rings, err = newStepGrowth(Ester, backbone, alike)
	return g, err
}

func (g *upeGrowth) check(dp int) error {
	if len(g.rings.monomers) == 0 {
		return failure(LacksGroups, "no monomer is left for the polyester rings")
	}
	if err := g.rings.check(Ester); err != nil {
		return err
	}
	if dp > 2 && len(g.crosslink.monomers) == 0 {
		return failure(LacksGroups, "no monomer has a C=C double bond to crosslink with and no ester groups")
	}
	return g.crosslink.check()
}

// grow builds ring, dp-2 crosslinkers, ring; each ring has at least dp
// monomers.
func (g *upeGrowth) grow(c *chain, choose chooser, dp int) error {
	rings, err := g.pair(choose, dp)
	if err != nil {
		return err
	}
	w := newAddition(c)
	ring := func(k *monomer) { w.add(k.m, k.double[choose.index(len(k.double))]) }
	ring(rings[0])
	for range dp - 2 {
		w.monomer(g.crosslink, choose)
	}
	ring(rings[1])
	w.end()
	return nil
}

// pair makes the two rings. Like m2p it only takes rings with a C=C to spare.
func (g *upeGrowth) pair(choose chooser, dp int) (rings []*monomer, err error) {
	failed := error(failure(ChainStopped, "no two of %d polyester rings had two C=C double bonds", upeAttempts))
	for range upeAttempts {
		c := new(chain)
		if err := g.rings.grow(c, choose, dp, true); err != nil {
			failed = err
			continue
		}
		ring, err := readMonomer(-1, c.smiles())
		if err != nil {
			return nil, err
		}
		if len(ring.double) < 4 { // each C=C is listed in both directions
			continue
		}
		if rings = append(rings, ring); len(rings) == 2 {
			return rings, nil
		}
	}
	return nil, failed
}
