package featurize_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"polyid-trainer/featurize"
	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// TestChemistryPeer changes the golden molecules at random, other ones each day,
// makes up ring systems, and asks RDKit about them: accepted or refused, why and
// where, and every atom and bond.
func TestChemistryPeer(t *testing.T) {
	python := os.Getenv("RDKIT_PYTHON")
	if python == "" {
		t.Skip("set RDKIT_PYTHON to a python with rdkit==2026.9.1, or run .ci/peers")
	}
	const count = 3000
	seed := uint64(time.Now().Unix() / (24 * 60 * 60))
	t.Logf("seed %d", seed)
	made := madeUp(t, rand.New(rand.NewPCG(seed, 0)), count)

	var questions bytes.Buffer
	for _, s := range made {
		line, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		questions.Write(append(line, '\n'))
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/ask_chemistry.py")
	cmd.Stdin, cmd.Stderr = &questions, os.Stderr
	lines, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	accepted := 0
	answers := json.NewDecoder(bytes.NewReader(lines))
	for _, s := range made {
		var want answer
		if err := answers.Decode(&want); err != nil {
			t.Fatal(err)
		}
		if want.OK {
			accepted++
		}
		if d := want.diff(s); d != "" {
			t.Errorf("%q: %s", s, d)
		}
	}
	t.Logf("%d of %d accepted", accepted, len(made))
}

// answer is a line of ask_chemistry.py's.
type answer struct {
	OK           bool
	Atoms, Bonds []string
	Kind         string
	Pos          int
	Atom         *int
}

// diff says how reading s differs from the answer, "" if it does not.
func (a answer) diff(s string) string {
	m, err := smiles.Read(s)
	if err != nil || !a.OK {
		return a.diffError(err)
	}
	mol.AddHs(m)
	v1, _ := featurize.AtomFeature("atom_features_v1")
	b1, _ := featurize.BondFeature("bond_features_v1")
	var atoms, bonds []string
	for i, at := range m.Atoms {
		atoms = append(atoms, fmt.Sprintf("%s %d %d %d", v1(nil, m, i), hybridizations[at.Hybridization], at.Charge, at.Radicals))
	}
	for i, b := range m.Bonds {
		bonds = append(bonds, fmt.Sprintf("%s %d %d", b1(nil, m, i, int(b.Begin)), b.Begin, b.End))
	}
	for k, pair := range [][2][]string{{atoms, a.Atoms}, {bonds, a.Bonds}} {
		if got, want := pair[0], pair[1]; !slices.Equal(got, want) {
			return fmt.Sprintf("%s\n got %q\nwant %q", [...]string{"atoms", "bonds"}[k], got, want)
		}
	}
	return ""
}

// hybridizations are RDKit's numbers.
var hybridizations = [...]int{
	mol.HybridizationUnspecified: 0, mol.S: 1, mol.SP: 2, mol.SP2: 3, mol.SP3: 4, mol.SP2D: 5, mol.SP3D: 6, mol.SP3D2: 7,
}

func (a answer) diffError(err error) string {
	var (
		syntax   *smiles.SyntaxError
		valence  *mol.ValenceError
		kekulize *mol.KekulizeError
		kind     string
		atom     int
	)
	switch {
	case err == nil:
		return "accepted, RDKit has a " + a.Kind + " error"
	case a.OK:
		return err.Error()
	case errors.As(err, &syntax):
		kind = "syntax"
		if a.Pos != 0 && a.Pos != syntax.Pos {
			return fmt.Sprintf("%v, RDKit says position %d", err, a.Pos)
		}
	case errors.As(err, &valence):
		kind, atom = "valence", valence.Atom
	case errors.As(err, &kekulize):
		kind, atom = "kekulize", kekulize.Atoms[0]
	}
	if kind != a.Kind || a.Atom != nil && atom != *a.Atom {
		return fmt.Sprintf("%v, RDKit has a %s error", err, a.Kind)
	}
	return ""
}

// madeUp is that many strings: golden SMILES with parts taken out, put in or put
// elsewhere, and rings of random atoms.
func madeUp(t *testing.T, r *rand.Rand, n int) []string {
	var pool []string
	for _, name := range goldenFeatures {
		readGolden(t, name, func(g golden) {
			if len(g.SMILES) <= 100 {
				pool = append(pool, g.SMILES)
			}
		})
	}
	var made []string
	for len(made) < n {
		s := ringSystem(r)
		if len(made)%4 != 0 {
			s = mutate(r, pool[r.IntN(len(pool))])
		}
		if r.IntN(2) == 0 {
			s = mutate(r, s)
		}
		if !strings.ContainsAny(s, "| ") { // CXSMILES is not read
			made = append(made, s)
		}
	}
	return made
}

// parts are what mutate puts in.
var parts = strings.Fields(`C N O S P F Cl B I c n o s p b * [nH] [n+] [N+] [O-] [H] [2H] [C-] [CH2] [C@H] [C@@] [S@] [P@@H]
	[Fe] [Pt+2] [Na] [Al] [Si] [se] [te] [as] [si] [Se] [B-] [I+] [C@TH1] [Fe@SP1] [Co@OH3] [Zn@H] [#6] [13C] [CH0] [NH4+]
	= # - : / \ ~ $ -> <- . ( ) 1 2 %12 %(13) [ ] @ + H (C) (=O) ([H]) (/[H]) c1ccccc1 C1CC1`)

// mutate changes a string in one place.
func mutate(r *rand.Rand, s string) string {
	at := r.IntN(len(s) + 1)
	to := min(at+1+r.IntN(3), len(s))
	switch part := parts[r.IntN(len(parts))]; r.IntN(5) {
	case 0:
		return s[:at] + s[to:]
	case 1:
		return s[:to] + s[at:]
	case 2:
		return s[:at] + part + s[to:]
	default:
		return s[:at] + part + s[at:]
	}
}

// ringSystem is a chain of random atoms with random ring bonds.
func ringSystem(r *rand.Rand) string {
	atoms := strings.Fields("c c c c c c c c n n o s [nH] * p b [n+] [c-] [o+] C N c(=O) [se]")
	rings := make([]string, 6+r.IntN(20))
	for number := range 1 + r.IntN(len(rings)/3) {
		i := r.IntN(len(rings))
		if j := i + 2 + r.IntN(6); j < len(rings) {
			label := fmt.Sprintf("%%%d", 10+number)
			rings[i] += label
			rings[j] += label
		}
	}
	var b strings.Builder
	for _, labels := range rings {
		atom, branch, _ := strings.Cut(atoms[r.IntN(len(atoms))], "(")
		b.WriteString(atom + labels)
		if branch != "" {
			b.WriteString("(" + branch)
		}
	}
	return b.String()
}
