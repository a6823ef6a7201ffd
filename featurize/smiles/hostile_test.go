package smiles_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// hostile inputs are cheap to write and would be dear to perceive.
var hostile = map[string]string{
	"rings":             strings.Repeat("C1CC1", 10_000),
	"benzenes":          strings.Repeat("c1ccccc1", 4_000),
	"odd aromatic":      strings.Repeat("c1cccc1", 4_000),
	"parallel rings":    "C" + ringNumbers(10_000) + "C" + ringNumbers(10_000),
	"unclosed rings":    "C" + ringNumbers(30_000),
	"digits":            "C" + strings.Repeat("1", 1<<20),
	"brackets":          strings.Repeat("[CH2]", 100_000),
	"open brackets":     strings.Repeat("[", 100_000),
	"branches":          strings.Repeat("C(", 100_000) + "C" + strings.Repeat(")", 100_000),
	"branches to read":  strings.Repeat("C(", 30_000) + "C" + strings.Repeat(")", 30_000),
	"unclosed branches": strings.Repeat("C(", 30_000) + "C",
	"carbon star":       "C" + strings.Repeat("(C)", 30_000),
	"iron star":         "[Fe]" + strings.Repeat("(C)", 30_000),
	"chiral star":       "[Fe@]" + strings.Repeat("(C)", 30_000),
	"hydrogen star":     "[Fe]" + strings.Repeat("([H])", 30_000),
	"chiral chain":      "C" + strings.Repeat("[C@H](F)", 16_000),
	"long chain":        strings.Repeat("C", 1<<20),
	"chain to read":     strings.Repeat("C", 30_000),
	"fragments":         "C" + strings.Repeat(".C", 30_000),
	"hydrogens":         strings.Repeat("C([H])([H])", 10_000),
	"double bonds":      strings.Repeat("C=C", 16_000),
	"chlorine bridges":  "[Fe]" + strings.Repeat("[Cl][Fe]", 16_000),
	"long number":       "[" + strings.Repeat("9", 1<<20) + "C]",
	"ladder":            ladder(1_000, "[Fe]"),
	"long ladder":       ladder(10_000, "[Fe]"),
	"square lattice":    lattice(30, 30, "[Fe]", 1),
	"wide lattice":      lattice(100, 100, "[Fe]", 1),
	"dummy lattice":     lattice(17, 17, "*", 1),
	"graphene":          lattice(30, 30, "c", 2),
	"wide graphene":     lattice(70, 70, "c", 2),
	"kekule graphene":   lattice(24, 24, "[C+]", 2),
	"complete iron":     complete(60, "[Fe]"),
	"complete dummies":  complete(40, "*"),
	"phenylene cycle":   "c9%11ccc(cc9)" + strings.Repeat("c1ccc(cc1)", 40) + "c1ccc%11cc1",
	"aromatic dummies":  "c1" + strings.Repeat("*", 1_000) + "c1",
	"dummy ladder":      "c1%(99999)cccc1" + ladder(200, "*") + "%(99999)",
	"aromatic ring":     "c1" + strings.Repeat("c", 30_000) + "c1",
	"conjugated ring":   "C1=C" + strings.Repeat("C=C", 15_000) + "1",
}

// ringNumbers opens or closes n ring bonds.
func ringNumbers(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%%(%d)", i)
	}
	return b.String()
}

// ladder is a chain with a bond from every atom to the one three on.
func ladder(n int, atom string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(atom)
		if i >= 3 {
			fmt.Fprintf(&b, "%%(%d)", i-3)
		}
		if i+3 < n {
			fmt.Fprintf(&b, "%%(%d)", i)
		}
	}
	return b.String()
}

// lattice is a grid of atoms in which every nth vertical bond is there: squares
// for 1, hexagons for 2.
func lattice(width, height int, atom string, nth int) string {
	var b strings.Builder
	for y := range height {
		for x := range width {
			b.WriteString(atom)
			if y > 0 && (x+y-1)%nth == 0 {
				fmt.Fprintf(&b, "%%(%d)", (y-1)*width+x)
			}
			if y+1 < height && (x+y)%nth == 0 {
				fmt.Fprintf(&b, "%%(%d)", y*width+x)
			}
		}
		if y+1 < height {
			b.WriteString(".")
		}
	}
	return b.String()
}

// complete bonds every atom to every other.
func complete(n int, atom string) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(atom)
		for j := range n {
			if low, high := min(i, j), max(i, j); high-low > 1 {
				fmt.Fprintf(&b, "%%(%d)", low*n+high)
			}
		}
	}
	return b.String()
}

// TestHostile holds hostile inputs to an answer; a hang, or what grows faster
// than the string, would take minutes. BenchmarkHostile says how long each takes.
func TestHostile(t *testing.T) {
	const hang = 20 * time.Second
	for name, s := range hostile {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			if m, err := smiles.Read(s); err != nil {
				t.Logf("%d bytes: %v", len(s), err)
			} else {
				t.Logf("%d bytes: %d atoms, %d rings", len(s), len(m.Atoms), len(m.Rings()))
				mol.AddHs(m)
			}
			if d := time.Since(start); d >= hang {
				t.Errorf("took %v", d)
			}
		})
	}
}

// Less than 100 ms each on one core where nothing else runs.
func BenchmarkHostile(b *testing.B) {
	for name, s := range hostile {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if m, err := smiles.Read(s); err == nil {
					mol.AddHs(m)
				}
			}
		})
	}
}
