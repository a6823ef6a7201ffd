package pages

import (
	"encoding/csv"
	"net/http"
	"os"
	"strings"
	"testing"

	"polyid-trainer/api/apitest"
	"polyid-trainer/api/httpapi"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/tokens"
)

// The page is there without a model and without training, and then / leads to
// it.
func TestPredictPage(t *testing.T) {
	page := &Predict{Default: jobs.Revision{Repo: apitest.HubRepo, Revision: "main"}, Mechanisms: structure.Mechanisms()}
	alone := serve(t, httpapi.Config{}, page)
	resp, body := apitest.Request{Path: "/predict"}.Send(t, alone.URL)
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "<option>ester_stereo</option>") || !strings.Contains(string(body), `"trains":false`) ||
		!strings.Contains(string(body), `"token":false`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, _ := (apitest.Request{Path: "/"}).Send(t, alone.URL); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/predict" {
		t.Errorf("/ answers %d, to %q", resp.StatusCode, resp.Header.Get("Location"))
	}

	train := &Training{Service: apitest.NewTraining(t, noon).Service}
	tokens := tokens.New(nil, []tokens.Stated{{Name: "alice", Secret: "correct-horse"}}, nil, nil)
	both := serve(t, httpapi.Config{Tokens: tokens}, train, page).URL
	with := map[string]string{"Authorization": "Bearer correct-horse"}
	if resp, _ := (apitest.Request{Path: "/", Header: with}).Send(t, both); resp.StatusCode != http.StatusOK {
		t.Errorf("/ answers %d", resp.StatusCode)
	}
	if _, body := (apitest.Request{Path: "/predict", Header: with}).Send(t, both); !strings.Contains(string(body), `"trains":true`) || !strings.Contains(string(body), `"token":true`) {
		t.Errorf("beside training: %s", body)
	}
}

// Every example is a polymer of a table that the program ships, however its repeat
// unit is written there.
func TestExamples(t *testing.T) {
	known := map[string]bool{}
	for _, name := range []string{"polymers_seven_properties", "stereopolymer_input_nopush"} {
		f, err := os.Open("../../data/" + name + ".csv")
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		rows, err := csv.NewReader(f).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		for _, row := range rows[1:] {
			for i, column := range rows[0] {
				if strings.HasPrefix(column, "smiles_") {
					known[row[i]] = true
				}
				if column == "smiles_repeat_unit" {
					known[structure.Identity(row[i])] = true
				}
			}
		}
	}
	notations := map[string]bool{}
	for _, e := range examples {
		s := e.RepeatUnit + e.Polymer + strings.Join(e.Monomers, ".")
		if !known[s] && !known[structure.Identity(e.RepeatUnit)] {
			t.Errorf("%s is in no table: %s", e.Name, s)
		}
		notations[e.Mechanism+strings.Repeat("*", min(2, strings.Count(s, "*")))] = true
	}
	if len(notations) != 3 {
		t.Errorf("the examples show %d notations, want 3", len(notations))
	}
}
