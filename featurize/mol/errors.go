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

// ComplexityError says that a molecule is too intricate to be perceived in
// reasonable time.
type ComplexityError struct {
	Pos    int    // 1-based position in the SMILES of an atom of the part in question, 0 if it has none
	Reason string // what is too complex
}

func (e *ComplexityError) Error() string {
	return fmt.Sprintf("too complex: %s%s", e.Reason, at(e.Pos))
}

// at words a position, if there is one.
func at(pos int) string {
	if pos == 0 {
		return ""
	}
	return fmt.Sprintf(" at position %d", pos)
}
