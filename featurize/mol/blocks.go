package mol

// A block is a set of bonds any two of which lie on a common ring: a maximal
// part of the molecule that no single atom holds together. Dative bonds belong
// to none, since RDKit closes no rings over them.

// blocks calls visit with the bonds of every block of at least three, in no
// particular order. The slice is only valid during the call. It takes O(n) time
// (Hopcroft and Tarjan, Algorithm 447, CACM 1973) and no recursion.
func (m *Mol) blocks(visit func(bonds []int32)) {
	n := int32(len(m.Atoms))
	if len(m.Bonds) < 3 {
		return
	}
	slab := make([]int32, 6*int(n)+len(m.Bonds))
	order, slab := slab[:n:n], slab[n:] // 1 + when the search reached an atom, 0 = not yet
	low, slab := slab[:n:n], slab[n:]   // the earliest atom its subtree has a bond to
	next, slab := slab[:n:n], slab[n:]  // its next neighbour to look at
	path, slab := slab[:0:n], slab[n:]  // atoms from the root to the current one
	by, slab := slab[:0:n], slab[n:]    // the bonds they were reached by
	mark, slab := slab[:0:n], slab[n:]  // where those are in bonds
	bonds := slab[:0]                   // bonds seen but not yet in a block
	time := int32(0)
	for root := range n {
		if order[root] != 0 {
			continue
		}
		time++
		order[root], low[root] = time, time
		path, by, mark = append(path[:0], root), append(by[:0], -1), append(mark[:0], 0)
		for len(path) > 0 {
			i := path[len(path)-1]
			if int(next[i]) < len(m.adj[i]) {
				nb := m.adj[i][next[i]]
				next[i]++
				switch {
				case m.Bonds[nb.Bond].Kind == Dative || nb.Bond == by[len(by)-1]:
				case order[nb.Atom] == 0:
					path, by, mark = append(path, nb.Atom), append(by, nb.Bond), append(mark, int32(len(bonds)))
					bonds = append(bonds, nb.Bond)
					time++
					order[nb.Atom], low[nb.Atom] = time, time
				case order[nb.Atom] < order[i]: // back to an atom on the path
					bonds = append(bonds, nb.Bond)
					low[i] = min(low[i], order[nb.Atom])
				}
				continue
			}
			last := len(path) - 1
			start := mark[last]
			path, by, mark = path[:last], by[:last], mark[:last]
			if last == 0 {
				break
			}
			parent := path[last-1]
			low[parent] = min(low[parent], low[i])
			if low[i] >= order[parent] { // nothing below i leads above its parent
				if block := bonds[start:]; len(block) >= 3 {
					visit(block)
				}
				bonds = bonds[:start]
			}
		}
	}
}
