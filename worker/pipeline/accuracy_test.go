package pipeline_test

import (
	"bytes"
	"encoding/json"
	"hash/fnv"
	"math"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/keys"
	"polyid-trainer/nn/revision"
)

// TestAccurateBesideTheForest measures the recipe "accurate" on the seven-property
// table beside a random forest on Morgan counts and the median, on fifths of the
// polymers that a hash holds out, and logs the mean of each. It takes some minutes a
// split, so that it runs only where ACCURACY_SPLITS says how many of the five, and
// RDKIT_PYTHON names the peer. ACCURACY_SPEC has fields of a job that differ from the
// recipe's, such as {"epochs": 20}.
func TestAccurateBesideTheForest(t *testing.T) {
	splits, _ := strconv.Atoi(os.Getenv("ACCURACY_SPLITS"))
	python := os.Getenv("RDKIT_PYTHON")
	if splits == 0 || python == "" {
		t.Skip("ACCURACY_SPLITS or RDKIT_PYTHON is not set: see .ci/peers")
	}
	d, _ := data.Shipped("polymers_seven_properties")
	tab, _, err := data.Parse(t.Context(), []*data.Sheet{d.Sheet()}, data.Columns{}, data.Options{Identify: structure.Identity})
	if err != nil {
		t.Fatal(err)
	}
	sum := map[string]map[string]float64{}
	for split := range splits {
		for name, scores := range accuracyOf(t, tab, split, python) {
			if sum[name] == nil {
				sum[name] = map[string]float64{}
			}
			for of, mae := range scores {
				sum[name][of] += mae / float64(splits)
			}
		}
	}
	for _, target := range tab.Targets {
		of := sum[target.Name]
		t.Logf("%-24s accurate %.4g, forest %.4g (%.2f×), median %.4g (%.2f×)", target.Name, of["accurate"],
			of["forest"], of["accurate"]/of["forest"], of["median"], of["accurate"]/of["median"])
	}
}

// accuracyOf gives the mean absolute errors of one split, by property.
func accuracyOf(t *testing.T, tab *data.Table, split int, python string) map[string]map[string]float64 {
	t.Helper()
	body := map[string]any{}
	if extra := os.Getenv("ACCURACY_SPEC"); extra != "" {
		if err := json.Unmarshal([]byte(extra), &body); err != nil {
			t.Fatal(err)
		}
	}
	body["recipe"], body["dataset"], body["publish"] = jobs.RecipeAccurate, "polymers_seven_properties", nil
	text, err := json.Marshal(body)
	if err != nil {
		t.Fatal(err)
	}
	s, err := jobs.ReadSpec(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	asked := struct {
		SMILES []string              `json:"smiles"`
		Values map[string][]*float64 `json:"values"`
		Held   []int                 `json:"held"`
	}{Values: map[string][]*float64{}}
	s.Holdout = &data.Holdout{}
	for row := range tab.Structures {
		asked.SMILES = append(asked.SMILES, tab.Structures[row].RepeatUnit)
		for k, y := range tab.Values(row) {
			var v *float64
			if !math.IsNaN(y) {
				v = &y
			}
			asked.Values[tab.Targets[k].Name] = append(asked.Values[tab.Targets[k].Name], v)
		}
		h := fnv.New32a()
		h.Write([]byte(tab.Structures[row].Identity))
		if int(h.Sum32()>>8)%5 == split {
			asked.Held = append(asked.Held, row)
			s.Holdout.Rows = append(s.Holdout.Rows, tab.Origin[row].Position)
		}
	}
	for _, target := range tab.Targets {
		s.Targets = append(s.Targets, target.Name)
	}
	p := newPlant(t)
	j := p.ask(s, keys.Dataset, tab)
	p.run(j.ID, 1)
	if j = p.job(j.ID); j.State != jobs.Succeeded {
		t.Fatalf("the job is %s (%+v)", j.State, j.Failure)
	}
	var m revision.Metrics
	if err := json.Unmarshal(j.Metrics, &m); err != nil {
		t.Fatal(err)
	}
	question, err := json.Marshal(asked)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/forest.py")
	cmd.Stdin, cmd.Stderr = strings.NewReader(string(question)), os.Stderr
	answer, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]map[string]float64
	if err := json.Unmarshal(answer, &out); err != nil {
		t.Fatal(err)
	}
	for name := range out {
		out[name]["accurate"] = float64(m.Holdout[name].MAE)
	}
	return out
}
