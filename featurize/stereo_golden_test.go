package featurize_test

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"

	"polyid-trainer/featurize"
	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// stereoRow is a line of a golden file, as far as it concerns stereochemistry.
type stereoRow struct {
	SMILES string `json:"smiles"`
	OK     bool   `json:"ok"`
	A2, AM packed
	B2     packed
	B3     packed // both directions of each bond, from Begin first
}

// differences lists where the features of m, which has no hydrogens added yet,
// differ from the row's.
func (r *stereoRow) differences(m *mol.Mol) (list []string) {
	mol.AssignStereo(m)
	mol.AddHs(m)
	compare := func(feature string, want packed, n int, got func(i int) []byte) {
		if len(want.Index) != n {
			list = append(list, fmt.Sprintf("%s: %d, want %d", feature, n, len(want.Index)))
			return
		}
		for i := range n {
			if got := string(got(i)); got != want.at(i) {
				list = append(list, fmt.Sprintf("%s %d:\n got %s\nwant %s", feature, i, got, want.at(i)))
			}
		}
	}
	atoms := func(feature string, want packed) {
		f, _ := featurize.AtomFeature(feature)
		compare(feature, want, len(m.Atoms), func(i int) []byte { return f(nil, m, i) })
	}
	bonds := func(feature string, want packed, directions int) {
		f, _ := featurize.BondFeature(feature)
		compare(feature, want, directions*len(m.Bonds), func(i int) []byte {
			b := m.Bonds[i/directions]
			return f(nil, m, i/directions, int([...]int32{b.Begin, b.End}[i%directions]))
		})
	}
	atoms("atom_features_v2", r.A2)
	bonds("bond_features_v2", r.B2, 1)
	if r.B3.Index != nil {
		bonds("bond_features_v3", r.B3, 2)
	}
	if r.AM.Index != nil {
		mol.AssignDiads(m)
		atoms("atom_features_meso", r.AM)
	}
	return list
}

// checkStereo holds the features to the lines of a golden file.
func checkStereo(t *testing.T, lines io.Reader) {
	t.Helper()
	n := 0
	for in := json.NewDecoder(bufio.NewReader(lines)); ; {
		var row stereoRow
		if err := in.Decode(&row); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		if !row.OK {
			continue
		}
		n++
		m, err := smiles.Read(row.SMILES)
		if err != nil {
			t.Errorf("%s: %v", row.SMILES, err)
			continue
		}
		if d := row.differences(m); len(d) > 0 {
			t.Errorf("%s: %s", row.SMILES, strings.Join(d, "\n"))
		}
	}
	if n == 0 {
		t.Fatal("no molecules")
	}
}

func TestStereoGolden(t *testing.T) {
	for _, name := range []string{"edge", "polyid", "rdkit_wheel", "stereo"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			checkStereo(t, openGolden(t, name))
		})
	}
}

// openGolden opens testdata/NAME.jsonl.gz.
func openGolden(t *testing.T, name string) io.Reader {
	t.Helper()
	f, err := os.Open("testdata/" + name + ".jsonl.gz")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

// TestStereoPeer gives molecules random tags and bond directions, other ones
// each day, and asks RDKit about them.
func TestStereoPeer(t *testing.T) {
	python := os.Getenv("POLYID_PYTHON")
	if python == "" {
		t.Skip("set POLYID_PYTHON to a python with rdkit==2026.9.1 and polyid, or run .ci/peers polyid")
	}
	const count, longest = 1000, 120 // meso features take PolyID seconds on a polymer
	seed := time.Now().Unix() / (24 * 60 * 60)
	t.Logf("seed %d", seed)

	var smiles strings.Builder
	for in := json.NewDecoder(openGolden(t, "stereo")); in.More(); {
		var row stereoRow
		if err := in.Decode(&row); err != nil {
			t.Fatal(err)
		}
		if len(row.SMILES) <= longest {
			fmt.Fprintln(&smiles, row.SMILES)
		}
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/gen_stereo.py", "--decorate", strconv.FormatInt(seed, 10), strconv.Itoa(count))
	cmd.Stdin = strings.NewReader(smiles.String())
	cmd.Stderr = os.Stderr
	lines, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	checkStereo(t, bytes.NewReader(lines))
}
