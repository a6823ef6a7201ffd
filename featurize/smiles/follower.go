package smiles

import "polyid-trainer/featurize/mol"

// Follower is told what a SMILES says, in the order it says it.
type Follower interface {
	// Root begins a fragment with an atom.
	Root(Atom)
	// Extend bonds an atom to the current one and makes it the current one.
	Extend(Bond, Atom)
	// Ring opens or closes a ring bond of the current atom. The position is that
	// of the number's first digit.
	Ring(b Bond, number, pos int)
	// Push remembers the current atom.
	Push()
	// Pop returns to the atom last remembered.
	Pop()
}

// Atom is an atom as written.
type Atom struct {
	Element    int   // the number after #, else an atomic number
	Isotope    int   // mass number, 0 = none
	Aromatic   bool  // lower case
	Bracket    bool  // between [ and ]
	Class      Class // chirality
	Order      int   // of the permutations of its class, 0 = none
	Hydrogens  int   // H and how many
	Charge     int
	Map        int // 0 = none
	Pos        int // 1-based position
	ClassPos   int // 1-based position of the chirality
	ElementPos int // 1-based position of the element
}

// Class is how an atom's chirality is written.
type Class uint8

// Classes.
const (
	NoClass             Class = iota
	Anticlockwise             // @
	Clockwise                 // @@
	Tetrahedral               // @TH
	Allene                    // @AL
	SquarePlanar              // @SP
	TrigonalBipyramidal       // @TB
	Octahedral                // @OH
)

// Bond is a bond as written.
type Bond struct {
	Kind      mol.BondKind  // Unset = nothing or a direction was written
	Direction mol.Direction // / or \
	Backward  bool          // <-, a dative bond towards the atom before it
}
