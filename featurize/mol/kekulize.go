package mol

import "slices"

// maxBacktracks is how many wrong turns RDKit takes back in a ring system before
// it gives up.
const maxBacktracks = 100

// Kekulize gives the aromatic rings of a molecule alternating single and double
// bonds and takes the aromatic marks off all atoms and bonds. It needs what
// Sanitize perceives. An aromatic bond outside rings keeps its kind.
func (m *Mol) Kekulize() error {
	if !m.anyAromatic() {
		return nil
	}
	marks := m.aromaticMarks()
	if newKekulizer(m, nil).run() == nil {
		return nil
	}
	// RDKit walks the atoms by index first and by canonical rank if that fails,
	// with the marks as it restores them: both atoms of an aromatic bond are
	// aromatic then.
	marks.restore(m)
	return newKekulizer(m, canonicalRanks(m)).run()
}

func (m *Mol) anyAromatic() bool {
	for i := range m.Atoms {
		if m.Atoms[i].Aromatic {
			return true
		}
	}
	for i := range m.Bonds {
		if m.Bonds[i].Aromatic || m.Bonds[i].Kind == AromaticBond {
			return true
		}
	}
	return false
}

// aromaticMarks remembers what was aromatic.
type aromaticMarks struct{ atoms, bonds []bool }

func (m *Mol) aromaticMarks() aromaticMarks {
	marks := aromaticMarks{make([]bool, len(m.Atoms)), make([]bool, len(m.Bonds))}
	for i := range m.Atoms {
		marks.atoms[i] = m.aromaticAtom(int32(i))
	}
	for i := range m.Bonds {
		marks.bonds[i] = m.Bonds[i].Aromatic
	}
	return marks
}

func (a aromaticMarks) restore(m *Mol) {
	for i, aromatic := range a.bonds {
		if aromatic {
			m.Bonds[i].Aromatic, m.Bonds[i].Kind = true, AromaticBond
		}
	}
	for i, aromatic := range a.atoms {
		if aromatic {
			m.Atoms[i].Aromatic = true
		}
	}
}

// kekulizer is the state of one attempt.
type kekulizer struct {
	m       *Mol
	ranks   []int32 // the order to walk the atoms in, nil = by index
	valence []uint8 // of each atom, to be the same afterwards

	rings  []*Ring // a basis, without those of dummies only
	system []int32 // atoms of the ring system at hand
	in     []bool  // atom: is in the system
	lone   []uint8 // atom: how many of the rings it is in, up to 255
	cand   []bool  // atom: wants a double bond
	maybe  []int32 // dummies, which may have one
	walk   kekuleWalk
}

func newKekulizer(m *Mol, ranks []int32) *kekulizer {
	n := len(m.Atoms)
	flags := make([]bool, 5*n)
	bytes := make([]uint8, 2*n)
	k := &kekulizer{
		m: m, ranks: ranks,
		valence: bytes[:n], lone: bytes[n:],
		in: flags[:n], cand: flags[n : 2*n],
		walk:  kekuleWalk{want: flags[2*n : 3*n], isDone: flags[3*n : 4*n], queued: flags[4*n:]},
		rings: make([]*Ring, 0, len(m.rings)),
	}
	for i := range m.Atoms {
		a := &m.Atoms[i]
		a.ImplicitHs, _ = m.implicitHs(int32(i))
		k.valence[i] = a.explicit + a.ImplicitHs
	}
	for i := range m.rings {
		r := &m.rings[i]
		if !r.basis {
			continue
		}
		for _, a := range r.Atoms {
			k.lone[a] = min(k.lone[a], 254) + 1
		}
		if slices.ContainsFunc(r.Atoms, func(a int32) bool { return m.Atoms[a].Element != dummy }) {
			k.rings = append(k.rings, r)
		}
	}
	return k
}

func (k *kekulizer) run() error {
	m := k.m
	if len(k.rings) > 0 {
		g := m.newRingGraph(k.rings, len(m.Bonds), len(m.Bonds))
		if err := g.systems(k.kekulizeSystem); err != nil {
			return err
		}
	}
	for i := range m.Bonds {
		m.Bonds[i].Aromatic = false
	}
	for i := range m.Atoms {
		a := &m.Atoms[i]
		if !a.Aromatic {
			continue
		}
		if a.Ring == 0 {
			return m.kekulizeError("is in no ring", int32(i))
		}
		a.Aromatic = false
		if (a.Element == nitrogen || a.Element == phosphorus) && a.Charge == 0 && a.ExplicitHs == 1 {
			// The hydrogen of pyrrole need not be stated any more.
			a.NoImplicit, a.ExplicitHs = false, 0
			m.UpdateHs(i)
		}
	}
	for i := range m.Atoms {
		if m.Valence(i) != int(k.valence[i]) {
			return m.kekulizeError("has another valence with alternating bonds", int32(i))
		}
	}
	return nil
}

func (m *Mol) kekulizeError(reason string, atoms ...int32) error {
	e := &KekulizeError{Pos: int(m.Atoms[atoms[0]].Pos), Reason: reason}
	for _, a := range atoms {
		e.Atoms = append(e.Atoms, int(a))
	}
	return e
}

// kekulizeSystem gives the atoms of a ring system alternating bonds.
func (k *kekulizer) kekulizeSystem(rings []int32) error {
	m := k.m
	k.system = k.system[:0]
	aromatic := false
	for _, r := range rings {
		for _, a := range k.rings[r].Atoms {
			if !k.in[a] {
				k.in[a] = true
				k.system = append(k.system, a)
				aromatic = aromatic || m.Atoms[a].Element == dummy || m.aromaticAtom(a)
			}
		}
	}
	defer func() {
		for _, a := range k.system {
			k.in[a] = false
		}
	}()
	if !aromatic {
		return nil
	}
	k.maybe = k.maybe[:0]
	k.findCandidates()
	copyAt(k.walk.want, k.cand, k.system)
	if k.assign() || k.assignWithoutDummies() {
		for _, a := range k.system {
			k.cand[a] = false
		}
		return nil
	}
	var failed []int32
	for _, a := range k.system {
		if k.cand[a] {
			failed = append(failed, a)
		}
	}
	slices.Sort(failed)
	return m.kekulizeError("cannot have alternating bonds in its ring system", failed...)
}

// copyAt copies the elements at some indices.
func copyAt[T any](dst, src []T, at []int32) {
	for _, i := range at {
		dst[i] = src[i]
	}
}

// assignWithoutDummies tries again without double bonds at some of the dummies,
// set of dummies after set.
func (k *kekulizer) assignWithoutDummies() bool {
	if len(k.maybe) == 0 {
		return false
	}
	without := make([]bool, len(k.maybe)) // a binary number, counted up
	for range maxDummyTries {
		at := 0
		for at < len(without) && without[at] {
			without[at] = false
			at++
		}
		if at == len(without) {
			return false
		}
		without[at] = true
		k.resetBonds()
		k.walk.start(k.system)
		copyAt(k.walk.want, k.cand, k.system)
		for j, off := range without {
			if off {
				k.walk.want[k.maybe[j]] = false
			}
		}
		if k.assign() {
			return true
		}
	}
	return false
}

// maxDummyTries bounds the sets of dummies tried; RDKit tries all.
const maxDummyTries = 1 << 12

// resetBonds makes the system's aromatic bonds single again.
func (k *kekulizer) resetBonds() {
	for _, i := range k.system {
		for _, nb := range k.m.adj[i] {
			if b := &k.m.Bonds[nb.Bond]; b.Aromatic && k.in[nb.Atom] {
				b.Kind = Single
			}
		}
	}
}
