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

// Nothing may hang, be it refused or not: what grows faster than the string
// would take minutes. BenchmarkHostile says how long each takes.
func TestHostile(t *testing.T) {
	const hang = 20 * time.Second
	eachHostile(t, func(name string, answer func()) {
		t.Run(name, func(t *testing.T) {
			start := time.Now()
			answer()
			if d := time.Since(start); d >= hang {
				t.Errorf("it takes %v", d)
			}
		})
	})
}

// Less than 100 ms each on one core where nothing else runs.
func BenchmarkHostile(b *testing.B) {
	eachHostile(b, func(name string, answer func()) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				answer()
			}
		})
	})
}

func eachHostile(tb testing.TB, do func(name string, answer func())) {
	for _, c := range []featurize.Config{{}, {Atom: "atom_features_meso", Bond: "bond_features_v3"}} {
		f, err := featurize.New(c)
		if err != nil {
			tb.Fatal(err)
		}
		for name, s := range hostile() {
			do(f.Config().Atom+"/"+name, func() {
				if m, err := f.Read(s); err == nil {
					featurize.Morgan(m)
					f.GraphOf(m)
				}
			})
		}
	}
}
