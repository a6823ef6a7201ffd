package mol

import "slices"

// findCandidates marks the atoms of the system that want a double bond, notes
// the others as done and makes all aromatic bonds single.
func (k *kekulizer) findCandidates() {
	m := k.m
	k.walk.start(k.system)
	for at, i := range k.system {
		switch {
		case m.Atoms[i].Element == dummy && k.dummyMayBind(i, k.system[:at]):
			k.cand[i] = true
			k.maybe = append(k.maybe, i)
		case m.Atoms[i].Element != dummy && !m.aromaticAtom(i):
			k.walk.finish(i)
		default:
			k.cand[i] = k.wantsDouble(i)
		}
	}
	for _, i := range k.system {
		for _, nb := range m.adj[i] {
			if b := &m.Bonds[nb.Bond]; b.Aromatic && (b.Kind == Double || b.Kind == AromaticBond) {
				b.Kind = Single
			}
		}
	}
}

// wantsDouble reports whether aromatic atom i is one bond short of a valence.
func (k *kekulizer) wantsDouble(i int32) bool {
	m, a := k.m, &k.m.Atoms[i]
	order, degree := m.TotalHs(int(i)), len(m.adj[i])+int(a.ImplicitHs)
	for _, nb := range m.adj[i] {
		b := &m.Bonds[nb.Bond]
		if b.Aromatic && (b.Kind == Single || b.Kind == Double || b.Kind == AromaticBond) {
			order++
			continue
		}
		half := b.halfOrder(i)
		order += (half + 1) / 2
		if half == 0 {
			degree--
		}
	}
	charge := int(a.Charge)
	if a.Element.early() || a.Element == carbon && charge > 0 {
		charge = -charge
	}
	valence := a.Element.defaultValence() + charge
	total := m.Valence(int(i))
	for _, v := range a.Element.Valences()[1:] {
		if total <= valence || v <= 0 {
			break
		}
		valence = int(v) + charge
	}
	if total == 5 && order == 4 && valence == 3 && degree == 3 && charge == 0 && a.Radicals == 0 && m.TotalHs(int(i)) == 0 &&
		(a.Element == nitrogen || a.Element == phosphorus || a.Element == arsenic) {
		valence = 5 // such as P in O=p1ccccc1
	}
	radicals := int(a.Radicals)
	if degree+radicals >= valence {
		return false
	}
	return valence == order+1+radicals || radicals == 0 && a.NoImplicit && valence == order+2
}

// dummyMayBind reports whether dummy i may have a double bond: not if as many of
// its neighbours in the system are not aromatic as it has rings, or if none of
// its rings is aromatic by an atom of its own. Like RDKit it only counts
// neighbours that come before it in the system.
func (k *kekulizer) dummyMayBind(i int32, before []int32) bool {
	m, rings := k.m, int(k.lone[i])
	plain := 0
	for _, nb := range m.adj[i] {
		if o := &m.Atoms[nb.Atom]; o.Element != dummy && !o.Aromatic && slices.Contains(before, nb.Atom) {
			plain++
		}
	}
	if plain >= rings {
		return false
	}
	for r := range m.rings {
		if ring := &m.rings[r]; ring.basis && slices.Contains(ring.Atoms, i) &&
			slices.ContainsFunc(ring.Atoms, func(a int32) bool { return k.lone[a] == 1 && m.aromaticAtom(a) }) {
			return true
		}
	}
	return false
}
