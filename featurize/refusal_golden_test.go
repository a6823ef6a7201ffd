package featurize_test

import (
	"errors"
	"testing"

	"polyid-trainer/featurize"
	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// problem is something RDKit has against a molecule. Its atoms are numbered as
// written.
type problem struct {
	Type  string
	Atom  int
	Atoms []int
}

// Molecules that RDKit can read but not sanitize must be refused for the same
// reason, at the first offending atom.
func TestSanitizeGolden(t *testing.T) {
	t.Parallel()
	for _, name := range goldenFeatures {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			readGolden(t, name, func(want golden) {
				if want.ErrKind == "sanitize" {
					checkProblem(t, want.SMILES, want.Problems[0])
				}
			})
		})
	}
}

func checkProblem(t *testing.T, s string, want problem) {
	t.Helper()
	_, err := smiles.Read(s)
	written, parseErr := smiles.Parse(s)
	if parseErr != nil {
		t.Errorf("%s: %v", s, parseErr)
		return
	}
	first, atoms := want.Atom, 1
	if want.Type == "KekulizeException" {
		first, atoms = want.Atoms[0], len(want.Atoms)
	}
	pos := int(written.Atoms[first].Pos)
	if want.Type == "AtomValenceException" {
		if e := (*mol.ValenceError)(nil); !errors.As(err, &e) || e.Pos != pos {
			t.Errorf("%s: %v, RDKit finds the valence at position %d impossible", s, err, pos)
		}
		return
	}
	if e := (*mol.KekulizeError)(nil); !errors.As(err, &e) || e.Pos != pos || len(e.Atoms) != atoms {
		t.Errorf("%s: %v, RDKit cannot kekulize atoms %v, the first at position %d", s, err, want.Atoms, pos)
	}
}

func TestFeatureNames(t *testing.T) {
	for _, name := range featurize.AtomFeatures() {
		if f, ok := featurize.AtomFeature(name); !ok || f == nil {
			t.Errorf("no atom feature %q", name)
		}
	}
	for _, name := range featurize.BondFeatures() {
		if f, ok := featurize.BondFeature(name); !ok || f == nil {
			t.Errorf("no bond feature %q", name)
		}
	}
	if _, ok := featurize.AtomFeature("atom_features_v0"); ok {
		t.Error("there is an atom_features_v0")
	}
	if _, ok := featurize.BondFeature("bond_features_v0"); ok {
		t.Error("there is a bond_features_v0")
	}
}
