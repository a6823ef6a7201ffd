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

// The similarities of shipped repeat units are RDKit's.
func TestTanimotoBesideRDKit(t *testing.T) {
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
	for row := 0; row < table.Rows(); row += 15 {
		m, err := smiles.Read(table.Structures[row].RepeatUnit)
		if err != nil {
			t.Fatal(err)
		}
		units, prints = append(units, table.Structures[row].RepeatUnit), append(prints, featurize.NewFingerprint(m))
	}
	cmd := exec.CommandContext(t.Context(), python, "-c", `
import json, sys
from rdkit import Chem, DataStructs, RDLogger
from rdkit.Chem import AllChem
RDLogger.DisableLog("rdApp.*")
prints = [AllChem.GetMorganFingerprint(Chem.MolFromSmiles(s.strip()), 2) for s in sys.stdin]
print(json.dumps([DataStructs.BulkTanimotoSimilarity(f, prints) for f in prints]))`)
	cmd.Stdin, cmd.Stderr = strings.NewReader(strings.Join(units, "\n")), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var want [][]float64
	if err := json.Unmarshal(out, &want); err != nil {
		t.Fatal(err)
	}
	for i := range prints {
		for j := range prints {
			if got := prints[i].Tanimoto(prints[j]); math.Abs(got-want[i][j]) > 1e-12 {
				t.Fatalf("%s and %s are alike by %v, RDKit has %v", units[i], units[j], got, want[i][j])
			}
		}
	}
}
