package mol

import "slices"

// addFamily adds the rings of the family of a relevant cycle: any shortest path
// from its root to p with any to q. If they are more than limit it adds one. It
// returns how many it added.
func (f *ringFinder) addFamily(c cycle, limit int) int {
	s := &f.fused
	s.search(c.root)
	f.countPaths(c)
	size := int(c.size)
	if n := s.paths[c.p]; n > limit || s.paths[c.q] > limit || n*s.paths[c.q] > limit {
		ring := f.cut(size)
		f.trace(ring, c, s.firstPath(c.p), s.firstPath(c.q))
		f.add(ring, c.basis)
		f.markUnion(c)
		return 1
	}
	basis := c.basis
	ps, qs := s.allPaths(c.p), s.allPaths(c.q)
	for _, p := range ps {
		for _, q := range qs {
			ring := f.cut(size)
			f.trace(ring, c, p, q)
			f.add(ring, basis)
			basis = false
		}
	}
	return len(ps) * len(qs)
}

// trace writes the ring of two paths, each from its end to just before the
// root.
func (f *ringFinder) trace(ring []int32, c cycle, p, q []int32) {
	ring = append(ring[:0], c.root)
	for k := len(p) - 1; k >= 0; k-- {
		ring = append(ring, p[k])
	}
	if c.x >= 0 {
		ring = append(ring, c.x)
	}
	ring = append(ring, q...)
	for k, i := range ring {
		ring[k] = f.fused.atoms[i]
	}
}

// nearer reports whether j is one step nearer to the root than i, by way of
// lower atoms.
func (s *fusedBlock) nearer(i, j int32) bool { return s.pred[j] >= 0 && s.dist[j]+1 == s.dist[i] }

// countPaths sets the number of shortest paths from the root to the atoms
// towards p and q. It stops counting beyond maxFamily.
func (f *ringFinder) countPaths(c cycle) {
	s := &f.fused
	clear(s.paths)
	s.paths[c.root] = 1
	// The queue of the search lists atoms by ascending distance.
	for _, i := range s.byDistance(max(s.dist[c.p], s.dist[c.q])) {
		if i == c.root || s.pred[i] < 0 {
			continue
		}
		for _, nb := range s.neighbors(i) {
			if s.nearer(i, nb.Atom) {
				s.paths[i] = min(s.paths[i]+s.paths[nb.Atom], maxFamily+1)
			}
		}
	}
}

// byDistance lists the atoms up to that distance from the root, nearest first.
func (s *fusedBlock) byDistance(limit int32) []int32 {
	order := s.queue[:len(s.atoms)]
	for k, i := range order {
		if s.dist[i] > limit {
			return order[:k]
		}
	}
	return order
}

// firstPath is one shortest path from atom i to just before the root.
func (s *fusedBlock) firstPath(i int32) []int32 {
	var path []int32
	for ; s.dist[i] > 0; i = s.pred[i] {
		path = append(path, i)
	}
	return path
}

// allPaths lists the shortest paths from atom i to just before the root.
func (s *fusedBlock) allPaths(i int32) [][]int32 {
	paths := [][]int32{{i}}
	for d := s.dist[i] - 1; d > 0; d-- {
		var longer [][]int32
		for _, path := range paths {
			end := path[len(path)-1]
			for _, nb := range s.neighbors(end) {
				if s.nearer(end, nb.Atom) {
					longer = append(longer, append(slices.Clip(path), nb.Atom))
				}
			}
		}
		paths = longer
	}
	return paths
}

// markUnion marks all atoms and bonds of a family without listing its rings.
func (f *ringFinder) markUnion(c cycle) {
	s := &f.fused
	seen := make([]bool, len(s.atoms))
	seen[c.p], seen[c.q] = true, true
	atoms, bonds := []int32{}, []int32{}
	if c.x < 0 {
		bonds = append(bonds, s.bondBetween(c.p, c.q))
	} else {
		seen[c.x] = true
		bonds = append(bonds, s.bondBetween(c.p, c.x), s.bondBetween(c.x, c.q))
	}
	order := s.byDistance(max(s.dist[c.p], s.dist[c.q]) + 1)
	for k := len(order) - 1; k >= 0; k-- {
		i := order[k]
		if !seen[i] {
			continue
		}
		atoms = append(atoms, s.atoms[i])
		if i == c.x {
			continue
		}
		for _, nb := range s.neighbors(i) {
			if s.nearer(i, nb.Atom) {
				seen[nb.Atom] = true
				bonds = append(bonds, s.bonds[nb.Bond])
			}
		}
	}
	f.mark(atoms, bonds, int(c.size))
}

// bondBetween is the global index of the bond of two atoms of the block.
func (s *fusedBlock) bondBetween(i, j int32) int32 {
	for _, nb := range s.neighbors(i) {
		if nb.Atom == j {
			return s.bonds[nb.Bond]
		}
	}
	return -1
}
