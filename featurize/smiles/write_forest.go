package smiles

import (
	"cmp"
	"iter"
	"slices"

	"polyid-trainer/featurize/mol"
)

// forest is one depth-first tree per fragment. Bonds outside it join an atom
// with one of its ancestors, whatever order the children are written in: the
// ancestor opens the ring and the descendant closes it.
type forest struct {
	rank  []int32
	roots []int32
	up    []int32 // atom → bond to its parent, -1 for roots
	visit []int32 // atom → when it was reached; parents before children
	size  []int32 // atom → atoms in its subtree, itself included
}

// newForest spans m, taking atoms by rank (by index if nil). It costs
// O(n log n).
func newForest(m *mol.Mol, rank []int32) forest {
	n := len(m.Atoms)
	slab := make([]int32, 5*n)
	f := forest{rank: rank, up: slab[:n], visit: slab[n : 2*n], size: slab[2*n : 3*n]}
	next, path := slab[3*n:4*n], slab[4*n:4*n:5*n]
	for i := range n {
		f.up[i], f.visit[i], f.size[i] = -1, unseen, 1
	}
	var order func(i int32) []mol.Neighbor
	if rank == nil && !slices.ContainsFunc(m.Bonds, ringAny) {
		order = func(i int32) []mol.Neighbor { return m.Neighbors(int(i)) }
	} else {
		order = f.sorted(m)
	}

	var time int32
	reach := func(i int32) {
		f.visit[i] = time
		time++
		path = append(path, i)
	}
	var search []int32
	for _, root := range f.starts(n) {
		if f.visit[root] >= 0 {
			continue
		}
		if rank == nil {
			root, search = farthestEnd(m, root, f.visit, search)
		}
		f.roots = append(f.roots, root)
		reach(root)
		for len(path) > 0 {
			i := path[len(path)-1]
			nbrs := order(i)
			for int(next[i]) < len(nbrs) && f.visit[nbrs[next[i]].Atom] >= 0 {
				next[i]++
			}
			if int(next[i]) < len(nbrs) {
				nb := nbrs[next[i]]
				f.up[nb.Atom] = nb.Bond
				reach(nb.Atom)
				continue
			}
			path = path[:len(path)-1]
			if len(path) > 0 {
				f.size[path[len(path)-1]] += f.size[i]
			}
		}
	}
	return f
}

// unseen and seen mark atoms that are not in the forest yet.
const (
	unseen = -1
	seen   = -2
)

// farthestEnd is where to start a fragment: at the atom given if it is the end
// of a chain, at the farthest end from it otherwise, or at the atom itself if
// there is none. It uses visit to mark what it has seen, and search as memory.
func farthestEnd(m *mol.Mol, from int32, visit, search []int32) (root int32, memory []int32) {
	root = from
	if m.Degree(int(from)) <= 1 {
		return root, search
	}
	search = append(search[:0], from)
	visit[from] = seen
	for at := 0; at < len(search); at++ {
		i := search[at]
		if m.Degree(int(i)) == 1 {
			root = i
		}
		for _, nb := range m.Neighbors(int(i)) {
			if visit[nb.Atom] == unseen {
				visit[nb.Atom] = seen
				search = append(search, nb.Atom)
			}
		}
	}
	return root, search
}

// starts lists the atoms in the order in which fragments are looked for.
func (f *forest) starts(n int) []int32 {
	s := make([]int32, n)
	for i := range s {
		if f.rank == nil {
			s[i] = int32(i)
		} else {
			s[f.rank[i]] = int32(i)
		}
	}
	return s
}

// ringAny reports whether b is a ~ bond in a ring. The reader, like RDKit, takes
// ~ before a ring number for a single bond, so these should be in the tree.
func ringAny(b mol.Bond) bool { return b.Kind == mol.Any && b.Ring != 0 }

// sorted returns each atom's neighbours by rank, but those across ~ first.
func (f *forest) sorted(m *mol.Mol) func(i int32) []mol.Neighbor {
	slab := make([]mol.Neighbor, 0, 2*len(m.Bonds))
	start := make([]int32, len(m.Atoms)+1)
	for i := range m.Atoms {
		slab = append(slab, m.Neighbors(i)...)
		start[i+1] = int32(len(slab))
		slices.SortFunc(slab[start[i]:], func(a, b mol.Neighbor) int {
			if x, y := ringAny(m.Bonds[a.Bond]), ringAny(m.Bonds[b.Bond]); x != y {
				if x {
					return -1
				}
				return 1
			}
			return f.before(a.Atom, b.Atom)
		})
	}
	return func(i int32) []mol.Neighbor { return slab[start[i]:start[i+1]] }
}

// before compares two atoms by rank.
func (f *forest) before(a, b int32) int {
	if f.rank != nil {
		a, b = f.rank[a], f.rank[b]
	}
	return cmp.Compare(a, b)
}

// opens reports whether the ring bond to nb opens at atom i.
func (f *forest) opens(i int32, nb mol.Neighbor) bool { return f.visit[i] < f.visit[nb.Atom] }

// ringBonds yields the bonds of atom i outside the forest, those that close at
// i before those that open there, each by the far end's order of visit.
func (f *forest) ringBonds(m *mol.Mol, i int32) iter.Seq[mol.Neighbor] {
	return func(yield func(mol.Neighbor) bool) {
		var few [8]mol.Neighbor
		list := few[:0]
		for _, nb := range m.Neighbors(int(i)) {
			if nb.Bond != f.up[i] && nb.Bond != f.up[nb.Atom] {
				list = append(list, nb)
			}
		}
		if len(list) > 1 {
			// Ancestors were visited before i and descendants after it.
			slices.SortFunc(list, func(a, b mol.Neighbor) int { return cmp.Compare(f.visit[a.Atom], f.visit[b.Atom]) })
		}
		for _, nb := range list {
			if !yield(nb) {
				return
			}
		}
	}
}
