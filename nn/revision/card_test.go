package revision_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"polyid-trainer/data"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/revision/revisiontest"
	"polyid-trainer/nn/train"
)

var update = flag.Bool("update", false, "write testdata/card.md anew")

var place = revision.Place{Repo: "polyid/polyid-models", Branch: "main", Tag: "v1.2.0", Endpoint: "http://localhost:8080/hub", Python: true}

func card(t *testing.T, c revision.Config, m revision.Metrics, p revision.Place) string {
	t.Helper()
	body, err := revision.Card(c, m, p)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

// measured is a configuration and metrics whose card shows everything, in round
// figures.
func measured(t *testing.T) (revision.Config, revision.Metrics) {
	r := revisiontest.Tiny(t, 2, 1)
	usd := 0.36
	r.Config.Run.USD = &usd
	r.Config.Data.Graphs = &data.GraphStats{Rows: 229, Polymers: 80, Graphs: 35, Largest: 20, ValidationRows: 190, ValidationKnown: 150}
	r.Config.Folds = len(r.Models)
	all := []revision.Scores{r.Metrics.OutOfFold, r.Metrics.Holdout}
	for _, f := range r.Metrics.Folds {
		all = append(all, f.OutOfFold)
	}
	for _, scores := range all { // the last digits differ between processors
		for name, s := range scores {
			s.MAE, s.RMSE, s.R2 = round(s.MAE), round(s.RMSE), round(s.R2)
			scores[name] = s
		}
	}
	return r.Config, r.Metrics
}

func round(x train.Measure) train.Measure {
	return train.Measure(math.Round(float64(x)*10) / 10)
}

func TestCard(t *testing.T) {
	c, m := measured(t)
	got := card(t, c, m, place)
	golden := filepath.Join("testdata", "card.md")
	if *update {
		if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("the card is not testdata/card.md (write it anew with -update):\n%s", got)
	}
}

// What was not measured is not in the card, and what it cannot know is said to
// be unknown.
func TestCardSaysNoMore(t *testing.T) {
	c, m := measured(t)
	c.Run.USD, c.Data.Licence, m.Holdout = nil, "", nil
	got := card(t, c, m, revision.Place{Repo: "a/b", Branch: "dev"})
	for _, word := range []string{"not known: the workers had no price", "not stated", "was not measured here", "untagged", `"revision": "dev"`} {
		if !strings.Contains(got, word) {
			t.Errorf("the card does not say %q", word)
		}
	}
	for _, word := range []string{"USD", "Hold-out set:", "snapshot_download", "NaN", "within 90"} {
		if strings.Contains(got, word) {
			t.Errorf("the card says %q", word)
		}
	}
	imported, err := revision.Imported(revisiontest.Tiny(t, 2, 1).Models, "files that PolyID saved, in x/y at 0123")
	if err != nil {
		t.Fatal(err)
	}
	got = card(t, imported.Config, imported.Metrics, revision.Place{Repo: "a/b", Python: true})
	for _, word := range []string{"There are no intervals: the model is imported", "There is no domain of validity: the model is imported", "PolyID saved, in x/y at 0123",
		"the accuracy of its predictions is not known", "license: other", "snapshot_download"} {
		if !strings.Contains(got, word) {
			t.Errorf("the card of an imported model does not say %q", word)
		}
	}
	for _, word := range []string{"## Results", "NaN", "best epoch", "model-index", "mae", "Seed", "0001", "Chains", "Cost", " 0 rows", "Hash"} {
		if strings.Contains(got, word) {
			t.Errorf("the card of an imported model says %q", word)
		}
	}
}

// A name cannot break out of its table or of the front matter.
func TestCardIsSafe(t *testing.T) {
	c, m := measured(t)
	c.Data.Name = "x\n---\n# owned | <script>alert(1)</script> `\""
	got := card(t, c, m, place)
	if strings.Count(got, "\n---\n") != 1 || strings.Contains(got, "\n# owned") || strings.Contains(got[strings.Index(got, "\n---\n"):], "<script>") {
		t.Errorf("the card is\n%s", got)
	}
}

// huggingface_hub reads the front matter: the model index as results, the rest
// as it is meant.
func TestCardInHuggingfaceHub(t *testing.T) {
	python := os.Getenv("HUB_PYTHON")
	if python == "" {
		t.Skip("set HUB_PYTHON to a python with huggingface_hub, or run .ci/peers hub")
	}
	c, m := measured(t)
	cmd := exec.Command(python, "-c", `
import json, sys
from huggingface_hub import ModelCard
from huggingface_hub.repocard_data import model_index_to_eval_results
card = ModelCard(sys.stdin.read(), ignore_metadata_errors=False)
d = card.data
print(json.dumps({"license": d.license, "library": d.library_name, "tags": d.tags, "datasets": d.datasets, "metrics": d.metrics,
  "name": d.model_name, "results": [[r.metric_type, r.metric_value, r.dataset_split, r.task_type] for r in d.eval_results], "text": len(card.text)}))
`)
	cmd.Stdin = strings.NewReader(card(t, c, m, place))
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v: %s", err, &complaints)
	}
	var have struct {
		License, Library, Name  string
		Tags, Datasets, Metrics []string
		Results                 [][4]any
		Text                    int
	}
	if err := json.Unmarshal(out, &have); err != nil {
		t.Fatal(err)
	}
	if have.License != "bsd-3-clause" || have.Library != "polyid" || have.Name != "polyid-models" || len(have.Tags) == 0 ||
		len(have.Datasets) != 1 || have.Datasets[0] != "stereopolymer_input_nopush" || len(have.Metrics) != 3 || have.Text == 0 {
		t.Errorf("it reads %s", out)
	}
	if len(have.Results) != 12 { // two properties, two sets of rows, three figures
		t.Fatalf("%d results: %s", len(have.Results), out)
	}
	if r := have.Results[0]; r[0] != "mae" || r[1] != float64(m.OutOfFold["Tg"].MAE) || r[2] != "out of fold" || r[3] != "graph-ml" {
		t.Errorf("the first result is %v", r)
	}
}
