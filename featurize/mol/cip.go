package mol

import "slices"

// CIPCode is the label of a tetrahedral centre.
type CIPCode uint8

// Labels of tetrahedral centres.
const (
	CIPNone CIPCode = iota
	CIPR
	CIPS
)

// cipRanks ranks the atoms of a molecule by CIP priority as RDKit's legacy
// perception does, after Labute, "An Efficient Algorithm for the Determination
// of Topological RS Chirality", Journal of the CCG (1996): atoms start ranked
// by what they are, and in synchronous rounds atoms of equal rank are told
// apart by the descending list of their neighbours' ranks, until a round
// changes nothing.
//
// Ranks are kept as an ordered partition. A round only looks at atoms with a
// neighbour whose cell changed in the round before, since the others compare
// as they did then, and when a cell splits its largest part keeps the cell, so
// an atom changes its cell at most log n times. That makes the whole
// O(b log n) comparisons for b bonds, where comparing every atom in every
// round takes O(b n) on a chain.
type cipRanks struct {
	m     *Mol
	order []int32 // atoms by ascending rank, cell after cell
	place []int32 // atom: its index in order
	cell  []int32 // atom: its cell
	cells []cipCell
	queue []int32 // atoms to compare in the next round
	inQ   []bool  // atom: is in queue

	// Scratch of one round.
	touched []int32    // cells with atoms to compare
	keys    []int32    // the keys of these atoms, one after the other
	keyAt   [][2]int32 // atom: its span of keys
	atoms   []int32    // last round's queue
	above   []int32    // atoms that go to the end of their cell's run
	cuts    []int      // where a cell's parts start, and where the last one ends
}

// cipCell is a run of order: the atoms of one rank.
type cipCell struct {
	first, size int32
	marked      int32 // atoms to compare, moved to the front of the run
}

// newCIPRanks ranks the atoms of m by constitution alone.
func newCIPRanks(m *Mol) *cipRanks {
	n := len(m.Atoms)
	slab := make([]int32, 4*n)
	r := &cipRanks{
		m:     m,
		order: slab[0*n : 1*n : 1*n],
		place: slab[1*n : 2*n : 2*n],
		cell:  slab[2*n : 3*n : 3*n],
		queue: slab[3*n : 3*n : 4*n],
		cells: make([]cipCell, 1, n+1),
		inQ:   make([]bool, n),
		keyAt: make([][2]int32, n),
	}
	if n == 0 {
		return r
	}
	for i := range r.order {
		r.order[i], r.place[i] = int32(i), int32(i)
	}
	r.cells[0] = cipCell{size: int32(n)}
	r.split(slices.Clone(r.order), r.elementKey)
	for a := range int32(n) {
		r.enqueue(a)
	}
	r.refine()
	return r
}

// rank is the CIP rank of atom a: higher is senior, equal is
// indistinguishable. Ranks are not dense.
func (r *cipRanks) rank(a int32) int32 { return r.cells[r.cell[a]].first }

// relabel tells atoms apart by their own labels and those of their double
// bonds, given the atoms at which these changed, and lets the news spread.
func (r *cipRanks) relabel(changed []int32) {
	r.split(changed, r.labelKey)
	r.refine()
}

// refine runs rounds until nothing changes. RDKit allows for n/2+1 rounds:
// what two atoms need to feel each other over half of the molecule.
func (r *cipRanks) refine() {
	for range len(r.m.Atoms)/2 + 1 {
		if len(r.queue) == 0 {
			return
		}
		r.atoms = append(r.atoms[:0], r.queue...)
		r.queue = r.queue[:0]
		for _, a := range r.atoms {
			r.inQ[a] = false
		}
		r.split(r.atoms, r.neighborKey)
	}
}

func (r *cipRanks) enqueue(a int32) {
	if !r.inQ[a] {
		r.inQ[a] = true
		r.queue = append(r.queue, a)
	}
}

// split splits cells by the keys of the given atoms; an atom may be given more
// than once. Those not given must have equal keys if they share a cell. All keys
// are taken before any rank changes. Neighbours of atoms that change their cell
// are enqueued.
func (r *cipRanks) split(atoms []int32, key func(dst []int32, a int32) []int32) {
	r.touched = r.touched[:0]
	for _, a := range atoms {
		c := &r.cells[r.cell[a]]
		if c.size == 1 {
			continue
		}
		if c.marked == 0 {
			r.touched = append(r.touched, r.cell[a])
		}
		i, j := c.first+c.marked, r.place[a]
		if j < i {
			continue // given before
		}
		b := r.order[i]
		r.order[i], r.place[a] = a, i
		r.order[j], r.place[b] = b, j
		c.marked++
	}
	r.keys = r.keys[:0]
	for _, id := range r.touched {
		c := r.cells[id]
		// One of the others speaks for all of them.
		for _, a := range r.order[c.first : c.first+min(c.marked+1, c.size)] {
			from := int32(len(r.keys))
			r.keys = key(r.keys, a)
			r.keyAt[a] = [2]int32{from, int32(len(r.keys))}
		}
	}
	for _, id := range r.touched {
		r.splitCell(id)
	}
}

func (r *cipRanks) key(a int32) []int32 { return r.keys[r.keyAt[a][0]:r.keyAt[a][1]] }

func (r *cipRanks) compare(a, b int32) int { return slices.Compare(r.key(a), r.key(b)) }

// splitCell sorts a cell's marked atoms into those below, with and above the
// others, and makes cells of what differs.
func (r *cipRanks) splitCell(id int32) {
	c := r.cells[id]
	r.cells[id].marked = 0
	run := r.order[c.first : c.first+c.size]
	marked, rest := run[:c.marked], run[c.marked:]
	slices.SortFunc(marked, r.compare)

	below, with := len(marked), len(marked)
	if len(rest) > 0 {
		other := rest[0]
		below, _ = slices.BinarySearchFunc(marked, other, r.compare)
		with = below
		for with < len(marked) && r.compare(marked[with], other) == 0 {
			with++
		}
	}
	r.cuts = append(r.cuts[:0], 0)
	for i := 1; i < below; i++ {
		if r.compare(run[i-1], run[i]) != 0 {
			r.cuts = append(r.cuts, i)
		}
	}
	if len(rest) > 0 && below > 0 {
		r.cuts = append(r.cuts, below)
	}
	for i := with; i < len(marked); i++ {
		if i == with || r.compare(run[i-1], run[i]) != 0 {
			r.cuts = append(r.cuts, i+len(rest))
		}
	}
	r.cuts = append(r.cuts, len(run))

	// The atoms above the others change places with the run's end.
	r.above = append(r.above[:0], marked[with:]...)
	n := len(r.above)
	k := min(n, len(rest))
	copy(run[with:with+k], run[len(run)-k:])
	copy(run[len(run)-n:], r.above)
	for i := range marked {
		r.place[run[i]] = c.first + int32(i)
	}
	for i := len(run) - n; i < len(run); i++ {
		r.place[run[i]] = c.first + int32(i)
	}
	r.cut(id)
}

// cut makes a cell of each part of cell id; r.cuts holds where the parts start
// and where the last one ends.
func (r *cipRanks) cut(id int32) {
	parts := len(r.cuts) - 1
	if parts == 1 {
		return
	}
	largest := 0
	for i := range parts {
		if r.cuts[i+1]-r.cuts[i] > r.cuts[largest+1]-r.cuts[largest] {
			largest = i
		}
	}
	first := r.cells[id].first
	for i := range parts {
		part := cipCell{first: first + int32(r.cuts[i]), size: int32(r.cuts[i+1] - r.cuts[i])}
		if i == largest {
			r.cells[id] = part
			continue
		}
		r.cells = append(r.cells, part)
		for _, a := range r.order[part.first : part.first+part.size] {
			r.cell[a] = int32(len(r.cells) - 1)
			for _, nb := range r.m.adj[a] {
				r.enqueue(nb.Atom)
			}
		}
	}
}

// elementKey is what an atom is before its surroundings count: element,
// isotope, atom map.
func (r *cipRanks) elementKey(dst []int32, a int32) []int32 {
	at := &r.m.Atoms[a]
	const massBits, half = 10, 512
	mass := int32(0)
	if at.Isotope != 0 {
		mass = int32(at.Isotope) - int32(at.Element.CommonIsotope())
		if mass >= 0 {
			mass++
		}
	}
	mass = max(0, mass+half) % (1 << massBits)
	mapped := int32(0)
	if at.Map != 0 {
		mapped = (at.Map + 1) % 1024
	}
	return append(dst, int32(at.Element)%128, mass, mapped)
}

// neighborKey lists the ranks of an atom's neighbours in descending order, each
// as often as twice the bond's order, and a 0 for each hydrogen that is no atom.
func (r *cipRanks) neighborKey(dst []int32, a int32) []int32 {
	from := len(dst)
	for _, nb := range r.m.adj[a] {
		rank := r.rank(nb.Atom) + 1
		for range r.weight(nb) {
			dst = append(dst, rank)
		}
	}
	slices.Sort(dst[from:])
	slices.Reverse(dst[from:])
	for range r.m.TotalHs(int(a)) {
		dst = append(dst, 0)
	}
	return dst
}

// weight is twice the order of the bond to nb, so that aromatic bonds have a
// whole one. A double bond to a phosphorus with three or four neighbours counts
// half a single bond, for d orbitals are not to count.
func (r *cipRanks) weight(nb Neighbor) int {
	switch r.m.Bonds[nb.Bond].Kind {
	case Single, Dative:
		return 2
	case Double:
		if d := r.m.Degree(int(nb.Atom)); r.m.Atoms[nb.Atom].Element == phosphorus && (d == 3 || d == 4) {
			return 1
		}
		return 4
	case Triple:
		return 6
	case Quadruple:
		return 8
	case AromaticBond:
		return 3
	}
	return 0
}

// labelKey supplements an atom's rank by what perception found: R over S over
// nothing, then the geometries of its double bonds.
func (r *cipRanks) labelKey(dst []int32, a int32) []int32 {
	label := int32(0)
	switch r.m.Atoms[a].CIP {
	case CIPS:
		label = 10
	case CIPR:
		label = 20
	}
	for _, nb := range r.m.adj[a] {
		if b := &r.m.Bonds[nb.Bond]; b.Kind == Double {
			switch b.Stereo {
			case StereoE:
				label++
			case StereoZ:
				label += 2
			}
		}
	}
	return append(dst, label)
}
