package mol

// AssignStereo perceives stereochemistry on a sanitized molecule, before
// hydrogens are added: it drops the chiral tags of atoms that are no
// stereocentres, labels those that are (Atom.CIP), turns the directions of
// single bonds into geometries of double bonds and drops directions that mean
// nothing. It does what RDKit 2026.9.1's MolFromSmiles does by default (its
// legacy perception), of which these habits are worth knowing:
//
//   - Labels rest on constitution first; centres and double bonds that only
//     differ by others of their kind follow in further rounds.
//   - Atoms without a label keep their tag if their ring system has another
//     such atom for ring stereochemistry to refer to.
//   - Double bonds in rings of up to seven atoms have no geometry.
//   - Square planar, trigonal bipyramidal and octahedral tags always stay, and
//     such centres with three or four neighbours are labelled R or S as if they
//     were tetrahedral.
//
// Two things differ: an atom map written as :0 does not count, and atoms with
// more than 15 bonds are ranked by all of them, where RDKit's tables overflow.
//
// It costs O(b log n) for b bonds, times the rounds of dependent centres.
func AssignStereo(m *Mol) { assignStereo(m, true) }

// assignStereo perceives stereochemistry. countUntagged says whether atoms that
// could be centres but have no tag ask for another round; that can change how
// finely atoms are ranked in the end, and so ring stereochemistry.
func assignStereo(m *Mol, countUntagged bool) {
	if !hasStereo(m) {
		return
	}
	s := stereo{m: m, ranks: newCIPRanks(m)}
	s.findCentres(countUntagged)
	s.findDoubleBonds()
	bondsLeft := s.doubleBonds.directed
	for {
		s.changed = s.changed[:0]
		centresLeft, conflict := s.labelCentres(), false
		if bondsLeft || s.doubleBonds.undirectedFirst {
			bondsLeft, conflict = s.labelDoubleBonds()
		}
		progress := len(s.changed) > 0 || conflict
		if !progress || !centresLeft && !bondsLeft {
			break
		}
		s.ranks.relabel(s.changed)
	}
	s.dropTags()
	dropDirections(m)
}

// stereo is the state of one perception.
type stereo struct {
	m           *Mol
	ranks       *cipRanks
	centres     centres
	doubleBonds doubleBonds
	changed     []int32   // atoms that got a label in this round, themselves or for a double bond
	atomRings   [][]int32 // atom: rings through it; nil until needed
	inRing      []int32   // bond: 1 + the ring last looked at, if it is in that; nil until needed
	ligands     []ligand  // scratch
}

// hasStereo clears labels and reports whether anything is written that
// perception could use or drop.
func hasStereo(m *Mol) bool {
	written := false
	for i := range m.Atoms {
		a := &m.Atoms[i]
		a.CIP = CIPNone
		written = written || a.Chirality != Unspecified
	}
	for i := range m.Bonds {
		b := &m.Bonds[i]
		if b.Kind == Double {
			b.Stereo = StereoNone
		}
		written = written || b.Direction != NoDirection
	}
	return written
}
