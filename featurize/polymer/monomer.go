package polymer

import (
	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// monomer is one molecule with the places where it reacts.
type monomer struct {
	smiles string
	m      *mol.Mol // Kekulé

	find   query      // on the molecule as perceived, with its aromatic rings
	double [][2]int32 // C=C, each in both directions
}

// readMonomer reads monomer number i.
func readMonomer(i int, s string) (*monomer, error) {
	perceived, err := perceive(s)
	if err != nil {
		return nil, &MonomerError{Monomer: i, SMILES: s, Err: err}
	}
	kekule, err := perceive(s)
	if err == nil {
		err = kekule.Kekulize()
	}
	if err != nil {
		return nil, &MonomerError{Monomer: i, SMILES: s, Err: err}
	}
	k := &monomer{smiles: s, m: kekule, find: query{perceived}}
	if reached := k.reach(0, -1); len(reached) != len(k.m.Atoms) || len(reached) == 0 {
		e := failure(InvalidMonomers, "monomer %d (%s) is not one molecule", i+1, s)
		e.Monomer = i
		return nil, e
	}
	for _, match := range k.find.alkenes() {
		k.double = append(k.double, [2]int32{match[0], match[1]})
	}
	return k, nil
}

// reach lists the atoms connected with atom from without passing through
// atom wall.
func (k *monomer) reach(from, wall int32) []int32 {
	if len(k.m.Atoms) == 0 {
		return nil
	}
	seen := make([]bool, len(k.m.Atoms))
	seen[from] = true
	if wall >= 0 {
		seen[wall] = true
	}
	queue := []int32{from}
	for at := 0; at < len(queue); at++ {
		for _, nb := range k.m.Neighbors(int(queue[at])) {
			if !seen[nb.Atom] {
				seen[nb.Atom] = true
				queue = append(queue, nb.Atom)
			}
		}
	}
	return queue
}

// perceive reads a SMILES with its stereochemistry.
func perceive(s string) (*mol.Mol, error) {
	m, err := smiles.Read(s)
	if err != nil {
		return nil, err
	}
	mol.AssignStereo(m)
	return m, nil
}
