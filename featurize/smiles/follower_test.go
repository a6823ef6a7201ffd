package smiles_test

import (
	"fmt"
	"strings"
	"testing"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// echo is a Follower that writes down what it is told. What it is told must be
// all there is to a SMILES.
type echo struct {
	strings.Builder
}

func (e *echo) Root(a smiles.Atom) {
	if e.Len() > 0 {
		e.WriteByte('.')
	}
	e.atom(a)
}

func (e *echo) Extend(b smiles.Bond, a smiles.Atom) { e.bond(b); e.atom(a) }

func (e *echo) Ring(b smiles.Bond, number, _ int) {
	e.bond(b)
	switch {
	case number < 10:
		fmt.Fprintf(e, "%d", number)
	case number < 100:
		fmt.Fprintf(e, "%%%d", number)
	default:
		fmt.Fprintf(e, "%%(%d)", number)
	}
}

func (e *echo) Push() { e.WriteByte('(') }
func (e *echo) Pop()  { e.WriteByte(')') }

func (e *echo) bond(b smiles.Bond) {
	kinds := [...]string{mol.Single: "-", mol.Double: "=", mol.Triple: "#", mol.Quadruple: "$", mol.AromaticBond: ":", mol.Dative: "->", mol.Any: "~"}
	directions := [...]string{mol.NoDirection: "", mol.Up: "/", mol.Down: `\`}
	if b.Backward {
		e.WriteString("<-")
		return
	}
	e.WriteString(kinds[b.Kind] + directions[b.Direction])
}

func (e *echo) atom(a smiles.Atom) {
	symbol := mol.Element(a.Element).Symbol()
	if a.Aromatic {
		symbol = strings.ToLower(symbol)
	}
	if !a.Bracket {
		e.WriteString(symbol)
		return
	}
	e.WriteByte('[')
	if a.Isotope != 0 {
		fmt.Fprintf(e, "%d", a.Isotope)
	}
	e.WriteString(symbol)
	e.WriteString([...]string{
		smiles.NoClass: "", smiles.Anticlockwise: "@", smiles.Clockwise: "@@", smiles.Tetrahedral: "@TH", smiles.Allene: "@AL",
		smiles.SquarePlanar: "@SP", smiles.TrigonalBipyramidal: "@TB", smiles.Octahedral: "@OH",
	}[a.Class])
	if a.Order != 0 {
		fmt.Fprintf(e, "%d", a.Order)
	}
	switch a.Hydrogens {
	case 0:
	case 1:
		e.WriteByte('H')
	default:
		fmt.Fprintf(e, "H%d", a.Hydrogens)
	}
	if a.Charge != 0 {
		fmt.Fprintf(e, "%+d", a.Charge)
	}
	if a.Map != 0 {
		fmt.Fprintf(e, ":%d", a.Map)
	}
	e.WriteByte(']')
}

func TestFollow(t *testing.T) {
	for _, test := range []struct{ in, out string }{
		{"CCO", "CCO"},
		{"C(=O)(N)c1ccccc1.[Na+]", "C(=O)(N)c1ccccc1.[Na+1]"},
		{"F/C=C\\\\F", `F/C=C\F`},
		{"[13C@@H2--:7]", "[13C@@H2-2:7]"},
		{"[C@TH1](F)[Co@OH30][Zn@SP]", "[C@TH1](F)[Co@OH30][Zn@SP]"},
		{"[#6]1CC%(1)", "[C]1CC1"},
		{"C%12CC%(00345)CC%(345)-%12", "C%12CC%(345)CC%(345)-%12"},
		{"N->[Fe]<-N~*:*$C", "N->[Fe]<-N~*:*$C"},
		{"[Uuo]['Rf'][se][HH3]", "[Og][Rf][se][HH3]"},
		{"[H][2H][H+]", "[H][2H][H+1]"},
		{"C\nand so on", "C"},
	} {
		var e echo
		if err := smiles.Follow(test.in, &e); err != nil {
			t.Errorf("%q: %v", test.in, err)
			continue
		}
		if got := e.String(); got != test.out {
			t.Errorf("%q says %q, want %q", test.in, got, test.out)
		}
	}
}
