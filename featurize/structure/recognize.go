package structure

import (
	"strings"

	"polyid-trainer/data"
	"polyid-trainer/featurize/polymer"
	"polyid-trainer/featurize/smiles"
)

const (
	longestText = 20_000 // bytes of a SMILES that is worth a look
	shortChain  = 20     // heavy atoms below which a molecule is rather a monomer
)

// Recognize says what a cell of a table would be as a structure: a repeat unit, a
// finished chain, or "" for neither. A small molecule is neither, since it may be
// a monomer. It is data.Options.Recognize, and costs that of reading a SMILES.
func Recognize(cell string) data.Notation {
	if len(cell) > longestText || !strings.ContainsAny(cell, "CcNnOoSsPpFIB[*") {
		return ""
	}
	if strings.Contains(cell, "*") {
		if _, err := polymer.ReadUnit(cell); err != nil {
			return ""
		}
		return data.RepeatUnit
	}
	m, err := smiles.Read(cell)
	if err != nil || strings.Contains(cell, ".") {
		return ""
	}
	heavy := 0
	for i := range m.Atoms {
		if m.Atoms[i].Element > 1 {
			heavy++
		}
	}
	if heavy < shortChain {
		return ""
	}
	return data.Polymer
}
