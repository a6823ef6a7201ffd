package mol

// addFamily adds the rings of the family of a relevant cycle: any shortest path
// from its root to p with any to q. If they are more than limit it adds one. It
// returns how many it added.
func (f *ringFinder) addFamily(c cycle, limit int) int {
	s := &f.fused
	size := int(c.size)
	s.search(c.root, c.size/2)
	s.countPaths()
	if n := s.paths[c.p]; n > limit || s.paths[c.q] > limit || n*s.paths[c.q] > limit {
		ring := f.cut(size)
		f.trace(ring, c, s.firstPath(c.p), s.firstPath(c.q))
		f.add(ring, c.basis)
		f.markUnion(c)
		return 1
	}
	basis, dp, dq := c.basis, int(s.dist[c.p]), int(s.dist[c.q])
	s.pPaths, s.qPaths = s.allPaths(s.pPaths, c.p), s.allPaths(s.qPaths, c.q)
	for p := 0; p < len(s.pPaths); p += dp {
		for q := 0; q < len(s.qPaths); q += dq {
			ring := f.cut(size)
			f.trace(ring, c, s.pPaths[p:p+dp], s.qPaths[q:q+dq])
			f.add(ring, basis)
			basis = false
		}
	}
	return s.paths[c.p] * s.paths[c.q]
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
// lower ranks.
func (s *fusedBlock) nearer(i, j int32) bool { return s.pred[j] >= 0 && s.dist[j]+1 == s.dist[i] }

// countPaths sets the number of shortest paths from the root to the atoms
// reached by way of lower ranks. It stops counting beyond maxFamily.
func (s *fusedBlock) countPaths() {
	s.paths[s.queue[0]] = 1
	for _, i := range s.lower {
		s.paths[i] = 0
		for _, nb := range s.neighbors(i) {
			if s.nearer(i, nb.Atom) {
				s.paths[i] = min(s.paths[i]+s.paths[nb.Atom], maxFamily+1)
			}
		}
	}
}

// firstPath is one shortest path from atom i to just before the root.
func (s *fusedBlock) firstPath(i int32) []int32 {
	var path []int32
	for ; s.dist[i] > 0; i = s.pred[i] {
		path = append(path, i)
	}
	return path
}

// allPaths lists the shortest paths from atom i to just before the root, one
// after the other and firstPath first, in dst's array if they fit. It needs the
// number of paths.
func (s *fusedBlock) allPaths(dst []int32, i int32) []int32 {
	n, length := s.paths[i], int(s.dist[i])
	dst = resize(dst, n*length)
	for at := 0; at < len(dst); at += length {
		dst[at] = i
	}
	// Column by column: as many rows go on to a neighbour as it has paths.
	for col := 1; col < length; col++ {
		for row := 0; row < n; {
			j := dst[row*length+col-1]
			for range s.paths[s.pred[j]] {
				dst[row*length+col] = s.pred[j]
				row++
			}
			for _, nb := range s.neighbors(j) {
				if nb.Atom == s.pred[j] || !s.nearer(j, nb.Atom) {
					continue
				}
				for range s.paths[nb.Atom] {
					dst[row*length+col] = nb.Atom
					row++
				}
			}
		}
	}
	return dst
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
	for k := len(s.queue) - 1; k >= 0; k-- {
		i := s.queue[k]
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
