package smiles

import (
	"bufio"
	"compress/gzip"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"polyid-trainer/featurize/mol"
)

// goldenSMILES are those of ../testdata that RDKit reads.
func goldenSMILES(t testing.TB) (list []string) {
	t.Helper()
	for _, name := range []string{"polyid.jsonl.gz", "edge.jsonl.gz", "rdkit_wheel.jsonl.gz"} {
		f, err := os.Open(filepath.Join("..", "testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		z, err := gzip.NewReader(f)
		if err != nil {
			t.Fatal(err)
		}
		sc := bufio.NewScanner(z)
		sc.Buffer(nil, 16<<20)
		for sc.Scan() {
			var line struct {
				SMILES string
				OK     bool
			}
			if err := json.Unmarshal(sc.Bytes(), &line); err != nil {
				t.Fatal(err)
			}
			if line.OK {
				list = append(list, line.SMILES)
			}
		}
	}
	return list
}

// perceived reads s with its stereochemistry.
func perceived(s string) (*mol.Mol, error) {
	m, err := Read(s)
	if err != nil {
		return nil, err
	}
	mol.AssignStereo(m)
	return m, nil
}

// nonTetrahedral reports whether m has chirality that is not written.
func nonTetrahedral(m *mol.Mol) bool {
	for i := range m.Atoms {
		if m.Atoms[i].Chirality > mol.Counterclockwise {
			return true
		}
	}
	return false
}

// TestWriteGolden reads, writes and reads again, and compares canonical forms,
// also of the atoms in another order.
func TestWriteGolden(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for _, s := range goldenSMILES(t) {
		m, err := perceived(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		if nonTetrahedral(m) {
			continue
		}
		want := Canonical(m)
		if got := Canonical(reordered(m, r)); got != want {
			t.Errorf("%s: canonical form %s, but %s in another order", s, want, got)
		}
		for _, text := range []string{Write(m), want} {
			again, err := perceived(text)
			if err != nil {
				t.Errorf("%s: written as %s: %v", s, text, err)
			} else if got := Canonical(again); got != want {
				t.Errorf("%s: written as %s: canonical form %s, want %s", s, text, got, want)
			}
		}
	}
}

// reordered is m with its atoms and bonds in random order.
func reordered(m *mol.Mol, r *rand.Rand) *mol.Mol {
	out := mol.New(len(m.Atoms), len(m.Bonds))
	old, index := r.Perm(len(m.Atoms)), make([]int32, len(m.Atoms))
	for _, i := range old {
		index[i] = int32(out.AddAtom(m.Atoms[i]))
	}
	for _, i := range r.Perm(len(m.Bonds)) {
		b := m.Bonds[i]
		b.Begin, b.End = index[b.Begin], index[b.End]
		for side, a := range b.StereoAtom {
			if b.Stereo > mol.StereoAny {
				b.StereoAtom[side] = index[a]
			}
		}
		if b.Kind != mol.Dative && r.IntN(2) == 0 {
			b.Begin, b.End = b.End, b.Begin
			b.StereoAtom[0], b.StereoAtom[1] = b.StereoAtom[1], b.StereoAtom[0]
		}
		out.AddBond(b)
	}
	for new, i := range old {
		place := map[int32]int{}
		for k, nb := range out.Neighbors(new) {
			place[nb.Atom] = k
		}
		nbrs := m.Neighbors(i)
		for x := range nbrs {
			for y := range x {
				if place[index[nbrs[y].Atom]] > place[index[nbrs[x].Atom]] {
					out.Atoms[new].Chirality = out.Atoms[new].Chirality.Inverse()
				}
			}
		}
	}
	return out
}

func TestWrite(t *testing.T) {
	for _, c := range []struct{ smiles, want string }{
		{"", ""},
		{"C", "C"},
		{"[CH4]", "C"},
		{"[CH3][CH2][OH]", "CCO"},
		{"[CH3]", "[CH3]"},
		{"[C]", "[C]"},
		{"[H][H]", "[H][H]"},
		{"[2H]O[3H]", "[2H]O[3H]"},
		{"[13CH4:7]", "[13CH4:7]"},
		{"[NH4+].[Cl-]", "[NH4+].[Cl-]"},
		{"[Fe+2].[O-2]", "[Fe+2].[O-2]"},
		{"*C(*)C", "*C(*)C"},
		{"[1*]C[2*]", "[1*]C[2*]"},
		{"C#N", "C#N"},
		{"C~O", "C~O"},
		{"N->[Cu]<-N", "N->[Cu]<-N"},
		{"C1=CC=CC=C1", "c1ccccc1"},
		{"c1ccccc1-c1ccccc1", "c1ccccc1-c1ccccc1"},
		{"c1cc[nH]c1", "c1cc[nH]c1"},
		{"C[Si](C)(C)O", "C[Si](C)(C)O"},
		{"CCC(C)C", "CCC(C)C"},
		{"C(CCCC)O", "CCCCCO"},
		{"C[C@H](O)F", "C[C@H](O)F"},
		{"F/C=C/F", "F/C=C/F"},
		{"F\\C=C/F", "F/C=C\\F"},
		{"F/C=C/C=C/F", "F/C=C/C=C/F"},
	} {
		m, err := perceived(c.smiles)
		if err != nil {
			t.Errorf("%s: %v", c.smiles, err)
		} else if got := Write(m); got != c.want {
			t.Errorf("%s is written %s, want %s", c.smiles, got, c.want)
		}
	}
}

// TestWriteKeepsMarks writes a molecule that has not been asked which marks and
// tags mean anything.
func TestWriteKeepsMarks(t *testing.T) {
	for _, s := range []string{"C/C=C/C", "C/C=C(/C)C", "C[C@H](C)C"} {
		m, err := Read(s)
		if err != nil {
			t.Fatal(err)
		}
		if got := Write(m); got != s {
			t.Errorf("%s is written %s", s, got)
		}
	}
}

// TestWriteManyRings needs ring numbers of one, two and three digits.
func TestWriteManyRings(t *testing.T) {
	const n = 120
	m := mol.New(2*n, 3*n) // a ladder whose rungs are all open at once
	for range 2 * n {
		m.AddAtom(mol.Atom{Element: 6})
	}
	for i := range int32(2*n - 1) {
		m.AddBond(mol.Bond{Begin: i, End: i + 1, Kind: mol.Single})
	}
	for i := range int32(n - 1) {
		m.AddBond(mol.Bond{Begin: i, End: 2*n - 1 - i, Kind: mol.Single})
	}
	text := Write(m)
	again, err := Parse(text)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	if !strings.Contains(text, "%(110)") || len(again.Atoms) != 2*n || len(again.Bonds) != len(m.Bonds) {
		t.Errorf("%s has %d atoms and %d bonds, want %d and %d", text, len(again.Atoms), len(again.Bonds), 2*n, len(m.Bonds))
	}
}

// TestWriteHostile writes graphs that would exhaust a recursion or a quadratic
// algorithm.
func TestWriteHostile(t *testing.T) {
	for name, s := range map[string]string{
		"long":   strings.Repeat("C", 30_000),
		"bushy":  strings.Repeat("C(", 15_000) + "C" + strings.Repeat(")C", 15_000),
		"parted": strings.Repeat("C.", 30_000) + "C",
	} {
		m, err := Parse(s)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		again, err := Parse(Write(m))
		if err != nil || len(again.Atoms) != len(m.Atoms) || len(again.Bonds) != len(m.Bonds) {
			t.Errorf("%s: does not come back (%v)", name, err)
		}
	}
}

// TestCanonicalTellsApart has molecules that differ in one respect.
func TestCanonicalTellsApart(t *testing.T) {
	seen := map[string]string{}
	for _, s := range []string{
		"CCO", "COC", "CC[OH2+]", "CC[18OH]", "CC[OH:1]", "CC=O", "C[CH]O",
		"C[C@H](O)F", "C[C@@H](O)F", "CC(O)F",
		"F/C=C/F", "F/C=C\\F", "FC=CF",
		"C[C@H]1CC[C@@H](C)CC1", "C[C@H]1CC[C@H](C)CC1", "CC1CCC(C)CC1",
		"C[C@@H](O)C[C@@H](O)C", "C[C@@H](O)C[C@H](O)C", "C[C@H](O)C[C@@H](O)C",
		"C1CCCCC1.C1CC1", "C1CCCC1.C1CCC1",
		"C12C3C4C1C5C2C3C45", "C12C3C1C1C4C2C3C14", // cubane and cuneane
		"N->[Cu]", "N<-[Cu]", "N[Cu]",
	} {
		m, err := perceived(s)
		if err != nil {
			t.Errorf("%s: %v", s, err)
			continue
		}
		c := Canonical(m)
		if other, ok := seen[c]; ok {
			t.Errorf("%s and %s are both %s", s, other, c)
		}
		seen[c] = s
	}
}

// TestCanonicalSymmetric orders atoms anew where ties hide differences.
func TestCanonicalSymmetric(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	for _, s := range []string{
		"C[C@H]1CC[C@@H](C)CC1",
		"C12C3C4C1C5C2C3C45", "C12C3C1C1C4C2C3C14",
		"C1CCCCC1.C1CC1",
		"CC(C)(C)C(C(C)(C)C)C(F)(F)F",
		strings.Repeat("C[C@H]1CC[C@@H](C)CC1.", 4) + "C",
		"C/C=C/C=C/C=C/C",
		"F/C=C/C(/C=C/F)=C(/C=C/F)/C=C\\F",
	} {
		m, err := perceived(s)
		if err != nil {
			t.Fatal(err)
		}
		want := Canonical(m)
		for range 50 {
			if got := Canonical(reordered(m, r)); got != want {
				t.Errorf("%s is %s, and %s in another order", s, want, got)
				break
			}
		}
	}
}

// TestWriteRDKit asks RDKit whether what is written is the same molecule.
func TestWriteRDKit(t *testing.T) {
	python := os.Getenv("RDKIT_PYTHON")
	if python == "" {
		t.Skip("set RDKIT_PYTHON to a python with rdkit==2026.9.1, or run .ci/peers")
	}
	var in strings.Builder
	n := 0
	for i, s := range goldenSMILES(t) {
		if i%4 != 0 {
			continue // RDKit takes its time
		}
		m, err := perceived(s)
		if err != nil || nonTetrahedral(m) || strings.ContainsAny(s, " \t") {
			continue
		}
		in.WriteString(s + "\t" + Write(m) + "\t" + Canonical(m) + "\n")
		n++
	}
	cmd := exec.CommandContext(t.Context(), python, filepath.Join("testdata", "same.py"))
	cmd.Stdin, cmd.Stderr = strings.NewReader(in.String()), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	different := strings.Fields(string(out))
	if len(different) > 0 {
		t.Errorf("RDKit takes %d of %d for other molecules, among them %s", len(different), n, different[0])
	}
}

// maxFuzz is the length of SMILES that are fuzzed: canonical forms of large
// hostile graphs take long.
const maxFuzz = 400

// oddlyAromatic reports whether a is aromatic and of an element whose aromatic
// rings cannot always be read again: RDKit writes Bb1=BB(=BB(=B1)) as Bb1bbbbb1
// and then refuses it, too.
func oddlyAromatic(a mol.Atom) bool {
	switch a.Element {
	case 6, 7, 8, 16, 34:
		return false
	}
	return a.Aromatic
}

// aromaticDonor reports whether an aromatic atom of m has a dative bond: RDKit
// writes C[Hg]C1=CC=CC=CNC=1 as [CH3][Hg]<-[cH]1ccccc[nH]c1 and then refuses
// it, too.
func aromaticDonor(m *mol.Mol) bool {
	return slices.ContainsFunc(m.Bonds, func(b mol.Bond) bool {
		return b.Kind == mol.Dative && (m.Atoms[b.Begin].Aromatic || m.Atoms[b.End].Aromatic)
	})
}

// FuzzWrite reads, writes and reads again.
func FuzzWrite(f *testing.F) {
	for i, s := range goldenSMILES(f) {
		if i%20 == 0 && len(s) <= maxFuzz {
			f.Add(s)
		}
	}
	f.Fuzz(func(t *testing.T, s string) {
		if len(s) > maxFuzz {
			t.Skip("too long")
		}
		m, err := perceived(s)
		if err != nil || nonTetrahedral(m) || slices.ContainsFunc(m.Bonds, ringAny) || slices.ContainsFunc(m.Atoms, oddlyAromatic) || aromaticDonor(m) {
			t.Skip("not written, or not always")
		}
		text := Write(m)
		again, err := perceived(text)
		if err != nil {
			t.Fatalf("%q is written %q: %v", s, text, err)
		}
		if got, want := Canonical(again), Canonical(m); got != want {
			t.Fatalf("%q is written %q: %q, want %q", s, text, got, want)
		}
	})
}

func BenchmarkWrite(b *testing.B) {
	m, err := perceived("OCCO" + strings.Repeat("C(=O)c1ccc(cc1)C(=O)OCCO", 24))
	if err != nil {
		b.Fatal(err)
	}
	b.Run("Write", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Write(m)
		}
	})
	b.Run("Canonical", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			Canonical(m)
		}
	})
}
