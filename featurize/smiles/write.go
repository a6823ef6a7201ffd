package smiles

import (
	"slices"

	"polyid-trainer/featurize/mol"
)

// Write returns SMILES for m that Read turns into the same molecule again, in
// another atom order but with the same chirality and double-bond geometry. Rings are
// lower case where m is aromatic. Stereochemistry is written as it stands: call
// mol.AssignStereo first to leave out what means nothing. Non-tetrahedral
// chirality is not written, and a ring of ~ bonds only closes with a single one.
//
// It starts each fragment at its first atom, or at the end of a chain farthest
// from that, and leaves the largest subtree of an atom for last, so that a
// polymer is written without nesting. It
// costs O(n log n) time and O(n) memory, without recursion.
func Write(m *mol.Mol) string {
	return string(newWriter(m, nil).molecule())
}

// writer writes one molecule.
type writer struct {
	m      *mol.Mol
	rank   []int32 // atom → its place among all; nil: its index
	forest forest
	marks  marks
	rings  ringNumbers

	buf   []byte
	steps []step
	kids  []mol.Neighbor // scratch: the children of one atom
	seen  []int32        // scratch: the neighbours of one atom in written order
}

// step is what is left to write: an atom with what follows it, or a parenthesis.
type step struct {
	atom int32
	kind stepKind
}

type stepKind uint8

const (
	writeAtom stepKind = iota
	openBranch
	closeBranch
)

func newWriter(m *mol.Mol, rank []int32) *writer {
	return &writer{
		m:      m,
		rank:   rank,
		forest: newForest(m, rank),
		marks:  newMarks(m, rank),
		buf:    make([]byte, 0, 2*len(m.Atoms)+16),
	}
}

// molecule writes every fragment, a dot between two.
func (w *writer) molecule() []byte {
	for i, root := range w.forest.roots {
		if i > 0 {
			w.buf = append(w.buf, '.')
		}
		w.steps = append(w.steps[:0], step{root, writeAtom})
		for len(w.steps) > 0 {
			s := w.steps[len(w.steps)-1]
			w.steps = w.steps[:len(w.steps)-1]
			switch s.kind {
			case openBranch:
				w.buf = append(w.buf, '(')
			case closeBranch:
				w.buf = append(w.buf, ')')
			case writeAtom:
				w.atom(s.atom)
			}
		}
	}
	return w.buf
}

// atom writes the bond that leads to atom i, the atom and its ring bonds, and
// queues its branches.
func (w *writer) atom(i int32) {
	up := w.forest.up[i]
	w.seen = w.seen[:0]
	if up >= 0 {
		parent := w.m.Bonds[up].Other(i)
		w.bond(up, parent)
		w.seen = append(w.seen, parent)
	}
	ringBonds := w.ringBonds(i)
	w.branches(i)
	for _, k := range w.kids {
		w.seen = append(w.seen, k.Atom)
	}

	w.atomText(i, w.chirality(i, up < 0, ringBonds))
	if ringBonds > 0 {
		w.ringDigits(i)
	}

	for k, kid := range slices.Backward(w.kids) {
		if k == len(w.kids)-1 {
			w.steps = append(w.steps, step{kid.Atom, writeAtom})
			continue
		}
		w.steps = append(w.steps, step{kind: closeBranch}, step{kid.Atom, writeAtom}, step{kind: openBranch})
	}
}

// ringBonds appends the far ends of atom i's ring bonds to w.seen in the order
// they are written, and returns their number.
func (w *writer) ringBonds(i int32) int {
	n := 0
	for nb := range w.forest.ringBonds(w.m, i) {
		w.seen = append(w.seen, nb.Atom)
		n++
	}
	return n
}

// ringDigits writes the ring bonds of atom i.
func (w *writer) ringDigits(i int32) {
	for nb := range w.forest.ringBonds(w.m, i) {
		if w.forest.opens(i, nb) {
			w.bond(nb.Bond, i)
			w.buf = appendRingNumber(w.buf, w.rings.open(nb.Bond))
		} else {
			w.buf = appendRingNumber(w.buf, w.rings.close(nb.Bond))
		}
	}
	w.rings.free()
}

// branches collects the children of atom i, smallest subtree first.
func (w *writer) branches(i int32) {
	w.kids = w.kids[:0]
	for _, nb := range w.m.Neighbors(int(i)) {
		if w.forest.up[nb.Atom] == nb.Bond && nb.Bond != w.forest.up[i] {
			w.kids = append(w.kids, nb)
		}
	}
	slices.SortFunc(w.kids, func(a, b mol.Neighbor) int {
		if d := int(w.forest.size[a.Atom]) - int(w.forest.size[b.Atom]); d != 0 {
			return d
		}
		return w.forest.before(a.Atom, b.Atom)
	})
}

// bond writes the symbol of bond b, seen from the atom from, or nothing where
// the reader knows it.
func (w *writer) bond(b, from int32) {
	bond := &w.m.Bonds[b]
	if mark := w.marks.symbol(b, bond.Begin == from); mark != 0 {
		w.buf = append(w.buf, mark)
		return
	}
	// Between aromatic atoms, aromatic goes without saying. That it does for a
	// dummy too, which has no lower case, is RDKit's habit: perception finds out.
	lower := w.m.Atoms[bond.Begin].Aromatic && w.m.Atoms[bond.End].Aromatic
	switch {
	case bond.Kind == mol.AromaticBond:
		if !lower {
			w.buf = append(w.buf, ':')
		}
	case bond.Kind == mol.Double:
		w.buf = append(w.buf, '=')
	case bond.Kind == mol.Triple:
		w.buf = append(w.buf, '#')
	case bond.Kind == mol.Quadruple:
		w.buf = append(w.buf, '$')
	case bond.Kind == mol.Any:
		w.buf = append(w.buf, '~')
	case bond.Kind == mol.Dative && bond.Begin == from:
		w.buf = append(w.buf, '-', '>')
	case bond.Kind == mol.Dative:
		w.buf = append(w.buf, '<', '-')
	case lower:
		w.buf = append(w.buf, '-')
	}
}
