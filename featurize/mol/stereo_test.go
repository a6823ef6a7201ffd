package mol_test

import (
	"slices"
	"strings"
	"testing"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// perceive reads a SMILES and perceives its stereochemistry.
func perceive(t *testing.T, s string) *mol.Mol {
	t.Helper()
	m, err := smiles.Read(s)
	if err != nil {
		t.Fatalf("%s: %v", s, err)
	}
	mol.AssignStereo(m)
	return m
}

// labels spells what perception left of a molecule: per atom R, S, a tag without
// label (t) or none (-), then per double bond E, Z or none (-).
func labels(m *mol.Mol) string {
	var s strings.Builder
	for i := range m.Atoms {
		a := &m.Atoms[i]
		switch {
		case a.CIP == mol.CIPR:
			s.WriteByte('R')
		case a.CIP == mol.CIPS:
			s.WriteByte('S')
		case a.Chirality != mol.Unspecified:
			s.WriteByte('t')
		default:
			s.WriteByte('-')
		}
	}
	for i := range m.Bonds {
		if b := &m.Bonds[i]; b.Kind == mol.Double {
			s.WriteString(map[mol.BondStereo]string{mol.StereoNone: " -", mol.StereoE: " E", mol.StereoZ: " Z"}[b.Stereo])
		}
	}
	return s.String()
}

func TestAssignStereo(t *testing.T) {
	for _, c := range []struct{ name, smiles, want string }{
		{"(R)-1-chloro-1-fluoroethane", "C[C@H](F)Cl", "-R--"},
		{"its mirror image", "C[C@@H](F)Cl", "-S--"},
		{"L-alanine", "C[C@H](N)C(=O)O", "-S---- -"},
		{"L-cysteine is R: sulfur outranks oxygen", "N[C@@H](CS)C(=O)O", "-R----- -"},
		{"hydrogen written out", "[H][C@](C)(F)Cl", "S---"},
		{"two equal neighbours", "C[C@](C)(F)Cl", "-----"},
		{"an isotope makes the difference", "C[C@H]([2H])O", "-S--"},
		{"an atom map makes the difference", "[CH3:1][C@H](C)O", "-S--"},
		{"(R,R)-tartaric acid", "OC(=O)[C@H](O)[C@@H](O)C(=O)O", "---R-R---- - -"},
		{"meso-tartaric acid", "OC(=O)[C@H](O)[C@H](O)C(=O)O", "---R-S---- - -"},
		{"a centre that depends on centres", "C[C@H](O)[C@](C)(F)[C@@H](C)O", "-S-S--R--"},
		{"a centre that equal centres rule out", "C[C@H](O)[C@](C)(F)[C@H](C)O", "-S----S--"},
		{"a centre that depends on geometries", "C/C=C/[C@H](O)/C=C\\C", "---S---- E Z"},

		{"E", "F/C=C/F", "---- E"},
		{"Z", "F/C=C\\F", "---- Z"},
		{"a direction before its atom", "C(\\F)=C/F", "---- E"},
		{"one side undirected", "F/C=CF", "---- -"},
		{"two equal neighbours at one end", "C/C(C)=C/C", "----- -"},
		{"directions that contradict each other", "F/C(\\Cl)=C/F", "----- -"},
		{"a ring of seven is too small", "C1CCCC/C=C/1", "------- -"},
		{"a ring of eight is not", "C1CCCCC/C=C/1", "-------- E"},
		{"an imine's hydrogen stays", "[H]/N=C/C", "---- E"},
		{"a cumulene has no geometry at its middle bonds", "C/C=C=C/C", "----- - -"},

		{"ring stereochemistry: tags without labels", "C[C@H]1CC[C@@H](C)CC1", "-t--t---"},
		{"a ring tag alone", "C[C@H]1CCCCC1", "-------"},
		{"a ring tag and a ring atom that is no candidate", "C[C@H]1CC[C@](C)(C)CC1", "---------"},

		{"sulfoxide", "C[S@](=O)CC", "-R--- -"},
		{"phosphine", "C[P@](F)CC", "-R---"},
		{"an amine inverts", "C[N@](F)Cl", "----"},
		{"but not in a three-ring", "C[C@@H]1C[N@]1F", "-R-R-"},
		{"nor at a bridgehead", "C[C@@H]1C[N@]2CC[C@@H]1CC2", "-S-t--t--"},
		{"square planar tags stay", "C[Pt@SP1](F)(Cl)Br", "-R---"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := labels(perceive(t, c.smiles)); got != c.want {
				t.Errorf("%s: %s, want %s", c.smiles, got, c.want)
			}
		})
	}
}

// Directions that say nothing are dropped, and so are hydrogens written only for
// a tag that means nothing.
func TestAssignStereoDrops(t *testing.T) {
	m := perceive(t, "F/C=CC/C=C/C")
	var directed []int
	for i := range m.Bonds {
		if m.Bonds[i].Direction != mol.NoDirection {
			directed = append(directed, i)
		}
	}
	if want := []int{3, 5}; !slices.Equal(directed, want) {
		t.Errorf("directed bonds %v, want %v", directed, want)
	}
	if got := m.Bonds[4].StereoAtom; got != [2]int32{3, 6} {
		t.Errorf("geometry refers to atoms %v, want 3 and 6", got)
	}

	m = perceive(t, "C[C@H](C)C")
	if a := m.Atoms[1]; a.ExplicitHs != 0 || a.ImplicitHs != 1 || a.NoImplicit {
		t.Errorf("stated %d, implicit %d hydrogens, no others allowed: %t", a.ExplicitHs, a.ImplicitHs, a.NoImplicit)
	}
	m = perceive(t, "C[C@H](F)Cl")
	if a := m.Atoms[1]; a.ExplicitHs != 1 || a.ImplicitHs != 0 || !a.NoImplicit {
		t.Errorf("stated %d, implicit %d hydrogens, no others allowed: %t", a.ExplicitHs, a.ImplicitHs, a.NoImplicit)
	}
}

func TestAssignDiads(t *testing.T) {
	type diads = [2]mol.Diad
	for _, c := range []struct {
		name, smiles string
		want         []diads // of the centres
	}{
		{"isotactic, then syndiotactic", "OC(=O)C[C@@H](C)OC(=O)C[C@@H](C)OC(=O)C[C@H](C)O", []diads{
			{mol.NoDiad, mol.Meso}, {mol.Meso, mol.Racemic}, {mol.Racemic, mol.NoDiad},
		}},
		{"centres off the chain do not count", "OC(=O)C[C@@H]([C@H](F)Cl)OC(=O)C[C@@H](C)O", []diads{
			{mol.NoDiad, mol.Racemic}, {}, {mol.Racemic, mol.NoDiad},
		}},
		{"one centre is no diad", "OC(=O)C[C@@H](C)O", []diads{{}}},
		{"no acid", "COC(=O)C[C@@H](C)OC(=O)C[C@@H](C)O", []diads{{}, {}}},
		{"acid and alcohol in two molecules", "OC(=O)[C@@H](C)F.C[C@H](O)CC", []diads{{}, {}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := perceive(t, c.smiles)
			mol.AddHs(m)
			mol.AssignDiads(m)
			var got []diads
			for i := range m.Atoms {
				if a := &m.Atoms[i]; a.CIP != mol.CIPNone {
					got = append(got, a.Diads)
				} else if a.Diads != (diads{}) {
					t.Errorf("atom %d has diads %v", i, a.Diads)
				}
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("%s: %v, want %v", c.smiles, got, c.want)
			}
		})
	}
}
