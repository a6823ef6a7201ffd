package mol

import (
	"cmp"
	"slices"
)

// Ring is a ring of a molecule: Bonds[k] joins Atoms[k] to Atoms[k+1], the last
// one the last atom to the first. Atoms starts at the lowest index and goes on
// to the lower of its neighbours.
type Ring struct {
	Atoms, Bonds []int32

	basis bool // one of a smallest set of rings that all others are sums of
}

// Rings lists the relevant cycles, those that are no sums of smaller ones, by
// ascending size and atoms. Sanitize sets them. A ring family of more than
// maxFamily rings, such as that of a macrocycle of phenylenes, is represented by
// one.
func (m *Mol) Rings() []Ring { return m.rings }

// findRings perceives the rings and in which smallest one each atom and bond is.
func (m *Mol) findRings() error {
	for i := range m.Atoms {
		m.Atoms[i].Ring = 0
	}
	for i := range m.Bonds {
		m.Bonds[i].Ring = 0
	}
	f := ringFinder{m: m, rings: make([]Ring, 0, max(0, len(m.Bonds)-len(m.Atoms)+1))}
	m.blocks(f.block)
	if f.err != nil {
		return f.err
	}
	slices.SortFunc(f.rings, func(a, b Ring) int {
		return cmp.Or(cmp.Compare(len(a.Atoms), len(b.Atoms)), slices.Compare(a.Atoms, b.Atoms))
	})
	m.rings = f.rings
	return nil
}

// ringFinder collects rings block by block.
type ringFinder struct {
	m     *Mol
	rings []Ring
	slab  []int32 // what rings are cut from
	local []int32 // atom: its number in the block, -1 outside
	fused fusedBlock
	err   error
}

// block finds the rings of a block. It sorts the bonds.
func (f *ringFinder) block(bonds []int32) {
	if f.err != nil {
		return
	}
	slices.Sort(bonds)
	if f.local == nil {
		f.local = make([]int32, len(f.m.Atoms))
		for i := range f.local {
			f.local[i] = -1
		}
	}
	atoms := f.number(bonds)
	if len(atoms) == len(bonds) {
		f.single(bonds)
	} else {
		f.err = f.relevantCycles(atoms, bonds)
	}
	for _, a := range atoms {
		f.local[a] = -1
	}
}

// number gives the atoms of a block their local numbers, in the order in which
// its bonds name them, and lists them.
func (f *ringFinder) number(bonds []int32) []int32 {
	atoms := f.fused.atoms[:0]
	for _, b := range bonds {
		i, j := f.m.Bonds[b].Begin, f.m.Bonds[b].End
		for _, a := range [...]int32{min(i, j), max(i, j)} {
			if f.local[a] < 0 {
				f.local[a] = int32(len(atoms))
				atoms = append(atoms, a)
			}
		}
	}
	f.fused.atoms = atoms
	return atoms
}

// single adds the ring that a block with as many bonds as atoms is.
func (f *ringFinder) single(bonds []int32) {
	first := f.m.Bonds[bonds[0]].Begin
	ring := f.cut(len(bonds))[:0]
	prev, at := int32(-1), first
	for {
		ring = append(ring, at)
		for _, nb := range f.m.adj[at] {
			if nb.Bond != prev && f.local[nb.Atom] >= 0 && f.m.Bonds[nb.Bond].Kind != Dative {
				prev, at = nb.Bond, nb.Atom
				break
			}
		}
		if at == first {
			break
		}
	}
	f.add(ring, true)
}

// add puts a ring's atoms into normal order, finds its bonds and keeps it.
func (f *ringFinder) add(atoms []int32, basis bool) {
	n := len(atoms)
	least := 0
	for k, a := range atoms {
		if a < atoms[least] {
			least = k
		}
	}
	slices.Reverse(atoms[:least])
	slices.Reverse(atoms[least:])
	slices.Reverse(atoms)
	if atoms[n-1] < atoms[1] {
		slices.Reverse(atoms[1:])
	}
	bonds := f.cut(n)
	for k, a := range atoms {
		bonds[k] = int32(f.m.BondBetween(int(a), int(atoms[(k+1)%n])))
	}
	f.mark(atoms, bonds, n)
	f.rings = append(f.rings, Ring{Atoms: atoms, Bonds: bonds, basis: basis})
}

// mark notes on atoms and bonds that they are in a ring of that size.
func (f *ringFinder) mark(atoms, bonds []int32, n int) {
	size := uint8(min(n, 255))
	for _, a := range atoms {
		if r := &f.m.Atoms[a].Ring; *r == 0 || size < *r {
			*r = size
		}
	}
	for _, b := range bonds {
		if r := &f.m.Bonds[b].Ring; *r == 0 || size < *r {
			*r = size
		}
	}
}

// cut takes a slice of n from the slab.
func (f *ringFinder) cut(n int) []int32 {
	if len(f.slab) < n {
		f.slab = make([]int32, max(n, 2*len(f.m.Atoms)))
	}
	s := f.slab[:n:n]
	f.slab = f.slab[n:]
	return s
}
