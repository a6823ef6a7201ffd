package descriptor_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"testing"

	"polyid-trainer/featurize/descriptor"
	"polyid-trainer/featurize/smiles"
)

// TestEqualRDKit compares with the golden file that testdata/gen_golden.py makes.
func TestEqualRDKit(t *testing.T) {
	f, err := os.Open("testdata/descriptors.jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	all := descriptor.All()
	lines, wrong := 0, map[string]int{}
	for s := bufio.NewScanner(z); s.Scan(); lines++ {
		var want map[string]any
		if err := json.Unmarshal(s.Bytes(), &want); err != nil {
			t.Fatal(err)
		}
		m, err := smiles.Read(want["smiles"].(string))
		if err != nil {
			t.Fatalf("%v: %v", want["smiles"], err)
		}
		tolerance := 1e-6
		for i := range m.Atoms {
			if m.Atoms[i].Isotope != 0 {
				tolerance = 0.006 // see the weight's comment
			}
		}
		for _, d := range all {
			w, ok := want[d.Name].(float64)
			if !ok {
				continue
			}
			if got := d.Of(m); math.Abs(got-w) > tolerance*max(1, math.Abs(w)) {
				if wrong[d.Name]++; wrong[d.Name] <= 5 {
					t.Errorf("%s of %s: %v, RDKit has %v", d.Name, want["smiles"], got, w)
				}
			}
		}
	}
	if lines < 5000 {
		t.Errorf("the golden file has %d lines", lines)
	}
	for name, n := range wrong {
		t.Errorf("%s differs in %d of %d molecules", name, n, lines)
	}
}

func TestNamesDiffer(t *testing.T) {
	seen := map[string]bool{}
	for _, d := range descriptor.All() {
		if seen[d.Name] {
			t.Errorf("two descriptors are called %s", d.Name)
		}
		seen[d.Name] = true
	}
}

func Example() {
	m, err := smiles.Read("CC(=O)Oc1ccccc1C(=O)O") // aspirin
	if err != nil {
		panic(err)
	}
	for _, d := range descriptor.All()[:3] {
		fmt.Printf("%s %.2f\n", d.Name, d.Of(m))
	}
	// Output:
	// heavy_atoms 13.00
	// weight 180.16
	// hydrogens 8.00
}
