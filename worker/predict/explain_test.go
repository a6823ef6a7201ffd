package predict_test

import (
	"encoding/json"
	"math"
	"strings"
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/featurize"
	"polyid-trainer/featurize/mol"
	"polyid-trainer/featurize/smiles"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/nn/revision/revisiontest"
	"polyid-trainer/nn/stack"
	"polyid-trainer/worker/predict"
)

// What atoms carry sums to the prediction, of the whole and of each member of a
// stack; * and saturated carbon carry nothing, and what was not asked for is not there.
func TestAtomsSumToThePrediction(t *testing.T) {
	b := newBench(t)
	r := *tiny(t, 1)
	r.Stack = revisiontest.Stack(t, &r)
	b.commit("main", revisiontest.Files(t, &r))
	b.restart(predict.ModelsConfig{})
	out := b.answer(&predict.Request{Inputs: []predict.Input{{RepeatUnit: lactide}, {Monomers: []string{"CC(O)C(=O)O"}, Mechanism: "ester"}}, Explain: []string{"atoms"}}).Results
	atoms := *out[0].Atoms
	for name, p := range out[0].Predictions {
		a := atoms[name]
		parts := map[string]predict.Attribution{"the blend": a}
		means := map[string]float64{"the blend": float64(p.Mean)}
		for member, of := range a.Members {
			parts[string(member)], means[string(member)] = of, float64(p.Members[member])
		}
		if len(parts) != 3 {
			t.Fatalf("%s: parts of %d", name, len(parts))
		}
		for member, part := range parts {
			if len(part.Values) != strings.Count(lactide, "")-1-strings.Count(lactide, "(")*2-strings.Count(lactide, "=") {
				t.Fatalf("%s has %d values", lactide, len(part.Values))
			}
			sum := float64(part.Baseline)
			for _, v := range part.Values {
				sum += float64(v)
			}
			if math.Abs(sum-means[member]) > 1e-6*math.Abs(means[member]) {
				t.Errorf("%s, %s: the parts sum to %v, the prediction is %v", name, member, sum, means[member])
			}
		}
		if a.Values[0] != 0 || a.Values[len(a.Values)-1] != 0 {
			t.Errorf("%s: the ends carry %v", name, a.Values)
		}
	}
	if out[1].Error != nil || *out[1].Atoms != nil {
		t.Errorf("monomers are explained as %+v", out[1])
	}
	body, err := json.Marshal(out[1])
	if err != nil || !strings.Contains(string(body), `"atoms":null`) || strings.Contains(string(body), `"neighbours":[`) {
		t.Errorf("%s (%v)", body, err)
	}
	if plain := b.answer(one).Results[0]; plain.Atoms != nil || plain.Neighbours != nil {
		t.Error("explained without being asked")
	}
}

// Neighbours are the training polymers most alike, the input itself first where it
// was trained on, with what was measured of them; null where a revision holds no rows.
func TestNeighbours(t *testing.T) {
	b := newBench(t)
	r := *tiny(t, 1)
	b.commit("main", revisiontest.Files(t, &r))
	b.restart(predict.ModelsConfig{})
	known := r.Predictions[0]
	ask := &predict.Request{Inputs: []predict.Input{{Polymer: known.Polymer}, {RepeatUnit: lactide}}, Explain: []string{"neighbours"}}
	for i, x := range b.answer(ask).Results {
		near := *x.Neighbours
		if len(near) != 5 {
			t.Fatalf("%d neighbours", len(near))
		}
		if i == 0 && near[0].Similarity != 1 {
			t.Errorf("the nearest to a training polymer is alike by %v", near[0].Similarity)
		}
		for k := range near {
			if k > 0 && near[k].Similarity > near[k-1].Similarity || near[k].Polymer == "" || len(near[k].Measured) == 0 {
				t.Errorf("neighbour %d is %+v", k, near[k])
			}
		}
	}
	r.Config.WithoutRows = true
	files := revisiontest.Files(t, &r)
	if strings.Contains(string(files["predictions.csv"]), known.Polymer) || !strings.HasPrefix(string(files["predictions.csv"]), "row,fold,group,Tg_pred,") {
		t.Errorf("predictions.csv holds rows: %.200s", files["predictions.csv"])
	}
	b.commit("main", files)
	b.restart(predict.ModelsConfig{})
	if x := b.answer(ask).Results[0]; x.Neighbours == nil || *x.Neighbours != nil || len(x.Warnings) == 0 {
		t.Errorf("without rows: %+v", x)
	}
}

// esters lists the atoms of a repeat unit that are of an ester, and how many esters
// there are; bonds go on from one end to the other.
func esters(t *testing.T, unit string) (atoms map[int]bool, n int) {
	t.Helper()
	m, err := smiles.Read(unit)
	if err != nil {
		t.Fatal(err)
	}
	var ends []int
	for i := range m.Atoms {
		if m.Atoms[i].Element == 0 {
			ends = append(ends, i)
		}
	}
	neighbours := func(i int) (out []mol.Neighbor) {
		for _, nb := range m.Neighbors(i) {
			if m.Atoms[nb.Atom].Element == 0 { // across the end
				other := ends[0]
				if int(nb.Atom) == other {
					other = ends[1]
				}
				nb = mol.Neighbor{Atom: m.Neighbors(other)[0].Atom, Bond: nb.Bond}
			}
			out = append(out, nb)
		}
		return out
	}
	atoms = map[int]bool{}
	for i := range m.Atoms {
		if m.Atoms[i].Element != 6 {
			continue
		}
		carbonyl, ether := -1, -1
		for _, nb := range neighbours(i) {
			if m.Atoms[nb.Atom].Element != 8 {
				continue
			}
			if m.Bonds[nb.Bond].Kind == mol.Double {
				carbonyl = int(nb.Atom)
			} else if around := neighbours(int(nb.Atom)); len(around) == 2 && m.Atoms[around[0].Atom].Element == 6 && m.Atoms[around[1].Atom].Element == 6 {
				ether = int(nb.Atom)
			}
		}
		if carbonyl >= 0 && ether >= 0 && !m.Atoms[i].Aromatic {
			n++
			atoms[i], atoms[carbonyl], atoms[ether] = true, true, true
		}
	}
	return atoms, n
}

// Of a model that learned how many esters a repeat unit has, at least 90 % of what
// atoms carry lies on the atoms of esters.
func TestAtomsOfEsters(t *testing.T) {
	b := newBench(t)
	r := *tiny(t, 1)
	d, _ := data.Shipped("polymers_seven_properties")
	table, _, err := data.Parse(t.Context(), []*data.Sheet{d.Sheet()}, data.Columns{}, data.Options{})
	if err != nil {
		t.Fatal(err)
	}
	learned := &stack.Table{}
	for k, target := range r.Config.Targets {
		learned.Names = append(learned.Names, target.Name)
		learned.Values, learned.Network = append(learned.Values, nil), append(learned.Network, nil)
		for row := 0; row < table.Rows(); row += 3 {
			_, n := esters(t, table.Structures[row].RepeatUnit)
			learned.Values[k], learned.Network[k] = append(learned.Values[k], float64(n)), append(learned.Network[k], 50)
		}
	}
	var polymers []stack.Polymer
	var units []string
	for row := 0; row < table.Rows(); row += 3 {
		s := table.Structures[row]
		chain, err := structure.Grower{}.Grow(&s)
		if err != nil {
			t.Fatal(err)
		}
		m, err := smiles.Read(chain[0].SMILES)
		if err != nil {
			t.Fatal(err)
		}
		units, polymers = append(units, s.RepeatUnit), append(polymers, stack.Describe(m, chain[0].DP, nil))
		learned.Group, learned.Fold = append(learned.Group, int32(len(units))), append(learned.Fold, int32(len(units)%len(r.Models)))
	}
	learned.Space = stack.NewSpace(polymers, learned.Group, nil)
	if learned.X, err = learned.Space.Matrix(polymers); err != nil {
		t.Fatal(err)
	}
	if r.Stack, _, err = stack.Fit(t.Context(), learned, stack.Config{Members: []stack.Member{stack.Network, stack.Trees, stack.Linear}}); err != nil {
		t.Fatal(err)
	}
	b.commit("main", revisiontest.Files(t, &r))
	b.restart(predict.ModelsConfig{})
	ask := &predict.Request{Explain: []string{"atoms"}}
	for i, unit := range units {
		if _, n := esters(t, unit); n > 0 && i%10 == 0 && len(ask.Inputs) < 12 {
			ask.Inputs = append(ask.Inputs, predict.Input{RepeatUnit: unit})
		}
	}
	on, all := 0.0, 0.0
	for i, x := range b.answer(ask).Results {
		is, _ := esters(t, ask.Inputs[i].RepeatUnit)
		var here, of float64
		for atom, v := range (*x.Atoms)["Tg"].Values {
			of += math.Abs(float64(v))
			if is[atom] {
				here += math.Abs(float64(v))
			}
		}
		t.Logf("%s: %.0f %%, predicted %.2f", ask.Inputs[i].RepeatUnit, 100*here/of, float64(x.Predictions["Tg"].Mean))
		on, all = on+here, all+of
	}
	if on < 0.9*all {
		t.Errorf("%.1f %% of what atoms carry lies on esters", 100*on/all)
	}
}

// Each property says for itself whether it was ever measured of what is like the input.
func TestDomainOfEachProperty(t *testing.T) {
	b := newBench(t)
	r := *tiny(t, 1)
	r.Domain = &featurize.Domain{}
	known := r.Predictions[0].Polymer
	m, err := smiles.Read(known)
	if err != nil {
		t.Fatal(err)
	}
	r.Domain.AddMeasured(m, func(p string) bool { return p == "Tg" }, []string{"Tg", "Tm"})
	b.commit("main", revisiontest.Files(t, &r))
	b.restart(predict.ModelsConfig{})
	out := b.answer(&predict.Request{Inputs: []predict.Input{{Polymer: known}}}).Results[0]
	tg, tm := out.Predictions["Tg"], out.Predictions["Tm"]
	if !*tg.InDomain || *tg.Unseen != 0 || *tm.InDomain || *tm.Unseen == 0 || !out.Domain.InDomain {
		t.Errorf("Tg %v %d, Tm %v %d, all %v", *tg.InDomain, *tg.Unseen, *tm.InDomain, *tm.Unseen, out.Domain.InDomain)
	}
}
