package data

import (
	"cmp"
	"strings"
)

// Groups assigns each row a group, numbered from 0 in the order of first rows.
// Rows of one group share a fold.
type Groups []int32

// GroupBy puts rows with equal keys together.
func GroupBy[K comparable](keys []K) Groups {
	g := make(Groups, len(keys))
	seen := make(map[K]int32)
	for i, k := range keys {
		id, ok := seen[k]
		if !ok {
			id = int32(len(seen))
			seen[k] = id
		}
		g[i] = id
	}
	return g
}

// Merge puts rows together that either grouping does, and whatever follows from
// that: the finest grouping coarser than both.
func (g Groups) Merge(h Groups) Groups {
	parent := make([]int32, len(g)) // a forest over rows; roots are the first rows
	for i := range parent {
		parent[i] = int32(i)
	}
	find := func(i int32) int32 {
		for parent[i] != i {
			parent[i] = parent[parent[i]]
			i = parent[i]
		}
		return i
	}
	for _, groups := range []Groups{g, h} {
		first := make(map[int32]int32)
		for i, id := range groups {
			f, ok := first[id]
			if !ok {
				first[id] = int32(i)
				continue
			}
			a, b := find(f), find(int32(i))
			parent[max(a, b)] = min(a, b)
		}
	}
	roots := make([]int32, len(g))
	for i := range roots {
		roots[i] = find(int32(i))
	}
	return GroupBy(roots)
}

// Members lists each group's rows, ascending.
func (g Groups) Members() [][]int {
	n := int32(0)
	for _, id := range g {
		n = max(n, id+1)
	}
	m := make([][]int, n)
	for row, id := range g {
		m[id] = append(m[id], row)
	}
	return m
}

// PolymerGroups puts rows of one polymer together: equal monomers, distribution
// and pm, an equal SMILES of a chain, or repeat units of one polymer by their
// Identity, or where there is none by their SMILES.
func (t *Table) PolymerGroups() Groups {
	recipes, texts := make([]string, t.Rows()), make([]string, t.Rows())
	for i := range t.Structures {
		s := &t.Structures[i]
		texts[i] = string(s.Notation()) + " " + s.Polymer
		switch s.Notation() {
		case RepeatUnit:
			texts[i] += cmp.Or(s.Identity, s.RepeatUnit)
		case Monomers:
			texts[i] += recipe(s)
		}
		recipes[i] = recipe(s)
		if recipes[i] == "" {
			recipes[i] = texts[i]
		}
	}
	return GroupBy(recipes).Merge(GroupBy(texts))
}

// recipe is what replicates of a polymer have in common; "" without monomers.
func recipe(s *Structure) string {
	if len(s.Monomers) == 0 {
		return ""
	}
	return strings.Join([]string{FormatMonomers(s.Monomers), formatDistribution(s.Distribution), formatNumber(s.PM)}, " ")
}
