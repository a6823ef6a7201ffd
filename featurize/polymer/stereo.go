package polymer

import (
	"slices"

	"polyid-trainer/featurize/mol"
)

// vinylStereo builds head-to-tail vinyl chains whose centres are given.
type vinylStereo struct {
	monomers []*monomer
	centres  []vinylCentre
}

// vinylCentre is how a monomer enters the chain: over head=tail, of which tail
// becomes a centre. R is clockwise as seen from the head, over the
// substituent, the next monomer and what else the tail carries.
type vinylCentre struct {
	head, tail, substituent int32
}

func newVinylStereo(monomers []*monomer, weights []float64) (*vinylStereo, error) {
	g := &vinylStereo{monomers: monomers, centres: make([]vinylCentre, len(monomers))}
	for i, k := range monomers {
		centre, ok := k.vinylCentre()
		if !ok && weights[i] > 0 {
			e := failure(LacksGroups, "monomer %d (%s) has no C=C double bond with a substituent to make a centre of", i+1, k.smiles)
			e.Monomer = i
			return nil, e
		}
		g.centres[i] = centre
	}
	return g, nil
}

// vinylCentre finds the first C=C in atom order whose second atom has a
// substituent.
func (k *monomer) vinylCentre() (vinylCentre, bool) {
	for _, double := range k.double {
		substituents := k.find.bonded(double[1])
		substituents = slices.DeleteFunc(substituents, func(a int32) bool { return k.find.element(a) == hydrogen })
		if len(substituents) > 0 {
			return vinylCentre{double[0], double[1], slices.Min(substituents)}, true
		}
	}
	return vinylCentre{}, false
}

// grow builds the chain of those monomers with those configurations, S being
// true.
func (g *vinylStereo) grow(c *chain, sequence []int, s []bool) {
	w := newAddition(c)
	for at, i := range sequence {
		centre := g.centres[i]
		offset := w.add(g.monomers[i].m, [2]int32{centre.head, centre.tail})
		g.setCentre(w, i, offset, s[at])
	}
	// What follows a centre is the head of the next monomer, only known now.
	for at := range c.turns {
		next := int32(-1)
		if at+1 < len(c.turns) {
			next = c.turns[at+1].order[0]
		}
		c.turns[at].order[2] = next
	}
	w.end()
}

// setCentre tags the centre of the copy of monomer i at offset.
func (g *vinylStereo) setCentre(w *addition, i int, offset int32, s bool) {
	k, centre := g.monomers[i], g.centres[i]
	a := &w.c.atoms[offset+centre.tail]
	hydrogens := k.find.m.TotalHs(int(centre.tail))
	a.NoImplicit, a.ExplicitHs, a.ImplicitHs = true, uint8(hydrogens), 0
	a.Chirality = mol.Clockwise
	if s {
		a.Chirality = mol.Counterclockwise
	}
	order := []int32{offset + centre.head, offset + centre.substituent, -1}
	for _, nb := range k.m.Neighbors(int(centre.tail)) {
		if nb.Atom != centre.head && nb.Atom != centre.substituent {
			order = append(order, offset+nb.Atom)
		}
	}
	for range hydrogens {
		order = append(order, -1)
	}
	w.c.turns = append(w.c.turns, turned{atom: offset + centre.tail, order: order})
}

// esterStereo builds polyesters of hydroxy acids whose mirror images are given:
// monomers 2i and 2i+1 are R and S of pair i.
type esterStereo struct {
	monomers []*monomer
	ends     []hydroxyAcid
}

// hydroxyAcid is where a monomer is joined: the oxygen of its alcohol, and its
// acyl carbon with what leaves it.
type hydroxyAcid struct {
	hydroxyl, acyl int32
	gone           []int32
}

func newEsterStereo(monomers []*monomer, weights []float64) (*esterStereo, error) {
	if len(monomers)%2 != 0 {
		return nil, failure(InvalidMonomers, "ester_stereo takes pairs of monomers, R and S, and there are %d", len(monomers))
	}
	g := &esterStereo{monomers: monomers, ends: make([]hydroxyAcid, len(monomers))}
	for i, k := range monomers {
		ends, ok := k.hydroxyAcid()
		if !ok && weights[i/2] > 0 {
			e := failure(LacksGroups, "monomer %d (%s) is not a hydroxy acid: ester_stereo needs an aliphatic hydroxyl and a carboxylic acid; tacticity applies to hydroxy acids only", i+1, k.smiles)
			e.Monomer = i
			return nil, e
		}
		g.ends[i] = ends
	}
	return g, nil
}

// hydroxyAcid finds the first acid and the first alcohol in atom order.
func (k *monomer) hydroxyAcid() (ends hydroxyAcid, ok bool) {
	ols := k.nucleophiles(AliphaticOls)
	acid := k.firstAcid()
	if len(ols) == 0 || acid == nil {
		return ends, false
	}
	first := slices.MinFunc(ols, func(a, b site) int { return int(a.next - b.next) })
	return hydroxyAcid{hydroxyl: first.at[0], acyl: acid[0], gone: []int32{acid[1]}}, true
}

// firstAcid is the carbon and the oxygen of the acid whose oxygen comes first.
func (k *monomer) firstAcid() []int32 {
	for i := range k.m.Atoms {
		o := int32(i)
		if !k.find.aliphatic(o, oxygen) || k.m.Degree(i) != 1 {
			continue
		}
		for _, c := range k.find.bonded(o) {
			if k.find.carbonyl(c) {
				return []int32{c, o}
			}
		}
	}
	return nil
}

// grow builds the chain of those pairs with those configurations, S being true.
// The chain starts with a free acid and grows at its alcohol.
func (g *esterStereo) grow(c *chain, sequence []int, s []bool) {
	last := int32(-1)
	for at, pair := range sequence {
		i := 2 * pair
		if s[at] {
			i++
		}
		offset := c.add(g.monomers[i].m)
		ends := g.ends[i]
		if last >= 0 {
			c.takeHs(last, 1)
			for _, a := range ends.gone {
				c.gone[offset+a] = true
			}
			c.join(last, offset+ends.acyl, mol.Single)
		}
		last = offset + ends.hydroxyl
	}
}
