package featurize_test

import (
	"slices"
	"testing"

	"polyid-trainer/featurize"
)

// The clusters of the shipped table's repeat units are RDKit's.
func TestButinaBesideRDKit(t *testing.T) {
	units, prints := shippedPrints(t, 1)
	var clusters [][]int
	askRDKit(t, units, `Butina.ClusterData([1 - s for i, f in enumerate(prints) for s in DataStructs.BulkTanimotoSimilarity(f, prints[:i])],
	len(prints), 0.4, isDistData=True)`, &clusters)
	want := make([]int, len(units))
	for c, members := range clusters {
		for _, i := range members {
			want[i] = c
		}
	}
	if got := featurize.Butina(prints, 0.6); !slices.Equal(got, want) {
		differ := 0
		for i := range got {
			if got[i] != want[i] {
				differ++
			}
		}
		t.Errorf("%d of %d units are in other clusters than RDKit's %d", differ, len(units), len(clusters))
	}
}
