package polymer

import (
	"errors"
	"math"
	"math/big"
	"slices"
	"strings"
	"testing"

	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
)

func pointer(x float64) *float64 { return &x }

func TestSpecErrors(t *testing.T) {
	ok := Spec{Monomers: []string{"C=C"}, Mechanism: Vinyl, DP: 3}
	for name, c := range map[string]struct {
		change  func(s *Spec)
		code    Code
		monomer int
		detail  string
	}{
		"mechanism":      {func(s *Spec) { s.Mechanism = "nosuch" }, UnknownMechanism, -1, "vinyl, acrylate, ester"},
		"no monomers":    {func(s *Spec) { s.Monomers = nil }, InvalidMonomers, -1, "no monomers"},
		"two molecules":  {func(s *Spec) { s.Monomers = []string{"C=C", "C=C.C=C"} }, InvalidMonomers, 1, "not one molecule"},
		"empty monomer":  {func(s *Spec) { s.Monomers = []string{""} }, InvalidMonomers, 0, "not one molecule"},
		"DP":             {func(s *Spec) { s.DP = 1 }, InvalidDP, -1, "at least 2"},
		"no DP":          {func(s *Spec) { s.Mechanism, s.DP = Ester, 0 }, InvalidDP, -1, "at least 1"},
		"large DP":       {func(s *Spec) { s.DP = math.MaxInt }, InvalidDP, -1, "too large"},
		"weights":        {func(s *Spec) { s.Distribution = []float64{1, 2} }, InvalidWeights, -1, "2 weights for 1 monomers"},
		"negative":       {func(s *Spec) { s.Distribution = []float64{-1} }, InvalidWeights, -1, "weight 1"},
		"not a number":   {func(s *Spec) { s.Distribution = []float64{math.NaN()} }, InvalidWeights, -1, "weight 1"},
		"zero":           {func(s *Spec) { s.Distribution = []float64{0} }, InvalidWeights, -1, "positive"},
		"pm":             {func(s *Spec) { s.PM = pointer(1.5) }, InvalidPM, -1, "from 0 to 1"},
		"pm NaN":         {func(s *Spec) { s.PM = pointer(math.NaN()) }, InvalidPM, -1, "from 0 to 1"},
		"pm of amide":    {func(s *Spec) { s.Mechanism, s.PM = Amide, pointer(1) }, InvalidPM, -1, "no tacticity"},
		"no double bond": {func(s *Spec) { s.Monomers = []string{"C=C", "CCO"} }, LacksGroups, 1, "no C=C"},
		"no ester groups": {func(s *Spec) { s.Mechanism = Ester }, LacksGroups, 0,
			"neither an aliphatic hydroxyl nor an acid"},
		"no acid":            {func(s *Spec) { s.Mechanism, s.Monomers = Ester, []string{"OCCO"} }, LacksGroups, -1, "no monomer has an acid"},
		"phenol in ester":    {func(s *Spec) { s.Mechanism, s.Monomers = Ester, []string{"OC(=O)c1ccc(O)cc1"} }, LacksGroups, -1, "aliphatic hydroxyl"},
		"chloroformate":      {func(s *Spec) { s.Mechanism, s.Monomers = Carbonate, []string{"CCOC(=O)Cl", "OCCO"} }, LacksGroups, 0, "two leaving groups"},
		"ring carbonate":     {func(s *Spec) { s.Mechanism, s.Monomers = Carbonate, []string{"O=C1OCCO1", "OCCO"} }, LacksGroups, 0, "two leaving groups"},
		"secondary amine":    {func(s *Spec) { s.Mechanism, s.Monomers = Amide, []string{"CNCCNC", "OC(=O)CC(=O)O"} }, LacksGroups, 0, "primary amine"},
		"ethene":             {func(s *Spec) { s.Mechanism = VinylStereo }, LacksGroups, 0, "substituent"},
		"odd":                {func(s *Spec) { s.Mechanism, s.Monomers = EsterStereo, []string{"OCC(=O)O"} }, InvalidMonomers, -1, "pairs"},
		"not a hydroxy acid": {func(s *Spec) { s.Mechanism, s.Monomers = EsterStereo, []string{"OCCO", "OCCO"} }, LacksGroups, 0, "not a hydroxy acid"},
		"pair weights": {func(s *Spec) {
			s.Mechanism, s.Monomers, s.Distribution = EsterStereo, []string{"OCC(=O)O", "OCC(=O)O"}, []float64{1, 1}
		}, InvalidWeights, -1, "2 weights for 1 pairs"},
		"crosslinker":  {func(s *Spec) { s.Mechanism, s.Crosslinker = UPE, []bool{true, true} }, InvalidMonomers, -1, "2 crosslinker marks"},
		"no backbone":  {func(s *Spec) { s.Mechanism = UPE }, LacksGroups, -1, "polyester rings"},
		"nothing fits": {func(s *Spec) { s.Mechanism, s.Monomers = All, []string{"CC"} }, NoReaction, -1, "no mechanism"},
	} {
		spec := ok
		c.change(&spec)
		_, err := New(spec)
		var e *Error
		if !errors.As(err, &e) || e.Code != c.code || e.Monomer != c.monomer || !strings.Contains(e.Detail, c.detail) {
			t.Errorf("%s: %v (%+v), want %s with %q for monomer %d", name, err, e, c.code, c.detail, c.monomer)
		}
	}

	_, err := New(Spec{Monomers: []string{"C=C", "C=C("}, Mechanism: Vinyl, DP: 2})
	var unread *MonomerError
	var syntax *smiles.SyntaxError
	if !errors.As(err, &unread) || unread.Monomer != 1 || !errors.As(err, &syntax) {
		t.Errorf("an unreadable monomer: %v", err)
	}
}

func TestChainStopped(t *testing.T) {
	p, err := New(Spec{Monomers: []string{"CCO", "OC(=O)CC(=O)O"}, Mechanism: Ester, DP: 4})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Chain(0); !hasCode(err, ChainStopped) {
		t.Errorf("ethanol and malonic acid to DP 4: %v", err)
	}
}

// odds are the outcomes of a specification.
func odds(t *testing.T, spec Spec) map[string]*big.Rat {
	t.Helper()
	p, err := New(spec)
	if err != nil {
		t.Fatalf("%+v: %v", spec, err)
	}
	return outcomes(func(choose chooser) string {
		m, err := p.chain(choose)
		return whole(t, m, err)
	})
}

// expect checks outcomes given as SMILES and probability.
func expect(t *testing.T, name string, spec Spec, want map[string]string) {
	t.Helper()
	exact := map[string]*big.Rat{}
	for s, p := range want {
		exact[canonical(t, s)], _ = new(big.Rat).SetString(p)
	}
	compare(t, name, odds(t, spec), exact)
}

// TestBeyondM2P pins what m2p gets wrong or cannot do.
func TestBeyondM2P(t *testing.T) {
	expect(t, "anhydride", Spec{Monomers: []string{"OCCO", "O=C1CCC(=O)O1"}, Mechanism: Ester, DP: 3}, map[string]string{
		"OCCOC(=O)CCC(=O)OCCO": "1/2", "OC(=O)CCC(=O)OCCOC(=O)CCC(=O)O": "1/2"})
	expect(t, "phthalic anhydride", Spec{Monomers: []string{"OCCO", "O=C1OC(=O)c2ccccc21"}, Mechanism: Ester, DP: 2}, map[string]string{
		"OCCOC(=O)c1ccccc1C(=O)O": "1"})
	expect(t, "acid chloride", Spec{Monomers: []string{"NCCN", "ClC(=O)CC(=O)Cl"}, Mechanism: Amide, DP: 3}, map[string]string{
		"NCCNC(=O)CC(=O)NCCN": "1/2", "ClC(=O)CC(=O)NCCNC(=O)CC(=O)Cl": "1/2"})
	expect(t, "bischloroformate", Spec{Monomers: []string{"OCCO", "ClC(=O)OCCOC(=O)Cl"}, Mechanism: Carbonate, DP: 2}, map[string]string{
		"OCCOC(=O)OCCOC(=O)Cl": "1"})
	expect(t, "equal monomers", Spec{Monomers: []string{"OCC(=O)O", "OCC(=O)O"}, Mechanism: Ester, DP: 2}, map[string]string{
		"OCC(=O)OCC(=O)O": "1"})
	expect(t, "weightless monomer", Spec{Monomers: []string{"OCC(=O)O", "CC"}, Distribution: []float64{1, 0}, Mechanism: Ester, DP: 2}, map[string]string{
		"OCC(=O)OCC(=O)O": "1"})
	expect(t, "urethane ring", Spec{Monomers: []string{"O=C=NCCCN=C=O", "OCCO"}, Mechanism: Urethane, DP: 2, Ring: true}, map[string]string{
		"O=C1NCCCNC(=O)OCCO1": "1"})
	expect(t, "lactide", Spec{Monomers: []string{"CC(O)C(=O)O"}, Mechanism: Ester, DP: 2, Ring: true}, map[string]string{
		"CC1OC(=O)C(C)OC1=O": "1"})
	expect(t, "bracketed hydrogens", Spec{Monomers: []string{"[OH][CH2][CH2][OH]", "[OH]C(=O)[CH2]C(=O)[OH]"}, Mechanism: Ester, DP: 2}, map[string]string{
		"OCCOC(=O)CC(=O)O": "1"})
	expect(t, "carboxylate", Spec{Monomers: []string{"NCC(=O)[O-]"}, Mechanism: Amide, DP: 2}, map[string]string{
		"NCC(=O)NCC(=O)[O-]": "1"})
}

func TestTacticity(t *testing.T) {
	lactic := []string{"C[C@@H](O)C(=O)O", "C[C@H](O)C(=O)O"}
	r, s := lactic[0], lactic[1]
	expect(t, "isotactic", Spec{Monomers: lactic, Mechanism: Ester, PM: pointer(1), DP: 2}, map[string]string{
		"C[C@@H](O)C(=O)O[C@H](C)C(=O)O": "1/2", "C[C@H](O)C(=O)O[C@@H](C)C(=O)O": "1/2"})
	expect(t, "syndiotactic", Spec{Monomers: lactic, Mechanism: EsterStereo, PM: pointer(0), DP: 2}, map[string]string{
		"C[C@@H](O)C(=O)O[C@@H](C)C(=O)O": "1/2", "C[C@H](O)C(=O)O[C@H](C)C(=O)O": "1/2"})
	expect(t, "one", Spec{Monomers: lactic, Mechanism: EsterStereo, DP: 1}, map[string]string{r: "1/2", s: "1/2"})
	expect(t, "mixed", Spec{Monomers: []string{"C=CCl"}, Mechanism: Vinyl, PM: pointer(0.25), DP: 3}, map[string]string{
		// the last centre is none, so one diad counts: meso in 1/4
		"C[C@@H](Cl)C[C@H](Cl)CCCl": "3/8", "C[C@H](Cl)C[C@@H](Cl)CCCl": "3/8", "C[C@@H](Cl)C[C@@H](Cl)CCCl": "1/8", "C[C@H](Cl)C[C@H](Cl)CCCl": "1/8",
	})
}

// TestMirrorImages checks that R and S of a monomer are mirror images, also of
// those with two double bonds or two directions.
func TestMirrorImages(t *testing.T) {
	for _, monomer := range []string{"C=CC", "C=CC=C", "C=C(C)C=C", "CC=CC", "C=C(Cl)C", "CC=C", "FC(Cl)=CF", "C=CC(=O)OCC=C"} {
		p, err := New(Spec{Monomers: []string{monomer}, Mechanism: VinylStereo, DP: 4})
		if err != nil {
			t.Fatal(err)
		}
		g, err := newVinylStereo(p.monomers, p.weights)
		if err != nil {
			t.Fatal(err)
		}
		for _, rs := range []string{"RRRR", "RSRS", "RRSR"} {
			mirrored := strings.NewReplacer("R", "S", "S", "R").Replace(rs)
			r, s := new(chain), new(chain)
			g.grow(r, make([]int, 4), flags(rs))
			g.grow(s, make([]int, 4), flags(mirrored))
			one, err := r.finish()
			if err != nil {
				t.Fatal(err)
			}
			other, err := s.finish()
			if err != nil {
				t.Fatal(err)
			}
			centres := 0
			for i := range one.Atoms {
				if a := &one.Atoms[i]; a.Chirality != mol.Unspecified {
					a.Chirality = a.Chirality.Inverse()
					centres++
				}
			}
			if got, want := smiles.Canonical(one), smiles.Canonical(other); got != want || centres < 2 {
				t.Errorf("%s %s: its mirror image with %d centres is %s, that of %s is %s", monomer, rs, centres, got, mirrored, want)
			}
		}
	}
}

func TestMechanisms(t *testing.T) {
	list := Mechanisms()
	for _, m := range list {
		if got, err := ParseMechanism(string(m)); got != m || err != nil {
			t.Errorf("ParseMechanism(%q) = %v, %v", m, got, err)
		}
	}
	list[0] = "changed"
	if slices.Contains(Mechanisms(), "changed") {
		t.Error("the list of mechanisms can be changed from outside")
	}
}
