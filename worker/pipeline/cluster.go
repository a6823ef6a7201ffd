package pipeline

import (
	"fmt"
	"strings"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/featurize/smiles"
)

// What a cluster is: Butina's, of Morgan counts at this Tanimoto similarity. Each pair
// of structures is compared.
const (
	clusterSimilarity = 0.6
	mostClustered     = 30_000
)

// clusterKeys names the cluster of each row's structure as the row states it.
func clusterKeys(t *data.Table) ([]string, error) {
	number := map[string]int{} // of each distinct structure
	of := make([]int, t.Rows())
	var prints []featurize.Fingerprint
	for row := range of {
		s := &t.Structures[row]
		text, _ := s.Field(string(s.Notation()))
		if s.Notation() == data.Monomers {
			text = strings.Join(s.Monomers, ".")
		}
		n, ok := number[text]
		if !ok {
			m, err := smiles.Read(text)
			if err != nil {
				return nil, fmt.Errorf("row %d: %w", row, err)
			}
			n = len(prints)
			number[text] = n
			prints = append(prints, featurize.NewFingerprint(m))
		}
		of[row] = n
	}
	if len(prints) > mostClustered {
		return nil, failure("invalid_split", "the table has %d different structures, more than the %d that are clustered; group_by something else", len(prints), mostClustered)
	}
	cluster := featurize.Butina(prints, clusterSimilarity)
	keys := make([]string, t.Rows())
	for row, n := range of {
		keys[row] = fmt.Sprint(cluster[n])
	}
	return keys, nil
}
