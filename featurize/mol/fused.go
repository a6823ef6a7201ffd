package mol

import (
	"cmp"
	"math/bits"
	"slices"
)

// Limits on ring systems, far above what chemistry has and RDKit can perceive,
// so that a hostile SMILES costs milliseconds.
const (
	maxSteps      = 1 << 23 // bonds looked at in search of candidate cycles
	maxCycleWords = 1 << 19 // 64-bit words of candidate cycles
	maxReductions = 1 << 23 // words combined to tell them apart
	maxFamily     = 4096    // rings of one family, and of one ring system
)

// fusedBlock is the scratch for one fused ring system. Atoms and bonds are
// numbered locally.
type fusedBlock struct {
	atoms []int32 // global index of each atom
	bonds []int32 // global index of each bond

	start []int32 // atom: first of its entries in nbrs; one more at the end
	nbrs  []Neighbor

	rank   []int32 // place in the order by degree, then by number
	dist   []int32 // distance from the root, -1 = not reached
	pred   []int32 // a neighbour one step nearer by way of lower ranks, -1 = there is none
	branch []int32 // the root's neighbour that pred leads to
	queue  []int32 // atoms reached, nearest first
	lower  []int32 // those with a pred, nearest first
	steps  int     // bonds looked at
	paths  []int   // number of shortest paths to the root by way of lower atoms
	pPaths []int32
	qPaths []int32

	cycles []cycle
	words  []uint64 // the cycles' bonds, as sets
	pivot  []int32  // bond: 1 + the basis row that starts with it
	rows   []int32  // basis row: the cycle whose set it is
}

// cycle is the prototype of a family of cycles of equal size: two shortest paths
// from a root, to p and to q, which are joined by a bond or by way of atom x.
type cycle struct {
	root, p, q, x int32 // x is -1 if p and q are bonded
	size          int32
	set           int32 // number of its set of bonds
	relevant      bool
	basis         bool
}

// far is an atom of the cycle across from the root: x or, without one, p.
func (c *cycle) far() int32 {
	if c.x < 0 {
		return c.p
	}
	return c.x
}

// relevantCycles finds the rings of a block with more bonds than atoms: Vismara,
// "Union of all the minimum cycle bases of a graph", Electronic Journal of
// Combinatorics 4 (1997). It takes O(atoms × bonds) plus the reduction of the
// candidate cycles.
func (f *ringFinder) relevantCycles(atoms, bonds []int32) error {
	s := &f.fused
	s.load(f, bonds)
	words, rank := (len(bonds)+63)/64, len(bonds)-len(atoms)+1
	// Few molecules need to be searched further than for usual rings.
	for _, depth := range [...]int{usualDepth, len(atoms)} {
		s.cycles, s.words = s.cycles[:0], s.words[:0]
		for root := range int32(len(atoms)) {
			s.search(root, int32(depth))
			s.findCycles(root, words)
			if s.steps > maxSteps || len(s.words) > maxCycleWords {
				return f.tooComplex("ring system with too many rings")
			}
		}
		slices.SortStableFunc(s.cycles, func(a, b cycle) int {
			return cmp.Or(cmp.Compare(a.size, b.size), cmp.Compare(a.root, b.root), cmp.Compare(a.far(), b.far()))
		})
		found, ok := s.pickRelevant(words, rank)
		if !ok {
			return f.tooComplex("ring system with too many rings")
		}
		if found == rank {
			break
		}
	}
	left := maxFamily
	for _, c := range s.cycles {
		if c.relevant {
			left -= f.addFamily(c, left)
		}
	}
	return nil
}

// usualDepth is how far from its root a ring of 24 atoms goes.
const usualDepth = 12

func (f *ringFinder) tooComplex(reason string) error {
	first := slices.Min(f.fused.atoms)
	return &ComplexityError{Pos: int(f.m.Atoms[first].Pos), Reason: reason}
}

// load numbers the block's bonds and lists each atom's neighbours in it.
func (s *fusedBlock) load(f *ringFinder, bonds []int32) {
	n := len(s.atoms)
	s.bonds = append(s.bonds[:0], bonds...)
	s.start = resize(s.start, n+1)
	s.nbrs = resize(s.nbrs, 2*len(bonds))
	for _, b := range bonds {
		s.start[f.local[f.m.Bonds[b].Begin]]++
		s.start[f.local[f.m.Bonds[b].End]]++
	}
	sum := int32(0)
	for i, d := range s.start {
		sum += d
		s.start[i] = sum
	}
	for k := len(bonds) - 1; k >= 0; k-- {
		i, j := f.local[f.m.Bonds[bonds[k]].Begin], f.local[f.m.Bonds[bonds[k]].End]
		s.start[i]--
		s.nbrs[s.start[i]] = Neighbor{j, int32(k)}
		s.start[j]--
		s.nbrs[s.start[j]] = Neighbor{i, int32(k)}
	}
	s.dist, s.pred, s.branch = resize(s.dist, n), resize(s.pred, n), resize(s.branch, n)
	s.queue, s.lower, s.paths = resize(s.queue, n), resize(s.lower, n)[:0], resize(s.paths, n)
	s.rank = resize(s.rank, n)
	s.steps = 0
	s.rankByDegree()
	s.queue = s.queue[:0]
	for i := range n {
		s.dist[i], s.pred[i] = -1, -1
	}
}

// rankByDegree ranks the atoms. It uses queue.
func (s *fusedBlock) rankByDegree() {
	for i := range s.queue {
		s.queue[i] = int32(i)
	}
	slices.SortFunc(s.queue, func(i, j int32) int {
		return cmp.Or(cmp.Compare(len(s.neighbors(i)), len(s.neighbors(j))), cmp.Compare(i, j))
	})
	for rank, i := range s.queue {
		s.rank[i] = int32(rank)
	}
}

// resize returns a zeroed slice of that length, of the same array if it fits.
func resize[T any](s []T, n int) []T {
	if cap(s) < n {
		return make([]T, n)
	}
	s = s[:n]
	clear(s)
	return s
}

func (s *fusedBlock) neighbors(i int32) []Neighbor { return s.nbrs[s.start[i]:s.start[i+1]] }

// search sets dist for the atoms up to that distance from the root, and pred and
// branch for those that a shortest path leads to by way of ranks lower than the
// root's.
func (s *fusedBlock) search(root, depth int32) {
	for _, i := range s.queue {
		s.dist[i], s.pred[i] = -1, -1
	}
	queue := append(s.queue[:0], root)
	s.dist[root] = 0
	for head := 0; head < len(queue) && s.dist[queue[head]] < depth; head++ {
		i := queue[head]
		nbrs := s.neighbors(i)
		s.steps += len(nbrs)
		for _, nb := range nbrs {
			if s.dist[nb.Atom] < 0 {
				s.dist[nb.Atom] = s.dist[i] + 1
				queue = append(queue, nb.Atom)
			}
		}
	}
	lower := append(s.lower[:0], root)
	s.pred[root], s.branch[root] = root, root
	for head := 0; head < len(lower); head++ {
		i := lower[head]
		for _, nb := range s.neighbors(i) {
			j := nb.Atom
			if s.rank[j] < s.rank[root] && s.pred[j] < 0 && s.dist[j] == s.dist[i]+1 {
				s.pred[j] = i
				if s.branch[j] = s.branch[i]; i == root {
					s.branch[j] = j
				}
				lower = append(lower, j)
			}
		}
	}
	s.queue, s.lower = queue, lower[1:]
}

// findCycles lists the prototypes in which the root ranks highest.
func (s *fusedBlock) findCycles(root int32, words int) {
	for _, y := range s.lower {
		nbrs := s.neighbors(y)
		for k, a := range nbrs {
			z := a.Atom
			if s.pred[z] < 0 {
				continue
			}
			switch s.dist[z] - s.dist[y] {
			case 0:
				if s.rank[z] < s.rank[y] && s.branch[z] != s.branch[y] {
					s.addCycle(cycle{root: root, p: y, q: z, x: -1, size: 2*s.dist[y] + 1}, words)
				}
			case -1:
				for _, b := range nbrs[:k] {
					if p := b.Atom; s.pred[p] >= 0 && s.dist[p] == s.dist[z] && s.branch[p] != s.branch[z] {
						s.addCycle(cycle{root: root, p: p, q: z, x: y, size: 2 * s.dist[y]}, words)
					}
				}
			}
		}
	}
}

// addCycle keeps a prototype and its set of bonds.
func (s *fusedBlock) addCycle(c cycle, words int) {
	c.set = int32(len(s.cycles))
	s.cycles = append(s.cycles, c)
	for range words {
		s.words = append(s.words, 0)
	}
	set := s.words[len(s.words)-words:]
	put := func(i, j int32) {
		for _, nb := range s.neighbors(i) {
			if nb.Atom == j {
				set[nb.Bond/64] |= 1 << (nb.Bond % 64)
				return
			}
		}
	}
	for _, end := range [...]int32{c.p, c.q} {
		for i := end; i != c.root; i = s.pred[i] {
			put(i, s.pred[i])
		}
	}
	if c.x < 0 {
		put(c.p, c.q)
	} else {
		put(c.p, c.x)
		put(c.x, c.q)
	}
}

// pickRelevant marks the cycles that are no sums of smaller ones, by Gaussian
// elimination over the field of two elements, and among them a basis. It returns
// the size of that, and whether it came to an end within the limits.
func (s *fusedBlock) pickRelevant(words, rank int) (found int, ok bool) {
	s.pivot = resize(s.pivot, len(s.bonds))
	s.rows = s.rows[:0]
	work := 0
	for first := 0; first < len(s.cycles) && len(s.rows) < rank; {
		last := first
		for last < len(s.cycles) && s.cycles[last].size == s.cycles[first].size {
			last++
		}
		group := s.cycles[first:last]
		for i := range group {
			group[i].relevant = s.reduce(group[i].set, words, &work) >= 0
		}
		for i := range group {
			if c := &group[i]; c.relevant {
				if lead := s.reduce(c.set, words, &work); lead >= 0 {
					c.basis = true
					s.rows = append(s.rows, c.set)
					s.pivot[lead] = int32(len(s.rows))
				}
			}
		}
		if work > maxReductions {
			return len(s.rows), false
		}
		first = last
	}
	return len(s.rows), true
}

// reduce adds basis rows to a set until its first bond starts no row, and
// returns that bond, or -1 if nothing is left.
func (s *fusedBlock) reduce(set int32, words int, work *int) int {
	v := s.words[int(set)*words:][:words]
	for w := 0; w < words; {
		if v[w] == 0 {
			w++
			continue
		}
		lead := 64*w + bits.TrailingZeros64(v[w])
		row := s.pivot[lead]
		if row == 0 {
			return lead
		}
		for k, x := range s.words[int(s.rows[row-1])*words:][:words] {
			v[k] ^= x
		}
		*work += words
	}
	return -1
}
