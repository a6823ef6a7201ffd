package featurize_test

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"strings"
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/featurize/smiles"
)

// shippedPrints are the repeat units of every so many rows of the shipped table, with
// their fingerprints.
func shippedPrints(t *testing.T, every int) (units []string, prints []featurize.Fingerprint) {
	t.Helper()
	d, _ := data.Shipped("polymers_seven_properties")
	table, _, err := data.Parse(t.Context(), []*data.Sheet{d.Sheet()}, data.Columns{}, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for row := 0; row < table.Rows(); row += every {
		m, err := smiles.Read(table.Structures[row].RepeatUnit)
		if err != nil {
			t.Fatal(err)
		}
		units, prints = append(units, table.Structures[row].RepeatUnit), append(prints, featurize.NewFingerprint(m))
	}
	return units, prints
}

// askRDKit has RDKit compute an expression over prints, the Morgan fingerprints of
// units, and reads it as JSON.
func askRDKit(t *testing.T, units []string, expression string, into any) {
	t.Helper()
	python := os.Getenv("RDKIT_PYTHON")
	if python == "" {
		t.Skip("RDKIT_PYTHON names no Python with RDKit: see .ci/peers")
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", `
import json, sys
from rdkit import Chem, DataStructs, RDLogger
from rdkit.Chem import AllChem
from rdkit.ML.Cluster import Butina
RDLogger.DisableLog("rdApp.*")
prints = [AllChem.GetMorganFingerprint(Chem.MolFromSmiles(s.strip()), 2) for s in sys.stdin]
print(json.dumps(`+expression+`))`)
	cmd.Stdin, cmd.Stderr = strings.NewReader(strings.Join(units, "\n")), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatal(err)
	}
}

// The similarities of shipped repeat units are RDKit's.
func TestTanimotoBesideRDKit(t *testing.T) {
	units, prints := shippedPrints(t, 15)
	var want [][]float64
	askRDKit(t, units, `[DataStructs.BulkTanimotoSimilarity(f, prints) for f in prints]`, &want)
	for i := range prints {
		for j := range prints {
			if got := prints[i].Tanimoto(prints[j]); math.Abs(got-want[i][j]) > 1e-12 {
				t.Fatalf("%s and %s are alike by %v, RDKit has %v", units[i], units[j], got, want[i][j])
			}
		}
	}
}
