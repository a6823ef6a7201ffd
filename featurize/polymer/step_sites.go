package polymer

import (
	"slices"

	"polyid-trainer/featurize/mol"
)

// nucleophiles makes sites of the hydroxyls or amines of a monomer: the O or N,
// on its carbon. Those with a hydrogen that is an atom, such as deuterium, do
// not react.
func (k *monomer) nucleophiles(g Group) (list []site) {
	for _, match := range g.Find(k.find.m) {
		if x := match[1]; k.find.m.TotalHs(int(x)) == k.find.hs(x) {
			list = append(list, site{at: [2]int32{x}, or: -1, next: match[0]})
		}
	}
	return list
}

// acidSites are acids and acid halides: the acyl carbon, whose OH or halogen
// leaves.
func acidSites(k *monomer) (list []site) {
	for _, match := range k.find.acids() {
		r, acyl, leaving := match[0], match[1], match[3]
		list = append(list, site{at: [2]int32{acyl}, or: -1, next: r, gone: k.reach(leaving, acyl)})
	}
	return list
}

func esterSites(k *monomer) sites {
	return sites{a: k.nucleophiles(AliphaticOls), b: acidSites(k)}
}

func amideSites(k *monomer) sites {
	return sites{a: k.nucleophiles(PrimeAmines), b: acidSites(k)}
}

// acylate bonds a hydroxyl or amine to an acyl group.
//
//	R-OH + X-C(=O)-R'  →  R-O-C(=O)-R'
func acylate(c *chain, nucleophile, acyl site) {
	c.takeHs(nucleophile.at[0], 1)
	c.leave(acyl.gone)
	c.join(nucleophile.at[0], acyl.at[0], mol.Single)
}

// leave removes atoms.
func (c *chain) leave(atoms []int32) {
	for _, a := range atoms {
		c.gone[a] = true
	}
}

// carbonateSites are carbonyls between two groups that can leave: halogens, or
// if there is none alkoxy and aryloxy groups that hold nothing else that
// reacts. A single leaving group per monomer makes none, for it would only cap
// chains.
func carbonateSites(k *monomer) sites {
	s := sites{a: k.nucleophiles(Ols)}
	carbonates := Carbonates.Find(k.find.m)
	reacts := map[int32]bool{}
	for _, a := range s.a {
		reacts[a.at[0]] = true
	}
	for _, match := range carbonates {
		reacts[match[1]] = true
	}
	for _, match := range carbonates {
		acyl := match[1]
		halides := halogen(k.find.element(match[2])) || halogen(k.find.element(match[3]))
		for _, x := range match[2:4] {
			if halides != halogen(k.find.element(x)) || !halides && k.find.hs(x) > 0 {
				continue
			}
			gone := k.reach(x, acyl)
			ring := slices.ContainsFunc(k.m.Neighbors(int(acyl)), func(nb mol.Neighbor) bool {
				return nb.Atom != x && slices.Contains(gone, nb.Atom)
			})
			if !ring && !slices.ContainsFunc(gone, func(a int32) bool { return reacts[a] }) {
				s.b = append(s.b, site{at: [2]int32{acyl}, or: -1, next: -1, gone: gone})
			}
		}
	}
	if len(s.b) == 1 && len(s.a) == 0 {
		s.b = nil
	}
	return s
}

func imideSites(k *monomer) sites {
	s := sites{a: k.nucleophiles(PrimeAmines)}
	for _, match := range AcidAnhydrides.Find(k.find.m) {
		s.b = append(s.b, site{at: [2]int32{match[1], match[3]}, or: -1, next: -1, gone: []int32{match[0]}})
	}
	return s
}

// imidate puts an amine in the place of an anhydride's oxygen.
//
//	R-NH2 + O=C-O-C=O  →  O=C-N(R)-C=O
func imidate(c *chain, amine, anhydride site) {
	c.takeHs(amine.at[0], 2)
	c.leave(anhydride.gone)
	c.join(amine.at[0], anhydride.at[0], mol.Single)
	c.join(amine.at[0], anhydride.at[1], mol.Single)
}

// nipuSites are cyclic carbonates, whose ring opens on either side.
func nipuSites(k *monomer) sites {
	s := sites{a: k.nucleophiles(PrimeAmines)}
	for _, match := range CyclicCarbonates.Find(k.find.m) {
		s.b = append(s.b, site{at: [2]int32{match[1], match[2]}, or: match[5], next: -1})
	}
	return s
}

// openCarbonate opens a cyclic carbonate with an amine.
//
//	R-NH2 + O=C1OCCO1  →  R-NH-C(=O)-O-C-C-OH
func openCarbonate(c *chain, amine, carbonate site) {
	acyl, hydroxyl := carbonate.at[0], carbonate.at[1]
	c.takeHs(amine.at[0], 1)
	c.cutBond(acyl, hydroxyl)
	c.giveHs(hydroxyl, 1)
	c.join(amine.at[0], acyl, mol.Single)
}

func urethaneSites(k *monomer) sites {
	s := sites{b: k.nucleophiles(Ols)}
	for _, match := range Isocyanates.Find(k.find.m) {
		s.a = append(s.a, site{at: [2]int32{match[1], match[2]}, or: -1, next: match[0]})
	}
	return s
}

// addHydroxyl adds a hydroxyl to an isocyanate.
//
//	R-N=C=O + R'-OH  →  R-NH-C(=O)-O-R'
func addHydroxyl(c *chain, isocyanate, hydroxyl site) {
	n, acyl := isocyanate.at[0], isocyanate.at[1]
	c.saturate(c.bondBetween(n, acyl))
	c.giveHs(n, 1)
	c.takeHs(hydroxyl.at[0], 1)
	c.join(acyl, hydroxyl.at[0], mol.Single)
}

// openAnhydrides is the monomer with each cyclic anhydride hydrolysed to its two
// acids, or the monomer itself if it has none. One that is not cyclic would
// fall apart and stays.
func (k *monomer) openAnhydrides(i int) (*monomer, error) {
	c := new(chain)
	c.add(k.m)
	opened := false
	for _, match := range AcidAnhydrides.Find(k.find.m) {
		bridge, acyl := match[0], match[1]
		if !slices.Contains(k.reach(match[3], bridge), acyl) {
			continue
		}
		c.cutBond(bridge, acyl)
		c.giveHs(bridge, 1)
		c.atoms = append(c.atoms, mol.Atom{Element: oxygen})
		c.gone = append(c.gone, false)
		c.join(acyl, int32(len(c.atoms)-1), mol.Single)
		opened = true
	}
	if !opened {
		return k, nil
	}
	diacid, err := readMonomer(i, c.smiles())
	if err != nil {
		return nil, err
	}
	diacid.smiles = k.smiles
	return diacid, nil
}
