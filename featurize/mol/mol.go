// Package mol holds molecules and what is perceived on them: valence, rings,
// aromaticity, conjugation, hybridization and stereo, each as RDKit 2026.9.1
// perceives it.
package mol

// Mol is a molecular graph. Atoms and bonds are numbered in the order RDKit
// numbers them, because feature strings, edges and tokens depend on it.
type Mol struct {
	Atoms []Atom
	Bonds []Bond

	adj [][]Neighbor // per atom, by ascending bond index
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
	Ring          uint8 // size of the smallest ring, 0 outside rings, 255 = larger than 254
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

// Chirality is an atom's chiral tag.
type Chirality uint8

// The tags RDKit knows from SMILES.
const (
	Unspecified      Chirality = iota
	Clockwise                  // @@ (CHI_TETRAHEDRAL_CW)
	Counterclockwise           // @  (CHI_TETRAHEDRAL_CCW)
	OtherChirality             // non-tetrahedral classes
)

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

// Neighbors lists the bonds of atom i by ascending bond index. The slice is
// shared, not a copy.
func (m *Mol) Neighbors(i int) []Neighbor { return m.adj[i] }

// Degree is the number of atoms bonded to atom i.
func (m *Mol) Degree(i int) int { return len(m.adj[i]) }

// AddAtom appends an atom and returns its index.
func (m *Mol) AddAtom(a Atom) int {
	m.Atoms = append(m.Atoms, a)
	m.adj = append(m.adj, nil)
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
