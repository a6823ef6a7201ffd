package polymer

import "polyid-trainer/featurize/mol"

// query asks a sanitized molecule for patterns of atoms. "Bonded" means by a
// single or aromatic bond, as in SMARTS without a bond symbol.
type query struct{ m *mol.Mol }

func (q query) element(i int32) mol.Element { return q.m.Atoms[i].Element }

// aliphatic reports whether atom i is of that element and not aromatic.
func (q query) aliphatic(i int32, e mol.Element) bool {
	return q.element(i) == e && !q.m.Atoms[i].Aromatic
}

// hs is the number of hydrogens on atom i, those that are atoms included.
func (q query) hs(i int32) int {
	n := q.m.TotalHs(int(i))
	for _, nb := range q.m.Neighbors(int(i)) {
		if q.element(nb.Atom) == hydrogen {
			n++
		}
	}
	return n
}

// bonded lists the atoms that atom i is bonded to by a single or aromatic bond.
func (q query) bonded(i int32) []int32 { return q.across(i, mol.Single, mol.AromaticBond) }

// doubled lists the atoms that atom i has a double bond to.
func (q query) doubled(i int32) []int32 { return q.across(i, mol.Double, mol.Double) }

func (q query) across(i int32, kind, or mol.BondKind) []int32 {
	var atoms []int32
	for _, nb := range q.m.Neighbors(int(i)) {
		if k := q.m.Bonds[nb.Bond].Kind; k == kind || k == or {
			atoms = append(atoms, nb.Atom)
		}
	}
	return atoms
}

// carbonyl reports whether atom i is an aliphatic carbon with a double bond to
// an aliphatic oxygen.
func (q query) carbonyl(i int32) bool {
	if !q.aliphatic(i, carbon) {
		return false
	}
	for _, o := range q.doubled(i) {
		if q.aliphatic(o, oxygen) {
			return true
		}
	}
	return false
}

// each calls f for every atom.
func (q query) each(f func(i int32)) {
	for i := range q.m.Atoms {
		f(int32(i))
	}
}

// onCarbon finds an aliphatic atom of element e with so many hydrogens on a
// carbon that is no carbonyl, leaving out ammonium.
func (q query) onCarbon(e mol.Element, hydrogens int) (found [][]int32) {
	q.each(func(x int32) {
		if !q.aliphatic(x, e) || q.hs(x) != hydrogens || e == nitrogen && q.m.Atoms[x].Charge == 1 {
			return
		}
		for _, c := range q.bonded(x) {
			if q.element(c) == carbon && !q.carbonyl(c) {
				found = append(found, []int32{c, x})
			}
		}
	})
	return found
}

func (q query) hydroxyls(aliphatic bool) (found [][]int32) {
	for _, match := range q.onCarbon(oxygen, 1) {
		if !aliphatic || !q.m.Atoms[match[0]].Aromatic {
			found = append(found, match)
		}
	}
	return found
}

// leaves reports whether x may leave an acid: halogen, OH or O−.
func (q query) leaves(x int32) bool {
	a := &q.m.Atoms[x]
	return !a.Aromatic && halogen(a.Element) ||
		a.Element == oxygen && (q.hs(x) == 1 || !a.Aromatic && a.Charge == -1)
}

func (q query) acids() (found [][]int32) {
	q.each(func(c int32) {
		if q.element(c) != carbon {
			return
		}
		for _, o := range q.doubled(c) {
			if q.element(o) != oxygen {
				continue
			}
			for _, r := range q.bonded(c) {
				if q.element(r) != carbon {
					continue
				}
				for _, x := range q.bonded(c) {
					if q.leaves(x) {
						found = append(found, []int32{r, c, o, x})
					}
				}
			}
		}
	})
	return found
}

func (q query) carbonates() (found [][]int32) {
	ligand := func(x int32) bool {
		a := &q.m.Atoms[x]
		return !a.Aromatic && (a.Element == oxygen || halogen(a.Element))
	}
	q.each(func(c int32) {
		if !q.aliphatic(c, carbon) {
			return
		}
		for _, o := range q.doubled(c) {
			if !q.aliphatic(o, oxygen) {
				continue
			}
			for _, x := range q.bonded(c) {
				for _, y := range q.bonded(c) {
					if x != y && ligand(x) && ligand(y) {
						found = append(found, []int32{o, c, x, y})
					}
				}
			}
		}
	})
	return found
}

// cyclicCarbonates finds O=C1OCCO1, starting from either oxygen.
func (q query) cyclicCarbonates() (found [][]int32) {
	for _, k := range q.carbonates() {
		o, c, first, last := k[0], k[1], k[2], k[3]
		if q.element(first) != oxygen || q.element(last) != oxygen {
			continue
		}
		for _, x := range q.bonded(first) {
			for _, y := range q.bonded(x) {
				if x == c || y == c || y == first || !q.aliphatic(x, carbon) || !q.aliphatic(y, carbon) {
					continue
				}
				for _, back := range q.bonded(y) {
					if back == last {
						found = append(found, []int32{o, c, first, x, y, last})
					}
				}
			}
		}
	}
	return found
}

func (q query) anhydrides() (found [][]int32) {
	q.each(func(o int32) {
		if q.element(o) != oxygen {
			return
		}
		acyls := [][2]int32{}
		for _, c := range q.bonded(o) {
			if q.element(c) != carbon {
				continue
			}
			for _, oxo := range q.doubled(c) {
				if q.element(oxo) == oxygen {
					acyls = append(acyls, [2]int32{c, oxo})
				}
			}
		}
		for x := range acyls {
			for y := range x {
				if acyls[x][0] != acyls[y][0] {
					found = append(found, []int32{o, acyls[y][0], acyls[y][1], acyls[x][0], acyls[x][1]})
				}
			}
		}
	})
	return found
}

func (q query) isocyanates() (found [][]int32) {
	q.each(func(n int32) {
		if q.element(n) != nitrogen || q.m.Atoms[n].Charge == 1 {
			return
		}
		for _, r := range q.bonded(n) {
			for _, c := range q.doubled(n) {
				if q.element(r) != carbon || q.element(c) != carbon {
					continue
				}
				for _, o := range q.doubled(c) {
					if q.element(o) == oxygen {
						found = append(found, []int32{r, n, c, o})
					}
				}
			}
		}
	})
	return found
}

// alkenes finds C=C in both directions, by the first atom.
func (q query) alkenes() (found [][]int32) {
	q.each(func(x int32) {
		if !q.aliphatic(x, carbon) {
			return
		}
		for _, y := range q.doubled(x) {
			if q.aliphatic(y, carbon) {
				found = append(found, []int32{x, y})
			}
		}
	})
	return found
}

func (q query) acrylates() (found [][]int32) {
	for _, k := range q.alkenes() {
		if q.hs(k[0]) != 2 {
			continue
		}
		for _, c := range q.bonded(k[1]) {
			if !q.aliphatic(c, carbon) {
				continue
			}
			for _, o := range q.doubled(c) {
				if q.aliphatic(o, oxygen) {
					found = append(found, []int32{k[0], k[1], c, o})
				}
			}
		}
	}
	return found
}

func (q query) vinyls() (found [][]int32) {
	for _, k := range q.alkenes() {
		if q.hs(k[0]) != 2 || q.hs(k[1]) != 1 {
			continue
		}
		acyl := false
		for _, c := range q.bonded(k[1]) {
			acyl = acyl || q.carbonyl(c)
		}
		if !acyl {
			found = append(found, k)
		}
	}
	return found
}

func (q query) secondaryAlkenes() (found [][]int32) {
	for _, k := range q.alkenes() {
		if q.hs(k[0]) == 1 && q.hs(k[1]) == 1 {
			found = append(found, k)
		}
	}
	return found
}

// substitutedAlkenes finds C-C=C-C of four carbons, of which the third has not
// exactly one hydrogen, and if both is set nor the second.
func (q query) substitutedAlkenes(both bool) (found [][]int32) {
	for _, k := range q.alkenes() {
		x, y := k[0], k[1]
		if q.hs(y) == 1 || both && q.hs(x) == 1 {
			continue
		}
		for _, a := range q.bonded(x) {
			for _, b := range q.bonded(y) {
				if a != b && q.aliphatic(a, carbon) && q.aliphatic(b, carbon) {
					found = append(found, []int32{a, x, y, b})
				}
			}
		}
	}
	return found
}
