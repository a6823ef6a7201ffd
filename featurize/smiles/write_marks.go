package smiles

import (
	"cmp"
	"iter"
	"slices"

	"polyid-trainer/featurize/mol"
)

// marks says which bonds are written / or \. The bonds next to a double bond
// with geometry depend on one another, and through shared bonds so do whole
// polyenes; between such groups the choice is free, and the first mark of each
// group is written /.
type marks struct {
	up    []int8  // bond → +1 if its End lies above its Begin, -1 below, 0 unmarked; nil: no marks at all
	group []int32 // bond → its group
	flip  []int8  // group → +1 or -1 once its first mark was written
}

// geometry is a double bond with cis or trans substituents.
type geometry struct {
	atom   [2]int32        // its ends
	ref    [2]int32        // a substituent of each end
	trans  bool            // these two lie on opposite sides
	marked [2]mol.Neighbor // the substituents whose bonds get a mark
}

// newMarks chooses the bonds to mark and orients them. Ties are broken by
// rank (by index if nil). It costs O(n) for n atoms.
func newMarks(m *mol.Mol, rank []int32) marks {
	var list []geometry
	end := map[int32]int{} // end of a double bond with geometry → its index in list
	for g := range geometries(m) {
		if hasMarkable(m, g.atom[0]) && hasMarkable(m, g.atom[1]) {
			end[g.atom[0]], end[g.atom[1]] = len(list), len(list)
			list = append(list, g)
		}
	}
	if list == nil {
		return marks{}
	}
	k := marks{up: make([]int8, len(m.Bonds)), group: make([]int32, len(m.Bonds))}
	if rank != nil {
		slices.SortFunc(list, func(a, b geometry) int {
			return cmp.Compare(min(rank[a.atom[0]], rank[a.atom[1]]), min(rank[b.atom[0]], rank[b.atom[1]]))
		})
		for i, g := range list {
			end[g.atom[0]], end[g.atom[1]] = i, i
		}
	}
	chosen := make(map[int32]bool, 2*len(list))
	for i := range list {
		g := &list[i]
		for side, a := range g.atom {
			g.marked[side] = markable(m, a, end, chosen, rank)
			chosen[g.marked[side].Bond] = true
			if g.marked[side].Atom != g.ref[side] {
				g.trans = !g.trans
			}
		}
	}
	k.orient(m, list, end, chosen)
	return k
}

// geometries yields the geometries of m's double bonds: those perceived, or if
// there are none those that are written, as in a molecule straight from Read.
// (Marks that gave a perceived geometry may stand next to a double bond that
// was found to have none.)
func geometries(m *mol.Mol) iter.Seq[geometry] {
	perceived := slices.ContainsFunc(m.Bonds, func(b mol.Bond) bool { return b.Stereo > mol.StereoAny })
	return func(yield func(geometry) bool) {
		for i := range m.Bonds {
			b := &m.Bonds[i]
			if b.Kind != mol.Double {
				continue
			}
			stereo, ref := b.Stereo, b.StereoAtom
			if !perceived {
				stereo, ref = written(m, b)
			}
			trans := stereo == mol.StereoE || stereo == mol.StereoTrans
			if stereo > mol.StereoAny && !yield(geometry{atom: [2]int32{b.Begin, b.End}, ref: ref, trans: trans}) {
				return
			}
		}
	}
}

// markable picks the bond to mark at end a of a double bond: one that is marked
// anyway if there is one, and rather not one that leads to a double bond without
// geometry, to which the mark might give one.
func markable(m *mol.Mol, a int32, end map[int32]int, chosen map[int32]bool, rank []int32) mol.Neighbor {
	cost := func(nb mol.Neighbor) int {
		if chosen[nb.Bond] {
			return 0
		}
		if _, ok := end[nb.Atom]; ok {
			return 1
		}
		for _, far := range m.Neighbors(int(nb.Atom)) {
			if m.Bonds[far.Bond].Kind == mol.Double {
				return 3
			}
		}
		return 2
	}
	best, least := mol.Neighbor{Atom: -1, Bond: -1}, 4
	for _, nb := range m.Neighbors(int(a)) {
		if !markableKind(m.Bonds[nb.Bond].Kind) {
			continue
		}
		c := cost(nb)
		if c < least || c == least && rank != nil && rank[nb.Atom] < rank[best.Atom] {
			best, least = nb, c
		}
	}
	return best
}

func markableKind(k mol.BondKind) bool { return k == mol.Single || k == mol.AromaticBond }

// hasMarkable reports whether end a of a double bond has a bond that can be
// marked, as it does unless the caller made a geometry up.
func hasMarkable(m *mol.Mol, a int32) bool {
	return slices.ContainsFunc(m.Neighbors(int(a)), func(nb mol.Neighbor) bool {
		return markableKind(m.Bonds[nb.Bond].Kind)
	})
}

// orient walks from bond to bond and gives each the side that those before it
// leave it.
func (k *marks) orient(m *mol.Mol, list []geometry, end map[int32]int, chosen map[int32]bool) {
	var queue []int32
	set := func(bond, from int32, up int8) {
		if k.up[bond] != 0 {
			return
		}
		if m.Bonds[bond].Begin != from {
			up = -up
		}
		k.up[bond], k.group[bond] = up, int32(len(k.flip))
		queue = append(queue, bond)
	}
	for i := range list {
		if start := list[i].marked[0].Bond; k.up[start] == 0 {
			set(start, list[i].atom[0], 1)
			for len(queue) > 0 {
				bond := &m.Bonds[queue[0]]
				for _, a := range [...]int32{bond.Begin, bond.End} {
					if g, ok := end[a]; ok {
						k.spread(m, &list[g], a, queue[0], chosen, set)
					}
				}
				queue = queue[1:]
			}
			k.flip = append(k.flip, 0)
		}
	}
}

// spread orients the marked bonds at both ends of double bond g, of which
// bond at end a is known.
func (k *marks) spread(m *mol.Mol, g *geometry, a, bond int32, chosen map[int32]bool, set func(bond, from int32, up int8)) {
	side := 0
	if g.atom[1] == a {
		side = 1
	}
	up := k.seen(m, bond, a)
	for _, nb := range m.Neighbors(int(a)) {
		if nb.Bond != bond && chosen[nb.Bond] {
			set(nb.Bond, a, -up) // two substituents of one end lie on opposite sides
		}
	}
	up = k.seen(m, g.marked[side].Bond, a)
	if g.trans {
		up = -up
	}
	far := g.atom[1-side]
	set(g.marked[1-side].Bond, far, up)
}

// seen is k.up[bond] as seen from atom a.
func (k *marks) seen(m *mol.Mol, bond, a int32) int8 {
	if m.Bonds[bond].Begin == a {
		return k.up[bond]
	}
	return -k.up[bond]
}

// symbol is the mark of a bond written from its Begin (forward) or from its
// End, 0 if it has none.
func (k *marks) symbol(bond int32, forward bool) byte {
	if k.up == nil || k.up[bond] == 0 {
		return 0
	}
	up := k.up[bond]
	if !forward {
		up = -up
	}
	flip := &k.flip[k.group[bond]]
	if *flip == 0 {
		*flip = up
	}
	if up == *flip {
		return '/'
	}
	return '\\'
}
