package featurize_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"polyid-trainer/featurize"
	"polyid-trainer/featurize/smiles"
)

// hostile are strings made to cost far more than they weigh.
func hostile() map[string]string {
	const mega = 1 << 20
	var ladder, fan, cage strings.Builder
	for i := range 10_000 {
		fmt.Fprintf(&fan, "C%%(%d)", i)
	}
	for i := range 10_000 {
		fmt.Fprintf(&fan, "C%%(%d)", i)
	}
	ladder.WriteString("C1CC2")
	for i := range 10_000 {
		fmt.Fprintf(&ladder, "C%%%02dC%%%02d", 10+i%80, 10+(i+79)%80)
	}
	for i := range 40 {
		fmt.Fprintf(&cage, "*%%%02d%%%02d", 10+i%40, 10+(i*i+1)%40)
	}
	return map[string]string{
		"1 MB chain":             strings.Repeat("C", mega),
		"1 MB aromatic":          strings.Repeat("c", mega),
		"1 MB of one character":  strings.Repeat("(", mega),
		"1 MB star of dummies":   "*" + strings.Repeat("(*)", mega/3),
		"1 MB of fragments":      strings.Repeat("C.", mega/2-1) + "C",
		"1 MB of hydrogens":      strings.Repeat("[H]", mega/3),
		"1 MB of tagged atoms":   "C" + strings.Repeat("[C@H](F)", mega/8),
		"10,000 rings at once":   fan.String(),
		"10,000 rungs":           ladder.String(),
		"10,000 benzenes":        strings.Repeat("c1ccccc1", 10_000),
		"10,000 fused":           "c1ccc2c(c1)" + strings.Repeat("ccc2c1c(cc2)", 10_000),
		"100,000 brackets":       strings.Repeat("[CH2]", 100_000),
		"100,000 open brackets":  strings.Repeat("[", 100_000),
		"100,000 deep branches":  strings.Repeat("C(", 100_000) + "C" + strings.Repeat(")", 100_000),
		"all to all":             cage.String(),
		"a number without end":   "[C:" + strings.Repeat("9", mega) + "]",
		"a bracket without end":  "[" + strings.Repeat("C", mega),
		"a name without end":     "C " + strings.Repeat("C", mega),
		"largest chain":          strings.Repeat("C", smiles.MaxSize),
		"largest tagged chain":   "C" + strings.Repeat("[C@H](F)", (smiles.MaxSize-2)/2) + "C",
		"largest set of ions":    strings.Repeat("[Na+].", smiles.MaxSize-1) + "[Cl-]",
		"most benzenes":          strings.Repeat("c1ccccc1", smiles.MaxSize/8),
		"hydrogens on one dummy": "*" + strings.Repeat("([H])", 100_000),
	}
}

// Nothing may take long, be it refused or not. The limit leaves room for a busy
// machine; the times are logged.
func TestHostile(t *testing.T) {
	const limit = time.Second // 100 ms where nothing else runs
	for _, c := range []featurize.Config{{}, {Atom: "atom_features_meso", Bond: "bond_features_v3"}} {
		f, err := featurize.New(c)
		if err != nil {
			t.Fatal(err)
		}
		for name, s := range hostile() {
			t.Run(f.Config().Atom+"/"+name, func(t *testing.T) {
				best := limit
				for tries := 0; tries < 3 && best >= limit/10; tries++ {
					start := time.Now()
					m, err := f.Read(s)
					if err == nil {
						featurize.Morgan(m)
						f.GraphOf(m)
					}
					best = min(best, time.Since(start))
				}
				t.Log(best)
				if best >= limit {
					t.Errorf("it takes %v or more", limit)
				}
			})
		}
	}
}
