package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"net/http"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"polyid-trainer/data"
)

// python makes commands of PolyID's Python with huggingface_hub in reach, which
// is another environment's.
func python(t testing.TB) func(script string, stdin []byte) []byte {
	t.Helper()
	polyid, hub := os.Getenv("POLYID_PYTHON"), os.Getenv("HUB_PYTHON")
	if polyid == "" || hub == "" {
		t.Skip("set POLYID_PYTHON and HUB_PYTHON, or run .ci/peers polyid hub")
	}
	site, err := exec.Command(hub, "-c", "import sysconfig; print(sysconfig.get_path('purelib'))").Output()
	if err != nil {
		t.Fatal(err)
	}
	home := t.TempDir()
	return func(script string, stdin []byte) []byte {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		cmd := exec.CommandContext(ctx, polyid, "-c", fmt.Sprintf("import sys\nsys.path.append(%q)\n%s", strings.TrimSpace(string(site)), script))
		cmd.Env = append(os.Environ(), "HF_HOME="+home, "TF_CPP_MIN_LOG_LEVEL=3", "CUDA_VISIBLE_DEVICES=")
		cmd.Stdin = bytes.NewReader(stdin)
		var errs bytes.Buffer
		cmd.Stderr = &errs
		out, err := cmd.Output()
		if err != nil {
			t.Fatalf("%v: %s", err, errs.Bytes()[max(0, errs.Len()-3000):])
		}
		return out
	}
}

// snippets are the blocks of code in a card, by language.
func snippets(card string) map[string][]string {
	out := map[string][]string{}
	parts := strings.Split(card, "```")
	for i := 1; i < len(parts); i += 2 {
		language, code, _ := strings.Cut(parts[i], "\n")
		out[language] = append(out[language], code)
	}
	return out
}

// shipped are the polymers of the shipped tables as CSV: all that are chains,
// and of the others each tenth, or with LONG all.
func shipped(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	w.Write([]string{"smiles_polymer", "smiles_repeat_unit"})
	for _, set := range data.AllShipped() {
		table, _, err := data.Parse(t.Context(), []*data.Sheet{set.Sheet()}, data.Columns{}, data.Options{})
		if err != nil {
			t.Fatal(err)
		}
		for i, s := range table.Structures {
			if s.Polymer != "" || i%10 == 0 || os.Getenv("LONG") != "" {
				w.Write([]string{s.Polymer, s.RepeatUnit})
			}
		}
	}
	if w.Flush(); w.Error() != nil {
		t.Fatal(w.Error())
	}
	return b.Bytes()
}

// compareWithPolyID trains a job, and holds what Python's PolyID predicts with
// the revision it has from the Hub to what the service does. The card's snippets
// are run as they are printed.
func compareWithPolyID(t *testing.T, spec string) {
	run := python(t)
	s := newService(t)
	v := s.succeeds(s.submit([]byte(spec)).ID)
	res, err := http.Get(fmt.Sprintf("%s/hub/%s/resolve/%s/README.md", s.url, v.Published.Repo, *v.Published.Tag))
	if err != nil {
		t.Fatal(err)
	}
	card, err := io.ReadAll(res.Body)
	res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("the card: %d, %v", res.StatusCode, err)
	}
	code := snippets(string(card))
	if len(code["sh"]) != 1 || len(code["python"]) != 2 {
		t.Fatalf("the card has snippets %q", code)
	}

	out, err := exec.CommandContext(t.Context(), "bash", "-ec", code["sh"][0]).Output()
	if err != nil {
		t.Fatalf("the card's curl: %v", err)
	}
	var answer struct {
		Status  string
		Results []struct {
			SMILES      string                            `json:"smiles_polymer"`
			Predictions map[string]struct{ Mean float64 } `json:"predictions"`
		}
	}
	if err := json.Unmarshal(out, &answer); err != nil || answer.Status != "succeeded" || len(answer.Results) != 1 || len(answer.Results[0].Predictions) != 2 {
		t.Fatalf("the card's curl prints %s, %v", out, err)
	}

	table := shipped(t)
	csvOut, _ := command(t, 0, string(table), "predict", "--server", s.url, "--revision", *v.Published.Tag, "-")
	ours, err := csv.NewReader(strings.NewReader(csvOut)).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	// The chains that the service made of repeat units, for PolyID to predict.
	ours = slices.DeleteFunc(ours, func(row []string) bool { // what the service refuses by its size
		return strings.Contains(row[len(row)-1], "heavy atoms")
	})
	chains := s.chains(t, *v.Published.Tag, ours)
	in, err := json.Marshal(chains)
	if err != nil {
		t.Fatal(err)
	}
	// The snippet predicts one polymer; then the same model predicts all.
	theirs := run(code["python"][0]+`
import json, os
assert all(not f.startswith("model_") or os.path.isdir(os.path.join(folder, f)) for f in os.listdir(folder))
polymers = pd.DataFrame({"smiles_polymer": json.load(sys.stdin)})
columns = [c + "_pred" for c in model.prediction_columns]
answers = model.make_predictions(polymers)
print("\nRESULT", json.dumps(answers.groupby(answers.index)[columns].mean().values.tolist()))
`, in)
	_, text, found := strings.Cut(string(theirs), "\nRESULT ")
	var want [][]float64
	if err := json.Unmarshal([]byte(text), &want); err != nil || !found || len(want) != len(chains) {
		t.Fatalf("PolyID wrote %.2000s: %v", theirs, err)
	}
	if len(chains) < 350 {
		t.Errorf("only %d polymers are compared", len(chains))
	}
	column := map[string]int{}
	for i, name := range ours[0] {
		column[name] = i
	}
	worst, low, high := 0.0, math.Inf(1), math.Inf(-1)
	for i, row := range ours[1:] {
		for k, target := range []string{"Tg", "Tm"} {
			var mean float64
			if _, err := fmt.Sscan(row[column[target+"_pred_mean"]], &mean); err != nil {
				t.Fatalf("row %d is %q", i, row)
			}
			low, high = min(low, mean), max(high, mean)
			if d := math.Abs(mean - want[i][k]); !(d <= 1e-3) {
				t.Fatalf("%s of %s is %v here, %v in PolyID", target, chains[i], mean, want[i][k])
			} else {
				worst = max(worst, d)
			}
		}
	}
	t.Logf("%d polymers within %.1e of PolyID's, between %.1f and %.1f", len(chains), worst, low, high)
}

// chains are what the service makes of a table's polymers.
func (s *service) chains(t *testing.T, revision string, table [][]string) (chains []string) {
	t.Helper()
	type input struct {
		Polymer    string `json:"smiles_polymer,omitempty"`
		RepeatUnit string `json:"smiles_repeat_unit,omitempty"`
	}
	const most = 1000
	for from := 1; from < len(table); from += most {
		var inputs []input
		for _, row := range table[from:min(from+most, len(table))] {
			inputs = append(inputs, input{row[0], row[1]})
		}
		body, err := json.Marshal(map[string]any{"model": map[string]string{"repo": "polyid/polyid-models", "revision": revision}, "inputs": inputs})
		if err != nil {
			t.Fatal(err)
		}
		var p struct {
			ID, Status string
			Results    []struct {
				SMILES string `json:"smiles_polymer"`
			}
		}
		s.call("POST", "/v1/predictions", string(body), &p)
		until(t, "the prediction", func() bool {
			s.call("GET", "/v1/predictions/"+p.ID, "", &p)
			return p.Status == "succeeded"
		})
		for _, r := range p.Results {
			chains = append(chains, r.SMILES)
		}
	}
	return chains
}

// Python's PolyID loads what a job published, from the embedded Hub, and
// predicts what the service does.
func TestPolyIDLoadsWhatIsPublished(t *testing.T) {
	compareWithPolyID(t, string(small(3, `, "publish": {"tag": "v1.0.0", "save_training": true}`)))
}

// The same with PolyID's published network.
func TestLongPolyIDLoadsFullSize(t *testing.T) {
	long(t)
	compareWithPolyID(t, `{"dataset": "stereopolymer_input_nopush", "prediction_columns": ["Tg", "Tm"], "kfolds": 2, "epochs": 1, "publish": {"tag": "v1.0.0"}}`)
}
