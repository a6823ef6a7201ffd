package featurize_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/featurize/smiles"
)

// The clusters of the shipped table's repeat units are RDKit's.
func TestButinaBesideRDKit(t *testing.T) {
	python := os.Getenv("RDKIT_PYTHON")
	if python == "" {
		t.Skip("RDKIT_PYTHON names no Python with RDKit: see .ci/peers")
	}
	d, _ := data.Shipped("polymers_seven_properties")
	table, _, err := data.Parse(t.Context(), []*data.Sheet{d.Sheet()}, data.Columns{}, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	var units []string
	var prints []featurize.Fingerprint
	for i := range table.Structures {
		m, err := smiles.Read(table.Structures[i].RepeatUnit)
		if err != nil {
			t.Fatal(err)
		}
		units, prints = append(units, table.Structures[i].RepeatUnit), append(prints, featurize.NewFingerprint(m))
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", `
import json, sys
from rdkit import Chem, DataStructs, RDLogger
from rdkit.Chem import AllChem
from rdkit.ML.Cluster import Butina
RDLogger.DisableLog("rdApp.*")
prints = [AllChem.GetMorganFingerprint(Chem.MolFromSmiles(s.strip()), 2) for s in sys.stdin]
distances = [1 - s for i, f in enumerate(prints) for s in DataStructs.BulkTanimotoSimilarity(f, prints[:i])]
print(json.dumps(Butina.ClusterData(distances, len(prints), 0.4, isDistData=True)))`)
	cmd.Stdin, cmd.Stderr = strings.NewReader(strings.Join(units, "\n")), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var clusters [][]int
	if err := json.Unmarshal(out, &clusters); err != nil {
		t.Fatal(err)
	}
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
