package polymer

import (
	"bufio"
	"compress/gzip"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

// linked is a line of testdata/units.tsv.gz: a unit and what RDKit makes of
// three in a chain and four in a ring, empty where it was not asked.
type linked struct{ unit, chain, ring string }

func linkedUnits(t *testing.T) (list []linked) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "units.tsv.gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	for sc := bufio.NewScanner(z); sc.Scan(); {
		columns := strings.Split(sc.Text(), "\t")
		list = append(list, linked{columns[0], columns[1], columns[2]})
	}
	return list
}

// TestUnitsGolden links every unit of the shipped table, and some whose
// stereochemistry is next to a dummy, as RDKit does.
func TestUnitsGolden(t *testing.T) {
	list := linkedUnits(t)
	if len(list) < 1503 {
		t.Fatalf("only %d units", len(list))
	}
	for _, l := range list {
		u, err := ReadUnit(l.unit)
		if err != nil {
			t.Errorf("%s: %v", l.unit, err)
			continue
		}
		m, err := u.Chain(3)
		if got := result(t, m, err); l.chain != "" && got != canonical(t, l.chain) {
			t.Errorf("three %s are %s, want %s", l.unit, got, l.chain)
		}
		m, err = u.Ring(4)
		if got := result(t, m, err); l.ring != "" && got != canonical(t, l.ring) {
			t.Errorf("a ring of four %s is %s, want %s", l.unit, got, l.ring)
		}
	}
}

func TestUnitChain(t *testing.T) {
	for _, c := range []struct {
		unit string
		dp   int
		want string
	}{
		{"*CC*", 1, "CC"},
		{"[*]CC[*]", 3, "CCCCCC"},
		{"[1*]CC([2*])C", 2, "CCCC(C)C"},
		{"[2*]CC([1*])C", 2, "CCCC(C)C"}, // labels do not matter
		{"[*:2]CC([*:1])C", 2, "CCCC(C)C"},
		{"*C*", 4, "CCCC"},
		{"*=CC=*", 2, "CC=CC"},
		{"*=CC=*", 1, "CC"},
		{"*#CC#*", 2, "CC#CC"},
		{"*[Si](C)(C)O*", 2, "C[SiH](C)O[Si](C)(C)O"},
		{"*C(*)C(=O)[O-].[Na+]", 2, "C(C(=O)[O-])CC(=O)[O-].[Na+].[Na+]"},
		{"C[C@](*)(F)*", 3, "C[C@](F)([C@@H](C)F)[C@H](C)F"}, // the dummies are different neighbours
	} {
		u, err := ReadUnit(c.unit)
		if err != nil {
			t.Errorf("%s: %v", c.unit, err)
			continue
		}
		m, err := u.Chain(c.dp)
		if got := result(t, m, err); got != canonical(t, c.want) {
			t.Errorf("%d of %s are %s, want %s", c.dp, c.unit, got, c.want)
		}
	}
}

func TestUnitErrors(t *testing.T) {
	for _, c := range []struct {
		unit   string
		pos    int
		detail string
	}{
		{"CC", 0, "has 0 *"},
		{"*CC", 0, "has 1 *"},
		{"*C(*)C*", 7, "has 3 *"},
		{"*1CC*1", 1, "has 2 bonds"},
		{"*.*", 1, "has 0 bonds"},
		{"**", 1, "bonded to each other"},
		{"*C.C*", 5, "separate fragments"},
		{"*=CC*", 5, "different order"},
		{"*~CC~*", 1, "cannot link"},
	} {
		_, err := ReadUnit(c.unit)
		var e *Error
		if !errors.As(err, &e) || e.Code != InvalidUnit || e.Pos != c.pos || !strings.Contains(e.Detail, c.detail) {
			t.Errorf("%s: %v (%+v), want %q at %d", c.unit, err, e, c.detail, c.pos)
		}
	}
	var syntax *smiles.SyntaxError
	if _, err := ReadUnit("*CC(*"); !errors.As(err, &syntax) {
		t.Errorf("*CC(*: %v, want a syntax error", err)
	}
	u, err := ReadUnit("*CC*")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := u.Chain(0); !hasCode(err, InvalidDP) {
		t.Errorf("a chain of 0: %v", err)
	}
	if _, err := u.Ring(-1); !hasCode(err, InvalidDP) {
		t.Errorf("a ring of -1: %v", err)
	}
}

// hasCode reports whether err is an *Error with that code.
func hasCode(err error, code Code) bool {
	var e *Error
	return errors.As(err, &e) && e.Code == code
}

func TestRingTooSmall(t *testing.T) {
	for unit, least := range map[string]int{"*C*": 3, "*CC*": 2, "*CCC*": 1, "*c1ccc(*)cc1": 1} {
		u, err := ReadUnit(unit)
		if err != nil {
			t.Fatal(err)
		}
		if least > 1 {
			if _, err := u.Ring(least - 1); !hasCode(err, RingTooSmall) {
				t.Errorf("a ring of %d %s: %v", least-1, unit, err)
			}
		}
		if _, err := u.Ring(least); err != nil {
			t.Errorf("a ring of %d %s: %v", least, unit, err)
		}
	}
}

// TestRingFaithful checks on every unit of the shipped table that in the ring
// that is made by default each atom and bond is what it is in the middle of a
// chain, except that the backbone is in a ring.
func TestRingFaithful(t *testing.T) {
	for _, l := range linkedUnits(t) {
		u, err := ReadUnit(l.unit)
		if err != nil {
			t.Fatal(err)
		}
		n, err := u.MinRing()
		if err != nil {
			t.Errorf("%s: %v", l.unit, err)
			continue
		}
		if n*(u.backbone()+1) <= widestFusedRing {
			t.Errorf("%s: a ring of %d", l.unit, n)
		}
		ring, chain := u.link(n, true).graph(), u.link(3, false).graph()
		for _, m := range []*mol.Mol{ring, chain} {
			if err := mol.Sanitize(m); err != nil {
				t.Fatal(err)
			}
		}
		size := len(u.m.Atoms) - 2
		for i := range ring.Atoms {
			got, want := &ring.Atoms[i], &chain.Atoms[size+i%size]
			if got.Aromatic != want.Aromatic || got.Hybridization != want.Hybridization || ring.TotalHs(i) != chain.TotalHs(size+i%size) {
				t.Errorf("%s: atom %d of a ring of %d is %+v, in a chain it is %+v", l.unit, i, n, got, want)
				break
			}
		}
	}
}

// TestRingAnnulene is the unit whose ring must not have 4n+2 electrons.
func TestRingAnnulene(t *testing.T) {
	u, err := ReadUnit("*C=C*")
	if err != nil {
		t.Fatal(err)
	}
	if n, err := u.MinRing(); err != nil || n != 14 {
		t.Errorf("MinRing is %d, %v; want 14, as 26 carbons are an annulene", n, err)
	}
}
