package httpapi

import (
	"encoding/csv"
	"net/http"
	"os"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
)

// The page is there without a model and without training, and then / leads to
// it.
func TestPredictPage(t *testing.T) {
	alone := newInference(t, Config{})
	resp, body := request{path: "/predict"}.send(t, alone.url)
	if resp.StatusCode != http.StatusOK || !strings.Contains(string(body), "<option>ester_stereo</option>") || !strings.Contains(string(body), `"trains":false`) ||
		!strings.Contains(string(body), `"token":false`) {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
	if resp, _ := (request{path: "/"}).send(t, alone.url); resp.StatusCode != http.StatusSeeOther || resp.Header.Get("Location") != "/predict" {
		t.Errorf("/ answers %d, to %q", resp.StatusCode, resp.Header.Get("Location"))
	}

	train := area(func(s *Server) {
		s.page("/", "Train", func(echo.Context) (*pageOf, error) {
			return &pageOf{Title: "Train", Template: "error.html", Data: newProblem(http.StatusOK, "", "")}, nil
		})
	})
	both := serve(t, Config{Tokens: []Token{{Name: "alice", Secret: "correct-horse"}}}, train, alone.area).URL
	with := map[string]string{"Authorization": "Bearer correct-horse"}
	if resp, _ := (request{path: "/", header: with}).send(t, both); resp.StatusCode != http.StatusOK {
		t.Errorf("/ answers %d", resp.StatusCode)
	}
	if _, body := (request{path: "/predict", header: with}).send(t, both); !strings.Contains(string(body), `"trains":true`) || !strings.Contains(string(body), `"token":true`) {
		t.Errorf("beside training: %s", body)
	}
}

// Every example is a row of a table that the program ships.
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
			}
		}
	}
	notations := map[string]bool{}
	for _, e := range examples {
		s := e.RepeatUnit + e.Polymer + strings.Join(e.Monomers, ".")
		if !known[s] {
			t.Errorf("%s is in no table: %s", e.Name, s)
		}
		notations[e.Mechanism+strings.Repeat("*", min(2, strings.Count(s, "*")))] = true
	}
	if len(notations) != 3 {
		t.Errorf("the examples show %d notations, want 3", len(notations))
	}
}
