package compat

import (
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"polyid-trainer/api/apitest"
	"polyid-trainer/api/httpapi"
	"polyid-trainer/jobs/tokens"
	"polyid-trainer/nn/train"
	"polyid-trainer/worker/predict"
)

var noon = time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)

const chain = "COC(=O)C(C)OC(=O)C(C)OC(=O)C(C)OC(=O)C(C)OC(=O)C(C)OC(=O)C(C)OC(=O)C(C)OC(=O)C(C)OC(=O)C(C)O"

// inference is a server of this area alone, with what predicts behind it.
type inference struct {
	*apitest.Inference
	url string
}

func newInference(t *testing.T, c httpapi.Config) *inference {
	t.Helper()
	in := apitest.NewInference(t)
	h := httptest.NewServer(httpapi.New(c, &Area{Predictor: in.Predictor, Models: in.Models}))
	t.Cleanup(h.Close)
	return &inference{in, h.URL}
}

func old(path, body string, header ...string) apitest.Request {
	return apitest.NewRequest(http.MethodPost, path, body, header...)
}

// steady replaces what the predictions of a tiny model are, which depends on the
// kernels of the machine.
func steady(body []byte) []byte {
	body = regexp.MustCompile(`"(glass_transition_temp|melting_temp)":-?[0-9.e+-]+`).ReplaceAll(body, []byte(`"$1":1.5`))
	return regexp.MustCompile(`"(detail)":"[^"]*"`).ReplaceAll(body, []byte(`"$1":"…"`))
}

func TestCompat(t *testing.T) {
	in := newInference(t, httpapi.Config{Now: func() time.Time { return noon }, Version: "v1"})
	in.Models.Refresh(t.Context())
	for _, r := range []apitest.Request{old("/run/predict", `{"smiles": "CC"}`), old("/batch_predict", `{"smiles_list": ["CC"]}`)} {
		resp, body := r.Send(t, in.url)
		if resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), `"error_code":"MODEL_NOT_LOADED","code":"model_not_loaded"`) ||
			!strings.Contains(string(body), "/v1/training-jobs") {
			t.Errorf("without a model: %d %s", resp.StatusCode, body)
		}
	}
	if resp, body := (apitest.Request{Path: "/health"}).Send(t, in.url); resp.StatusCode != http.StatusServiceUnavailable || !strings.Contains(string(body), `"status":"unhealthy"`) {
		t.Errorf("health without a model: %d %s", resp.StatusCode, body)
	}
	in.Publish(1)
	for name, c := range map[string]struct {
		apitest.Request
		status int
	}{
		"health":    {apitest.Request{Path: "/health"}, 200},
		"predict":   {old("/run/predict", `{"smiles": "`+chain+`"}`), 200},
		"unit":      {old("/run/predict", `{"smiles": "*OC(=O)C(*)C"}`), 200},
		"bad":       {old("/run/predict", `{"smiles": "C1CC"}`), 400},
		"missing":   {old("/run/predict", `{}`), 400},
		"batch":     {old("/batch_predict", `{"smiles_list": ["`+chain+`", "*OC(=O)C(*)C"]}`), 200},
		"partial":   {old("/batch_predict", `{"smiles_list": ["`+chain+`", "C1CC", 7]}`), 207},
		"batch_bad": {old("/batch_predict", `{"smiles_list": []}`), 400},
	} {
		t.Run(name, func(t *testing.T) {
			resp, body := c.Send(t, in.url)
			if resp.StatusCode != c.status {
				t.Fatalf("%d %s, want %d", resp.StatusCode, body, c.status)
			}
			apitest.Golden(t, name+".golden.json", steady(body))
		})
	}
}

// The error codes are those that the clients know.
func TestCompatRefuses(t *testing.T) {
	in := newInference(t, httpapi.Config{Limits: httpapi.Limits{JSON: 5000}})
	in.Publish(1)
	hundred := `{"smiles_list": ["CC"` + strings.Repeat(`,"CC"`, 100) + `]}`
	for _, c := range []struct {
		apitest.Request
		code string
	}{
		{old("/run/predict", `{"smiles": ""}`), "MISSING_SMILES"},
		{old("/run/predict", `{"smiles": null}`), "MISSING_SMILES"},
		{old("/run/predict", `{"smiles": 123}`), "INVALID_SMILES_TYPE"},
		{old("/run/predict", `{"smiles": ["CC"]}`), "INVALID_SMILES_TYPE"},
		{old("/run/predict", `["CC"]`), "INVALID_REQUEST_FORMAT"},
		{old("/run/predict", `null`), "INVALID_REQUEST_FORMAT"},
		{old("/run/predict", `{`), "INVALID_REQUEST_FORMAT"},
		{old("/run/predict", strings.Repeat(" ", 5001)), "INVALID_REQUEST_FORMAT"},
		{old("/run/predict", `{"smiles": "CC"}`, "Content-Type", "text/plain"), "INVALID_CONTENT_TYPE"},
		{old("/run/predict", `{"smiles": "C1CC1<>"}`), "INVALID_SMILES"},
		{old("/batch_predict", `{}`), "MISSING_SMILES_LIST"},
		{old("/batch_predict", `{"smiles_list": "CC"}`), "INVALID_SMILES_LIST_TYPE"},
		{old("/batch_predict", hundred), "BATCH_SIZE_EXCEEDED"},
		{old("/batch_predict", `{"smiles_list": ["CC"]}`, "Content-Type", ""), "INVALID_CONTENT_TYPE"},
	} {
		resp, body := c.Send(t, in.url)
		var e struct {
			Error     string
			Code      string `json:"error_code"`
			Timestamp time.Time
		}
		if err := json.Unmarshal(body, &e); err != nil || resp.StatusCode != http.StatusBadRequest || e.Code != c.code || e.Error == "" || e.Timestamp.IsZero() {
			t.Errorf("%s %.60s answers %d %s, want %s", c.Path, c.Body, resp.StatusCode, body, c.code)
		}
	}
	for _, path := range []string{"/run/predict", "/batch_predict"} {
		apitest.Request{Path: path}.Problem(t, in.url, http.StatusMethodNotAllowed, "method_not_allowed")
	}
}

// The routes are behind the same tokens; the health is for everybody.
func TestCompatAuth(t *testing.T) {
	in := newInference(t, httpapi.Config{Tokens: tokens.New(nil, []tokens.Stated{{Name: "ann", Secret: "s3cret"}}, nil, nil)})
	in.Publish(1)
	old("/run/predict", `{"smiles": "CC"}`).Problem(t, in.url, http.StatusUnauthorized, "unauthorized")
	old("/batch_predict", `{"smiles_list": ["CC"]}`).Problem(t, in.url, http.StatusUnauthorized, "unauthorized")
	if resp, body := (apitest.Request{Path: "/health"}).Send(t, in.url); resp.StatusCode != http.StatusOK {
		t.Errorf("%d %s", resp.StatusCode, body)
	}
}

// Properties are named and measured as the clients know them, where that is
// what the model predicts, and nothing is made up.
func TestCompatProperties(t *testing.T) {
	p := func(mean float64, units string) predict.Property {
		return predict.Property{Mean: train.Measure(mean), Units: units}
	}
	permeability := p(0, "log10 Barrer")
	permeability.Linear = &predict.Linear{Median: 1, Units: "Barrer"}
	r := resultOf("CC", predict.Result{Predictions: map[string]predict.Property{
		"Glass_Transition": p(80, "°C"), "Melt_Temp": p(200, "°C"), "YoungMod": p(1500, "MPa"), "Density": p(1.2, "g/cm³"),
		"log10_Permeability_O2": permeability, "log10_Permeability_N2": p(-1, "log10 Barrer"), "strange": p(math.NaN(), ""),
	}}, noon)
	want := map[string]float64{
		"glass_transition_temp": 80, "melting_temp": 200, "youngs_modulus": 1.5, "Density": 1.2, "oxygen_permeability": 2585.2, "log10_Permeability_N2": -1,
	}
	if have := slices.Sorted(maps.Keys(r.Properties)); !slices.Equal(have, slices.Sorted(maps.Keys(want))) {
		t.Errorf("properties %v", have)
	}
	for name, value := range want {
		if math.Abs(r.Properties[name]-value) > 0.05 {
			t.Errorf("%s is %v, want %v", name, r.Properties[name], value)
		}
	}
	if r.PolymerID == nil || !regexp.MustCompile(`^POLY-[A-Z2-7]{8}$`).MatchString(*r.PolymerID) {
		t.Errorf("the polymer's id is %v", fmt.Sprint(r.PolymerID))
	}
	if name, value, _ := property("YoungMod", p(1.5, "GPa")); name != "youngs_modulus" || value != 1.5 {
		t.Errorf("GPa: %s %v", name, value)
	}
	if name, _, _ := property("YoungMod", p(1500, "")); name != "YoungMod" {
		t.Errorf("of unknown units: %s", name)
	}
}
