package predict_test

import (
	"encoding/json"
	"math"
	"strings"
	"sync"
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/revision/revisiontest"
	"polyid-trainer/worker/predict"
)

func p[T any](v T) *T { return &v }

// Whatever notation a polymer is stated in, the answer is the ensemble's own for
// the chain it stands for.
func TestAnswerIsTheEnsembles(t *testing.T) {
	b := newBench(t)
	commit := b.publish(1)
	r := tiny(t, 1)
	chain := "C" + strings.Repeat("OC(=O)C(C)", 18) + "O"
	unit, err := structure.Grower{Chains: structure.Chains{DP: 7}}.Grow(&data.Structure{RepeatUnit: lactide})
	if err != nil {
		t.Fatal(err)
	}
	out := b.answer(&predict.Request{Inputs: []predict.Input{
		{Polymer: chain},
		{RepeatUnit: lactide, DP: 7},
		{Polymer: "C1CC"},
		{Monomers: []string{"CC(O)C(=O)O"}, Mechanism: "ester", DP: 5},
	}})
	if out.Model.Commit != commit || out.Model.Repo != repo || out.Model.Revision != "main" || out.Status != "succeeded" || !jobs.ValidID("pj_", out.ID) {
		t.Errorf("answered by %+v", out)
	}
	if out.Counts.Total != 4 || out.Counts.OK != 3 || out.Counts.Failed != 1 {
		t.Errorf("counts %+v", out.Counts)
	}
	equal(t, out.Results[0], expect(t, r, chain), r)
	equal(t, out.Results[1], expect(t, r, unit[0].SMILES), r)
	equal(t, out.Results[3], expect(t, r, out.Results[3].SMILES), r)
	e := out.Results[2].Error
	if e == nil || e.Code != "invalid_smiles" || e.Position == 0 || e.Detail == "" {
		t.Errorf("C1CC answers %+v", out.Results[2])
	}
	body, err := json.Marshal(out.Results)
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{`"predictions":{"Tg":{"mean":`, `"std":`, `"interval90":[`, `"per_fold":[`, `"units":"°C"`,
		`"domain_of_validity":{"in_domain":`, `"n_unseen":`, `"unseen":[`, `"unknown_tokens":`, `"warnings":[`, `{"error":{"code":"invalid_smiles","detail":`, `"position":`} {
		if !strings.Contains(string(body), field) {
			t.Errorf("the answer lacks %s: %s", field, body)
		}
	}
}

// A model that was trained on rings predicts a repeat unit as a ring, and one whose
// training shortened chains shortens them alike.
func TestAnswerFollowsTheModelsChains(t *testing.T) {
	for name, c := range map[string]struct {
		chains  revision.Chains
		in      predict.Input
		alone   structure.Chains // that the answer is for
		warning string
	}{
		"rings":              {revision.Chains{DP: 18, Periodic: true}, predict.Input{RepeatUnit: lactide}, structure.Chains{Periodic: true}, ""},
		"an open chain":      {revision.Chains{DP: 18, Periodic: true}, predict.Input{RepeatUnit: lactide, DP: 6}, structure.Chains{DP: 6}, "dp_differs"},
		"shortened":          {revision.Chains{DP: 18, MaxHeavyAtoms: 50}, predict.Input{RepeatUnit: lactide}, structure.Chains{DP: 10}, "chain_shortened"},
		"as long as asked":   {revision.Chains{DP: 10, MaxHeavyAtoms: 50}, predict.Input{RepeatUnit: lactide}, structure.Chains{DP: 10}, ""},
		"of an old revision": {revision.Chains{}, predict.Input{RepeatUnit: lactide}, structure.Chains{DP: 18}, ""},
	} {
		b := newBench(t)
		r := *tiny(t, 1)
		r.Config.Chains = c.chains
		r.Config.Chains.Replicates, r.Config.Chains.Notations = 1, []data.Notation{data.RepeatUnit}
		b.commit("main", revisiontest.Files(t, &r))
		grown, err := structure.Grower{Chains: c.alone}.Grow(&data.Structure{RepeatUnit: lactide})
		if err != nil {
			t.Fatal(err)
		}
		out := b.answer(&predict.Request{Inputs: []predict.Input{c.in}}).Results[0]
		if out.SMILES != grown[0].SMILES {
			t.Errorf("%s: the answer is for %s, want %s", name, out.SMILES, grown[0].SMILES)
			continue
		}
		equal(t, out, expect(t, &r, grown[0].SMILES), &r)
		got := ""
		for _, w := range out.Warnings {
			got += w.Code
		}
		if got != c.warning {
			t.Errorf("%s: warnings %q, want %q", name, got, c.warning)
		}
	}
}

func TestDomain(t *testing.T) {
	b := newBench(t)
	b.publish(1)
	known := strings.Repeat("OC(=O)C(C)", 9) // of no training polymer's ends, but mostly known
	out := b.answer(&predict.Request{Inputs: []predict.Input{
		{Polymer: data1(t)}, {RepeatUnit: styrene}, {Polymer: "C" + known + "[Si](C)(C)C"},
	}})
	if d := out.Results[0].Domain; !d.InDomain || d.Unseen != 0 || d.UnknownTokens != 0 || d.Environments == nil {
		t.Errorf("a training polymer is judged %+v", d)
	}
	if d := out.Results[1].Domain; d.InDomain || d.Unseen == 0 || len(d.Environments) != d.Unseen || len(d.Environments[0].Atoms) == 0 {
		t.Errorf("polystyrene is judged %+v", d)
	}
	if d := out.Results[2].Domain; d.InDomain || d.UnknownTokens == 0 {
		t.Errorf("a silane is judged %+v", d)
	}
}

// data1 is a training polymer.
func data1(t *testing.T) string {
	t.Helper()
	return tiny(t, 1).Predictions[0].Polymer
}

func TestInputs(t *testing.T) {
	b := newBench(t)
	r := *tiny(t, 1)
	r.Config.Chains.DP, r.Config.Chains.Notations = 18, []data.Notation{data.RepeatUnit}
	b.commit("main", revisiontest.Files(t, &r))
	for name, x := range map[string]struct {
		in       predict.Input
		warnings string // codes
		err      string // code
	}{
		"as trained":        {predict.Input{RepeatUnit: lactide}, "", ""},
		"another DP":        {predict.Input{RepeatUnit: lactide, DP: 9}, "dp_differs", ""},
		"same DP":           {predict.Input{RepeatUnit: lactide, DP: 18}, "", ""},
		"pm":                {predict.Input{Monomers: []string{"C[C@@H](O)C(=O)O", "C[C@H](O)C(=O)O"}, Mechanism: "ester", PM: p(0.9)}, "pm_ignored notation_differs", ""},
		"short":             {predict.Input{Polymer: "CCO"}, "looks_like_repeat_unit notation_differs", ""},
		"a star in a chain": {predict.Input{Polymer: "*" + strings.Repeat("CC", 20) + "*"}, "looks_like_repeat_unit notation_differs", ""},
		"nothing":           {predict.Input{}, "", "missing_structure"},
		"no mechanism":      {predict.Input{Monomers: []string{"C=C"}, Mechanism: "wishful"}, "", "unknown_mechanism"},
		"valence":           {predict.Input{Polymer: "CC(C)(C)(C)C"}, "", "invalid_smiles"},
		"aromatic":          {predict.Input{Polymer: "c1cccc1CCCC"}, "", "invalid_smiles"},
		"one star":          {predict.Input{RepeatUnit: "*CC"}, "", "invalid_unit"},
		"pm beyond":         {predict.Input{Monomers: []string{"C=C"}, Mechanism: "vinyl", PM: p(1.5)}, "", "out_of_range"},
		"pm of nothing":     {predict.Input{Polymer: strings.Repeat("C", 30), PM: p(math.NaN())}, "", "out_of_range"},
		"dp beyond":         {predict.Input{RepeatUnit: lactide, DP: 1e6}, "", "out_of_range"},
		"replicates beyond": {predict.Input{RepeatUnit: lactide, Replicates: -1}, "", "out_of_range"},
		"too large":         {predict.Input{RepeatUnit: styrene, DP: 1000}, "", "too_large"},
		"empty":             {predict.Input{Polymer: "[H][H]"}, "", "missing_structure"},
	} {
		got := b.answer(&predict.Request{Inputs: []predict.Input{x.in}}).Results[0]
		if x.err != "" {
			if got.Error == nil || got.Error.Code != x.err || got.Error.Detail == "" {
				t.Errorf("%s: %+v, want error %s", name, got.Error, x.err)
			}
			continue
		}
		if got.Error != nil {
			t.Errorf("%s: %+v", name, got.Error)
			continue
		}
		var codes []string
		for _, w := range got.Warnings {
			codes = append(codes, w.Code)
		}
		if strings.Join(codes, " ") != x.warnings {
			t.Errorf("%s: warnings %v, want %s", name, got.Warnings, x.warnings)
		}
	}
}

// Replicates are averaged: the mean over all, fold by fold.
func TestReplicates(t *testing.T) {
	b := newBench(t)
	b.publish(1)
	r := tiny(t, 1)
	in := predict.Input{Monomers: []string{"OCCO", "OC(=O)CCCCC(=O)O", "OC(=O)c1ccccc1C(=O)O"}, Mechanism: "ester", DP: 8, Replicates: 3, Seed: 4}
	got := b.answer(&predict.Request{Inputs: []predict.Input{in}}).Results[0]
	chains, err := structure.Grower{Chains: structure.Chains{DP: 8, Replicates: 3}, Seed: 4}.Grow(&data.Structure{Monomers: in.Monomers, Mechanism: "ester", PM: math.NaN()})
	if err != nil {
		t.Fatal(err)
	}
	var fold0, all []float64
	for _, c := range chains {
		v := expect(t, r, c.SMILES).Values[0]
		fold0 = append(fold0, v.PerFold[0])
		all = append(all, v.PerFold...)
	}
	tg := got.Predictions["Tg"]
	if got.SMILES != chains[0].SMILES || math.Abs(float64(tg.PerFold[0])-mean(fold0)) > 1e-9 || math.Abs(float64(tg.Mean)-mean(all)) > 1e-9 || math.Abs(float64(tg.Std)-std(all)) > 1e-9 {
		t.Errorf("%+v, want fold 0 %v, mean %v, std %v", tg, mean(fold0), mean(all), std(all))
	}
	again := b.answer(&predict.Request{Inputs: []predict.Input{in}}).Results[0]
	if again.Predictions["Tg"].Mean != tg.Mean {
		t.Error("the same seed gives another answer")
	}
}

func mean(x []float64) (m float64) {
	for _, v := range x {
		m += v / float64(len(x))
	}
	return m
}

func std(x []float64) float64 {
	m, s := mean(x), 0.0
	for _, v := range x {
		s += (v - m) * (v - m)
	}
	return math.Sqrt(s / float64(len(x)-1))
}

func TestAggregate(t *testing.T) {
	b := newBench(t)
	b.publish(1)
	q, err := predict.ReadRequest(strings.NewReader(`{"inputs": [
		{"smiles_repeat_unit": "`+lactide+`", "dp": 5}, {"smiles_repeat_unit": "`+styrene+`"}, {"smiles_repeat_unit": "*C*C"}, {"smiles_repeat_unit": "`+lactide+`", "dp": 6}
	], "aggregate": {"functions": ["mean", "std"]}}`), 0)
	if err != nil {
		t.Fatal(err)
	}
	out := b.answer(q)
	if len(out.Aggregate) != 2 {
		t.Fatalf("%d groups: %+v", len(out.Aggregate), out.Aggregate)
	}
	for _, g := range out.Aggregate {
		if g.Keys["monomers"] != lactide {
			continue
		}
		var all []float64
		for _, i := range []int{0, 3} {
			for _, y := range out.Results[i].Predictions["Tm"].PerFold {
				all = append(all, float64(y))
			}
		}
		if len(g.Inputs) != 2 || g.Inputs[1] != 3 || math.Abs(float64(g.Predictions["Tm"]["mean"])-mean(all)) > 1e-9 || math.Abs(float64(g.Predictions["Tm"]["std"])-std(all)) > 1e-9 {
			t.Errorf("%+v, want mean %v and std %v", g, mean(all), std(all))
		}
		return
	}
	t.Errorf("no group of polylactide in %+v", out.Aggregate)
}

func TestLogarithms(t *testing.T) {
	b := newBench(t)
	r := *tiny(t, 1)
	rename(&r, "Tg", "log10_Permeability_O2", "log10 Barrer")
	b.commit("main", revisiontest.Files(t, &r))
	got := b.answer(&predict.Request{Inputs: []predict.Input{{RepeatUnit: styrene}}}).Results[0].Predictions
	l := got["log10_Permeability_O2"]
	if l.Linear == nil || l.Linear.Units != "Barrer" || float64(l.Linear.Median) != math.Pow(10, float64(l.Mean)) || l.Linear.Interval[1] != math.Pow(10, l.Interval[1]) {
		t.Errorf("%+v", l.Linear)
	}
	if got["Tm"].Linear != nil {
		t.Error("a temperature has a logarithm")
	}
}

func TestReadRequest(t *testing.T) {
	for body, want := range map[string]string{
		`{"inputs": [{"smiles_polymer": "C"}]}`: "",
		`{"inputs": []}`:                        "/inputs",
		`{}`:                                    "/inputs",
		`{"inputs": [{}, {}, {}, {}]}`:          "text/csv",
		`{"inputs": [{"smiles": "C"}]}`:         "",
		`{"inputs": "C"}`:                       "/inputs",
		`{"inputs": [{"smiles_polymer": "C"}], "modell": {}}`: "/modell",
		`7`: "an object",
		`{"inputs": [{"smiles_polymer": "C"}], "aggregate": {"by": ["colour"]}}`:        "/aggregate/by/0",
		`{"inputs": [{"smiles_polymer": "C"}], "aggregate": {"functions": ["median"]}}`: "/aggregate/functions/0",
		`{"inputs": [{"smiles_polymer": "C"}]} {}`:                                      "follows",
		`C`: "request",
	} {
		q, err := predict.ReadRequest(strings.NewReader(body), 3)
		if want == "" {
			if err != nil || len(q.Inputs) != 1 {
				t.Errorf("%s: %v", body, err)
			}
			continue
		}
		if jobs.ErrorCode(err) != jobs.Invalid || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want a word of %s", body, err, want)
		}
	}
}

// Equal chains are computed once, in a request and across those that run at the
// same time; chains with equal graphs too.
func TestSharedWork(t *testing.T) {
	b := newBench(t)
	b.publish(1)
	q := &predict.Request{}
	for range 20 {
		q.Inputs = append(q.Inputs, predict.Input{RepeatUnit: styrene, DP: 9})
	}
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			if _, err := b.Answer(t.Context(), q); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	if n := b.runs.Load(); n != 2 { // one a fold
		t.Errorf("160 equal inputs took %d forward passes, want 2", n)
	}
	b.answer(&predict.Request{Inputs: []predict.Input{{Polymer: strings.Repeat("C[C@H](F)", 10)}, {Polymer: strings.Repeat("C[C@@H](F)", 10)}}})
	if n := b.runs.Load(); n != 4 {
		t.Errorf("two chains of one graph took %d forward passes, want 2", n-2)
	}
}

// An input that cannot be read has an error for its result, and the others theirs.
func TestUnreadInputs(t *testing.T) {
	b := newBench(t)
	b.publish(1)
	q, err := predict.ReadRequest(strings.NewReader(`{"inputs": [{"smiles": "C"}, {"smiles_polymer": 7}, "CC", null, {"smiles_repeat_unit": "*CC*"}]}`), 0)
	if err != nil {
		t.Fatal(err)
	}
	results := b.answer(q).Results
	for i, want := range []string{`"smiles"`, "smiles_polymer", "string", "polymer"} {
		if e := results[i].Error; e == nil || !strings.Contains(e.Detail, want) || i < 3 && e.Code != "invalid_input" {
			t.Errorf("input %d: %+v, want an error about %s", i, e, want)
		}
	}
	if e := results[4].Error; e != nil {
		t.Errorf("the good input: %+v", e)
	}
}
