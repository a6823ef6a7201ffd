package smiles_test

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"errors"
	"os"
	"testing"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// FuzzRead holds the reader to what must be true of every string: it answers
// with a molecule whose parts fit together, or with an error that points into
// the string. The hand-made cases of the golden file are its corpus.
func FuzzRead(f *testing.F) {
	file, err := os.Open("../testdata/edge.jsonl.gz")
	if err != nil {
		f.Fatal(err)
	}
	defer file.Close()
	text, err := gzip.NewReader(file)
	if err != nil {
		f.Fatal(err)
	}
	lines := bufio.NewScanner(text)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var row struct{ SMILES string }
		if err := json.Unmarshal(lines.Bytes(), &row); err != nil {
			f.Fatal(err)
		}
		f.Add(row.SMILES)
	}
	if err := lines.Err(); err != nil {
		f.Fatal(err)
	}

	f.Fuzz(func(t *testing.T, s string) {
		m, err := smiles.Read(s)
		if err != nil {
			checkError(t, s, err)
			return
		}
		checkMol(t, m)
		n, hs := len(m.Atoms), 0
		for i := range m.Atoms {
			hs += m.TotalHs(i)
		}
		mol.AssignStereo(m)
		mol.AddHs(m)
		checkMol(t, m)
		if len(m.Atoms) < n || hs == 0 && len(m.Atoms) > n {
			t.Fatalf("%d atoms with %d hydrogens became %d", n, hs, len(m.Atoms))
		}
	})
}

// checkError wants one of the reader's errors, with a position in s or just
// behind it.
func checkError(t *testing.T, s string, err error) {
	var (
		syntax     *smiles.SyntaxError
		valence    *mol.ValenceError
		kekulize   *mol.KekulizeError
		complexity *mol.ComplexityError
	)
	pos := 0
	switch {
	case errors.As(err, &syntax):
		pos = syntax.Pos
	case errors.As(err, &valence):
		pos = valence.Pos
	case errors.As(err, &kekulize):
		pos = kekulize.Pos
	case errors.As(err, &complexity):
		pos = complexity.Pos
	default:
		t.Fatalf("error of no known kind: %v", err)
	}
	if pos < 1 || pos > len(s)+1 {
		t.Fatalf("position %d of %d characters: %v", pos, len(s), err)
	}
}

// checkMol wants bonds and neighbours to agree, and bonds to be between
// different atoms, at most one between two.
func checkMol(t *testing.T, m *mol.Mol) {
	ends := 0
	for a := range m.Atoms {
		last := int32(-1)
		for _, nb := range m.Neighbors(a) {
			b := m.Bonds[nb.Bond]
			switch {
			case nb.Bond <= last:
				t.Fatalf("atom %d has bond %d after %d", a, nb.Bond, last)
			case b.Begin == b.End:
				t.Fatalf("bond %d is from atom %d to itself", nb.Bond, b.Begin)
			case b.Begin+b.End != int32(a)+nb.Atom || b.Begin != int32(a) && b.End != int32(a):
				t.Fatalf("atom %d has bond %d, which is between %d and %d", a, nb.Bond, b.Begin, b.End)
			case m.BondBetween(a, int(nb.Atom)) != int(nb.Bond):
				t.Fatalf("atoms %d and %d have two bonds", a, nb.Atom)
			}
			last = nb.Bond
			ends++
		}
	}
	if ends != 2*len(m.Bonds) {
		t.Fatalf("%d ends of %d bonds", ends, len(m.Bonds))
	}
}
