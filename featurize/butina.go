package featurize

import (
	"cmp"
	"runtime"
	"slices"
	"sync"
)

// Butina clusters fingerprints: those within a similarity of a centre, the most
// populous neighbourhoods first (Butina, J. Chem. Inf. Comput. Sci. 1999, 39, 747), as
// RDKit's Butina.ClusterData does with a distance of 1 − similarity. It gives each
// one's cluster, numbered in that order. Cost: the comparison of all pairs whose sizes
// allow it, on all cores, and a number for each pair that is alike.
func Butina(prints []Fingerprint, similarity float64) []int {
	near := make([][]int32, len(prints))
	var each sync.WaitGroup
	cores := runtime.GOMAXPROCS(0)
	for core := range cores {
		each.Go(func() {
			for i := core; i < len(prints); i += cores {
				near[i] = neighboursOf(prints, i, similarity)
			}
		})
	}
	each.Wait()
	order := make([]int, len(prints))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(a, b int) int { return cmp.Or(cmp.Compare(len(near[b]), len(near[a])), cmp.Compare(b, a)) })
	cluster := make([]int, len(prints))
	for i := range cluster {
		cluster[i] = -1
	}
	next := 0
	for _, i := range order {
		if cluster[i] >= 0 {
			continue
		}
		cluster[i] = next
		for _, j := range near[i] {
			if cluster[j] < 0 {
				cluster[j] = next
			}
		}
		next++
	}
	return cluster
}

// neighboursOf lists the other fingerprints within a similarity of one.
func neighboursOf(prints []Fingerprint, i int, similarity float64) []int32 {
	var out []int32
	own := &prints[i]
	for j := range prints {
		other := &prints[j]
		least, most := min(own.total, other.total), max(own.total, other.total)
		if j != i && float64(least) >= similarity*float64(most)*(1-1e-9) && 1-own.Tanimoto(*other) <= 1-similarity {
			out = append(out, int32(j))
		}
	}
	return out
}
