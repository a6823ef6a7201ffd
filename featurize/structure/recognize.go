package structure

import (
	"strings"

	"polyid-trainer/data"
	"polyid-trainer/featurize/smiles"
)

const (
	longestText = 20_000 // bytes of a SMILES that is worth a look
	shortChain  = 20     // heavy atoms below which a molecule is rather a monomer
)

// Recognize says what a cell of a table would be as a structure: a repeat unit, a
// finished chain, or "" for neither. What has a * is meant for a repeat unit, though
// it may have too many or too few. A small molecule is neither, since it may be a
// monomer. It is data.Options.Recognize, and costs that of reading a SMILES.
func Recognize(cell string) data.Notation {
	if len(cell) > longestText || !strings.ContainsAny(cell, "CcNnOoSsPpFIB[*") {
		return ""
	}
	m, err := smiles.Read(cell)
	switch {
	case err != nil || HeavyAtoms(m) == 0:
		return ""
	case strings.Contains(cell, "*"):
		return data.RepeatUnit
	case HeavyAtoms(m) < shortChain || strings.Contains(cell, "."):
		return ""
	}
	return data.Polymer
}

// Molecule says whether a cell is a SMILES of more than one heavy atom, of
// whatever kind: a letter alone may be a unit as well.
func Molecule(cell string) bool {
	if len(cell) > longestText || !strings.ContainsAny(cell, "CcNnOoSsPpFIB[*") {
		return false
	}
	m, err := smiles.Read(cell)
	return err == nil && HeavyAtoms(m) > 1
}
