package mol

import "fmt"

// ValenceError says that an atom has more bonds or charge than it can.
type ValenceError struct {
	Atom    int     // index of the first offending atom
	Pos     int     // its 1-based position in the SMILES, 0 if it has none
	Element Element // what it is
	Valence int     // its explicit valence
	Reason  string  // what is wrong with it
}

func (e *ValenceError) Error() string {
	return fmt.Sprintf("valence: %s atom%s %s", e.Element.Symbol(), at(e.Pos), e.Reason)
}

// KekulizeError says that aromatic atoms cannot be given alternating bonds.
type KekulizeError struct {
	Atoms  []int  // indices of the atoms in question, ascending
	Pos    int    // 1-based position of the first in the SMILES, 0 if it has none
	Reason string // what is wrong with them
}

func (e *KekulizeError) Error() string {
	return fmt.Sprintf("kekulize: aromatic atom%s %s", at(e.Pos), e.Reason)
}

// ComplexityError says that a ring system is too intricate to be perceived in
// reasonable time.
type ComplexityError struct {
	Atom   int    // index of an atom of the ring system
	Pos    int    // its 1-based position in the SMILES, 0 if it has none
	Reason string // what there is too much of
}

func (e *ComplexityError) Error() string {
	return fmt.Sprintf("the ring system of the atom%s %s", at(e.Pos), e.Reason)
}

// at words a position, if there is one.
func at(pos int) string {
	if pos == 0 {
		return ""
	}
	return fmt.Sprintf(" at position %d", pos)
}
