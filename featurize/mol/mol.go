// Package mol holds molecules and what is perceived on them: valence, rings,
// aromaticity, conjugation, hybridization and stereo, each as RDKit 2026.9.1
// perceives it.
package mol

// Mol is a molecular graph. Atoms and bonds are numbered in the order RDKit
// numbers them, because feature strings, edges and tokens depend on it.
//
// A Mol is built with AddAtom and AddBond and may be read by several
// goroutines once nothing changes it any more.
type Mol struct {
	Atoms []Atom
	Bonds []Bond

	adj   [][]Neighbor // per atom, by ascending bond index
	free  []Neighbor   // what is left of the slab that adj is cut from
	rings []Ring       // set by Sanitize
}

// Neighbor is one end of a bond seen from the other.
type Neighbor struct{ Atom, Bond int32 }

// Atom is a vertex. The upper fields are what was written, the lower what
// Sanitize perceives.
type Atom struct {
	Element    Element   // atomic number; 0 is the dummy *
	Charge     int8      // formal charge
	Isotope    uint16    // mass number, 0 = natural
	Map        int32     // atom map number, 0 = none
	ExplicitHs uint8     // hydrogens stated in brackets, not atoms of their own
	NoImplicit bool      // bracket atom: no hydrogens may be added
	Aromatic   bool      // written lower case, then as perceived
	Chirality  Chirality // relative to the order of the atom's bonds
	Pos        int32     // 1-based position in the SMILES, 0 = made by the program

	ImplicitHs    uint8
	Radicals      uint8
	Hybridization Hybridization
	Ring          uint8   // size of the smallest ring, 0 outside rings, 255 = larger than 254
	CIP           CIPCode // R or S, by AssignStereo
	Diads         [2]Diad // with the stereocentres before and after, by AssignDiads

	explicit uint8 // explicit valence: sum of bond orders and ExplicitHs
}

// Bond is an undirected edge; Begin and End matter for dative bonds and for
// Direction.
type Bond struct {
	Begin, End int32
	Kind       BondKind
	Direction  Direction
	Stereo     BondStereo
	StereoAtom [2]int32 // the neighbours Stereo refers to, when Stereo is set

	Aromatic   bool
	Conjugated bool
	Ring       uint8 // as for Atom
}

// Other is the atom at the other end of the bond from atom i.
func (b *Bond) Other(i int32) int32 { return b.Begin ^ b.End ^ i }

// Chirality is an atom's chiral tag.
type Chirality uint8

// The tags RDKit knows from SMILES. @TH1 is @ and @TH2 is @@.
const (
	Unspecified         Chirality = iota
	Clockwise                     // @@ (CHI_TETRAHEDRAL_CW)
	Counterclockwise              // @  (CHI_TETRAHEDRAL_CCW)
	Allene                        // @AL
	SquarePlanar                  // @SP
	TrigonalBipyramidal           // @TB
	Octahedral                    // @OH
)

// Inverse is the tag of the mirror image, for the tetrahedral tags.
func (c Chirality) Inverse() Chirality {
	switch c {
	case Clockwise:
		return Counterclockwise
	case Counterclockwise:
		return Clockwise
	}
	return c
}

// BondKind is a bond's order or type.
type BondKind uint8

// The kinds SMILES can write.
const (
	Unset BondKind = iota
	Single
	Double
	Triple
	Quadruple
	AromaticBond
	Dative // donates from Begin to End
	Any    // ~
)

// Direction is the / or \ of a single bond, seen from Begin to End.
type Direction uint8

// Directions.
const (
	NoDirection Direction = iota
	Up                    // /
	Down                  // \
)

// Inverse is the direction seen from the other end.
func (d Direction) Inverse() Direction {
	switch d {
	case Up:
		return Down
	case Down:
		return Up
	}
	return d
}

// BondStereo is the perceived geometry of a double bond.
type BondStereo uint8

// Geometries, by RDKit's names.
const (
	StereoNone BondStereo = iota
	StereoAny
	StereoZ
	StereoE
	StereoCis
	StereoTrans
)

// Hybridization of an atom.
type Hybridization uint8

// Hybridizations, by RDKit's names.
const (
	HybridizationUnspecified Hybridization = iota
	S
	SP
	SP2
	SP3
	SP2D
	SP3D
	SP3D2
	HybridizationOther
)

// New is an empty molecule with room for that many atoms and bonds; it grows
// beyond them as needed.
func New(atoms, bonds int) *Mol {
	return &Mol{
		Atoms: make([]Atom, 0, atoms),
		Bonds: make([]Bond, 0, bonds),
		adj:   make([][]Neighbor, 0, atoms),
		free:  make([]Neighbor, atoms*usualDegree),
	}
}

// usualDegree is how many neighbours an atom gets room for in the slab; few
// have more, and those grow on their own.
const usualDegree = 4

// Neighbors lists the bonds of atom i by ascending bond index. The slice is
// shared, not a copy.
func (m *Mol) Neighbors(i int) []Neighbor { return m.adj[i] }

// Degree is the number of atoms bonded to atom i.
func (m *Mol) Degree(i int) int { return len(m.adj[i]) }

// BondBetween is the index of the bond between atoms i and j, or -1.
func (m *Mol) BondBetween(i, j int) int {
	if len(m.adj[j]) < len(m.adj[i]) {
		i, j = j, i
	}
	for _, nb := range m.adj[i] {
		if nb.Atom == int32(j) {
			return int(nb.Bond)
		}
	}
	return -1
}

// AddAtom appends an atom and returns its index.
func (m *Mol) AddAtom(a Atom) int { return m.addAtom(a, usualDegree) }

// addAtom is AddAtom with room for that many neighbours.
func (m *Mol) addAtom(a Atom, degree int) int {
	if len(m.free) < degree {
		m.free = make([]Neighbor, max(64, len(m.Atoms))*degree)
	}
	m.Atoms = append(m.Atoms, a)
	m.adj = append(m.adj, m.free[:0:degree])
	m.free = m.free[degree:]
	return len(m.Atoms) - 1
}

// AddBond appends a bond between existing atoms and returns its index.
func (m *Mol) AddBond(b Bond) int {
	i := int32(len(m.Bonds))
	m.Bonds = append(m.Bonds, b)
	m.adj[b.Begin] = append(m.adj[b.Begin], Neighbor{b.End, i})
	m.adj[b.End] = append(m.adj[b.End], Neighbor{b.Begin, i})
	return int(i)
}

// Remove takes the atoms for which drop is true out of the molecule, and their
// bonds. The others keep their order.
func (m *Mol) Remove(drop []bool) {
	index := make([]int32, len(m.Atoms))
	atoms := m.Atoms[:0]
	for i := range m.Atoms {
		index[i] = int32(len(atoms))
		if !drop[i] {
			atoms = append(atoms, m.Atoms[i])
			m.adj[len(atoms)-1] = m.adj[i][:0]
		}
	}
	old := m.Bonds
	m.Atoms, m.Bonds, m.adj = atoms, m.Bonds[:0], m.adj[:len(atoms)]
	for _, b := range old {
		if drop[b.Begin] || drop[b.End] {
			continue
		}
		b.Begin, b.End = index[b.Begin], index[b.End]
		for k, a := range b.StereoAtom {
			if b.Stereo != StereoNone {
				b.StereoAtom[k] = index[a]
			}
		}
		m.AddBond(b)
	}
	m.rings = nil
}
