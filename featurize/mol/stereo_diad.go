package mol

// Diad relates a stereocentre of a chain to the one before or after it.
type Diad uint8

// Diads.
const (
	NoDiad  Diad = iota
	Racemic      // the labels differ
	Meso         // both R or both S
)

// AssignDiads finds the diads along the chain of a polyhydroxyalkanoate with
// hydrogens added, as PolyID's atom_features_meso does: the labelled centres on
// the shortest path from the first acid to the first alcohol carbon, by atom
// index. Other molecules have none.
//
// As in PolyID this perceives stereochemistry again, now with hydrogens as
// atoms, if the molecule has an acid and an alcohol; labels and tags are then
// those of this second perception. It costs as much as AssignStereo.
func AssignDiads(m *Mol) {
	for i := range m.Atoms {
		m.Atoms[i].Diads = [2]Diad{}
	}
	acid, alcohol := m.hydroxylCarbons()
	if acid < 0 || alcohol < 0 {
		return
	}
	assignStereo(m, false)
	onPath := m.shortestPath(acid, alcohol)
	last := -1
	for i := range m.Atoms {
		if m.Atoms[i].CIP == CIPNone || onPath == nil || !onPath[i] {
			continue
		}
		if last >= 0 {
			d := Racemic
			if m.Atoms[last].CIP == m.Atoms[i].CIP {
				d = Meso
			}
			m.Atoms[last].Diads[1], m.Atoms[i].Diads[0] = d, d
		}
		last = i
	}
}

// hydroxylCarbons finds the first aliphatic carbon with a hydroxyl group that
// has a carbonyl as well, and the first that has not; -1 if there is none.
func (m *Mol) hydroxylCarbons() (acid, alcohol int32) {
	acid, alcohol = -1, -1
	for i := range int32(len(m.Atoms)) {
		if m.Atoms[i].Element != carbon || m.Atoms[i].Aromatic {
			continue
		}
		hydroxyl, carbonyl := false, false
		for _, nb := range m.adj[i] {
			if o := &m.Atoms[nb.Atom]; o.Element != oxygen || o.Aromatic {
				continue
			}
			switch m.Bonds[nb.Bond].Kind {
			case Single:
				hydroxyl = hydroxyl || m.totalHydrogens(nb.Atom) == 1
			case Double:
				carbonyl = true
			}
		}
		if hydroxyl && carbonyl && acid < 0 {
			acid = i
		}
		if hydroxyl && !carbonyl && alcohol < 0 {
			alcohol = i
		}
	}
	return acid, alcohol
}

// totalHydrogens counts an atom's hydrogens, atoms of their own or not.
func (m *Mol) totalHydrogens(i int32) int {
	n := m.TotalHs(int(i))
	for _, nb := range m.adj[i] {
		if m.Atoms[nb.Atom].Element == hydrogen {
			n++
		}
	}
	return n
}

// shortestPath marks the atoms of the shortest path between two atoms, the one
// that meets lower bonds first if there are several; nil if there is none.
func (m *Mol) shortestPath(from, to int32) []bool {
	before := make([]int32, len(m.Atoms)) // 1 + the atom one step closer to from
	before[from] = from + 1
	queue := []int32{from}
	for at := 0; before[to] == 0 && at < len(queue); at++ {
		for _, nb := range m.adj[queue[at]] {
			if before[nb.Atom] == 0 {
				before[nb.Atom] = queue[at] + 1
				queue = append(queue, nb.Atom)
			}
		}
	}
	if before[to] == 0 {
		return nil
	}
	on := make([]bool, len(m.Atoms))
	for a := to; ; a = before[a] - 1 {
		on[a] = true
		if a == from {
			return on
		}
	}
}
