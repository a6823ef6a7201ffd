// Package compat serves the three routes of the inference service that this
// project replaces, in its shapes, for the clients it had.
package compat

import (
	"crypto/sha256"
	"encoding/base32"
	"encoding/json"
	"errors"
	"io"
	"math"
	"mime"
	"net/http"
	"strings"
	"time"

	"github.com/labstack/echo/v4"

	"polyid-trainer/api/httpapi"
	"polyid-trainer/jobs"
	"polyid-trainer/worker/predict"
)

// Area serves /run/predict, /batch_predict and /health. Their property names stand
// for targets of the model; what the model does not predict is left out, where
// the service before this one made it up.
type Area struct {
	Predictor httpapi.Predictor
	Models    httpapi.Serving
}

// maxBatch is the polymers that one /batch_predict may hold, as its clients know.
const maxBatch = 100

// The error codes that the clients know, and ModelNotLoaded.
const (
	invalidSMILES      = "INVALID_SMILES"
	missingSMILES      = "MISSING_SMILES"
	smilesType         = "INVALID_SMILES_TYPE"
	contentType        = "INVALID_CONTENT_TYPE"
	requestFormat      = "INVALID_REQUEST_FORMAT"
	missingSMILESList  = "MISSING_SMILES_LIST"
	smilesListType     = "INVALID_SMILES_LIST_TYPE"
	batchSize          = "BATCH_SIZE_EXCEEDED"
	predictionFailed   = "PREDICTION_ERROR"
	internalFailure    = "INTERNAL_ERROR"
	modelNotLoadedCode = "MODEL_NOT_LOADED"
)

type (
	// result answers for one polymer.
	result struct {
		Error      string             `json:"error,omitempty"`
		ErrorCode  string             `json:"error_code,omitempty"`
		PolymerID  *string            `json:"polymer_id"`
		SMILES     string             `json:"smiles"`
		Properties map[string]float64 `json:"properties"`
		Warnings   []jobs.Warning     `json:"warnings,omitempty"`
		Timestamp  time.Time          `json:"timestamp"`
		Seconds    *float64           `json:"processing_time_seconds,omitempty"`
	}
	summary struct {
		Total      int     `json:"total"`
		Successful int     `json:"successful"`
		Failed     int     `json:"failed"`
		Seconds    float64 `json:"processing_time_seconds"`
	}
	batch struct {
		Error     string    `json:"error,omitempty"`
		ErrorCode string    `json:"error_code,omitempty"`
		Results   []result  `json:"results"`
		Summary   summary   `json:"summary"`
		Timestamp time.Time `json:"timestamp"`
	}
	// failure answers a request that cannot be.
	failure struct {
		Error     string    `json:"error"`
		ErrorCode string    `json:"error_code"`
		Code      jobs.Code `json:"code,omitempty"` // as /v1 names it
		Timestamp time.Time `json:"timestamp"`
	}
	health struct {
		Status     string            `json:"status"` // healthy or unhealthy
		Detail     string            `json:"detail,omitempty"`
		Timestamp  time.Time         `json:"timestamp"`
		Components map[string]string `json:"components"`
		Version    string            `json:"version"`
	}
)

// Routes implements httpapi.Area.
func (a *Area) Routes(s *httpapi.Server) {
	s.Open("/health")
	s.Echo().GET("/health", func(c echo.Context) error { return a.health(c, s) })
	s.Echo().POST("/run/predict", func(c echo.Context) error { return a.single(c, s) })
	s.Echo().POST("/batch_predict", func(c echo.Context) error { return a.batch(c, s) })
}

// health says whether there is a model. The components are named after the
// Python packages whose work this program does itself, as the clients know them;
// TensorFlow is not among them, since nothing of it is here.
func (a *Area) health(c echo.Context, s *httpapi.Server) error {
	h := health{
		Status: "healthy", Timestamp: s.Now().UTC(), Version: s.Version,
		Components: map[string]string{"rdkit": "available", "nfp": "available", "polyid": "available"},
	}
	status := http.StatusOK
	if err := a.Models.Ready(); err != nil {
		h.Status, h.Detail, h.Components["polyid"] = "unhealthy", httpapi.ProblemOf(c.Request().Context(), err).Detail, "unavailable"
		status = http.StatusServiceUnavailable
	}
	return c.JSON(status, h)
}

func (a *Area) single(c echo.Context, s *httpapi.Server) error {
	began := s.Now()
	refuse := func(code, detail string) error {
		return c.JSON(http.StatusBadRequest, failure{Error: detail, ErrorCode: code, Timestamp: s.Now().UTC()})
	}
	fields, code, detail := body(c, s.Limits.JSON)
	if code != "" {
		return refuse(code, detail)
	}
	var smiles string
	switch raw := fields["smiles"]; {
	case len(raw) == 0, string(raw) == "null", string(raw) == `""`:
		return refuse(missingSMILES, "Missing 'smiles' field in request body")
	case json.Unmarshal(raw, &smiles) != nil:
		return refuse(smilesType, "'smiles' field must be a string")
	}
	answer, err := a.Predictor.Answer(c.Request().Context(), &predict.Request{Inputs: []predict.Input{chainOrUnit(smiles)}})
	if err != nil {
		return a.fail(c, s, err)
	}
	r := resultOf(smiles, answer.Results[0], s.Now())
	seconds := elapsed(began, s.Now())
	r.Seconds = &seconds
	status := http.StatusOK
	switch r.ErrorCode {
	case "":
		r.Properties["analysis_time"] = seconds
	case predictionFailed:
		status = http.StatusInternalServerError
	default:
		status = http.StatusBadRequest
	}
	return c.JSON(status, r)
}

func (a *Area) batch(c echo.Context, s *httpapi.Server) error {
	began := s.Now()
	refuse := func(code, detail string, n int) error {
		return c.JSON(http.StatusBadRequest, batch{Error: detail, ErrorCode: code, Results: []result{},
			Summary: summary{Total: n, Failed: n}, Timestamp: s.Now().UTC()})
	}
	fields, code, detail := body(c, s.Limits.JSON)
	if code != "" {
		return refuse(code, detail, 0)
	}
	var list []json.RawMessage
	raw := fields["smiles_list"]
	err := json.Unmarshal(raw, &list)
	switch {
	case len(raw) == 0, err == nil && len(list) == 0, string(raw) == `""`:
		return refuse(missingSMILESList, "Missing or empty 'smiles_list' field in request body", 0)
	case err != nil:
		return refuse(smilesListType, "'smiles_list' must be a list of SMILES strings", 0)
	case len(list) > maxBatch:
		return refuse(batchSize, "Batch size limited to 100 SMILES strings", len(list))
	}
	q := &predict.Request{}
	smiles := make([]string, len(list))
	for i, raw := range list {
		if json.Unmarshal(raw, &smiles[i]) != nil {
			smiles[i] = string(raw) // no string, and no SMILES either
		}
		q.Inputs = append(q.Inputs, chainOrUnit(smiles[i]))
	}
	answer, err := a.Predictor.Answer(c.Request().Context(), q)
	if err != nil {
		return a.fail(c, s, err)
	}
	out := batch{Results: []result{}, Timestamp: s.Now().UTC()}
	out.Summary = summary{Total: len(list), Seconds: elapsed(began, s.Now())}
	for i, r := range answer.Results {
		one := resultOf(smiles[i], r, s.Now())
		if one.ErrorCode != "" {
			out.Summary.Failed++
		} else {
			out.Summary.Successful++
		}
		out.Results = append(out.Results, one)
	}
	status := http.StatusOK
	if out.Summary.Failed > 0 {
		status = http.StatusMultiStatus
	}
	return c.JSON(status, out)
}

// fail answers an error that is not of one polymer.
func (a *Area) fail(c echo.Context, s *httpapi.Server, err error) error {
	p := httpapi.ProblemOf(c.Request().Context(), err)
	e := failure{Error: p.Detail, ErrorCode: internalFailure, Code: p.Code, Timestamp: s.Now().UTC()}
	if p.Code == jobs.ModelNotLoaded {
		e.ErrorCode = modelNotLoadedCode
	}
	return c.JSON(p.Status, e)
}

// body reads a JSON object; code is why it is none.
func body(c echo.Context, limit int64) (fields map[string]json.RawMessage, code, detail string) {
	r := c.Request()
	if kind, _, err := mime.ParseMediaType(r.Header.Get("Content-Type")); err != nil || kind != "application/json" {
		return nil, contentType, "Content-Type must be application/json"
	}
	text, err := io.ReadAll(http.MaxBytesReader(c.Response(), r.Body, limit))
	if errors.As(err, new(*http.MaxBytesError)) {
		return nil, requestFormat, "Request body is too large"
	}
	if err != nil || json.Unmarshal(text, &fields) != nil || fields == nil {
		return nil, requestFormat, "Request body must be a JSON object"
	}
	return fields, "", ""
}

// chainOrUnit is the input that a SMILES stands for: with open ends a repeat
// unit, without them a finished chain.
func chainOrUnit(smiles string) predict.Input {
	if strings.Contains(smiles, "*") {
		return predict.Input{RepeatUnit: smiles}
	}
	return predict.Input{Polymer: smiles}
}

// resultOf puts a result into the shape that the clients know.
func resultOf(smiles string, r predict.Result, now time.Time) result {
	out := result{SMILES: smiles, Properties: map[string]float64{}, Warnings: r.Warnings, Timestamp: now.UTC()}
	if e := r.Error; e != nil {
		out.Error, out.ErrorCode = "Invalid SMILES: "+e.Detail, invalidSMILES
		if e.Code == "unpredictable" {
			out.Error, out.ErrorCode = "Prediction failed: "+e.Detail, predictionFailed
		}
		return out
	}
	id := polymerID(smiles)
	out.PolymerID = &id
	for target, p := range r.Predictions {
		if name, value, ok := property(target, p); ok {
			out.Properties[name] = value
		}
	}
	return out
}

// barrer is what one Barrer is in cm³(STP)·mil/(m²·day·atm), the unit of the
// clients' oxygen_permeability: 10⁻¹⁰ cm³·cm/(cm²·s·cmHg) × 1/0.00254 mil/cm ×
// 10⁴ cm²/m² × 86,400 s/day × 76 cmHg/atm.
const barrer = 1e-10 / 0.00254 * 1e4 * 86400 * 76

// property names a target as the clients do, in their unit; a target that they
// have no word for, or that comes in another unit, keeps its name. What is no
// number is no property.
func property(target string, p predict.Property) (name string, value float64, ok bool) {
	name, value = target, float64(p.Mean)
	switch target {
	case "Glass_Transition", "Tg":
		name = "glass_transition_temp"
	case "Melt_Temp", "Tm":
		name = "melting_temp"
	case "YoungMod":
		switch p.Units {
		case "MPa":
			name, value = "youngs_modulus", value/1000
		case "GPa":
			name = "youngs_modulus"
		}
	case "log10_Permeability_O2":
		if p.Linear != nil && p.Linear.Units == "Barrer" {
			name, value = "oxygen_permeability", float64(p.Linear.Median)*barrer
		}
	}
	return name, value, !math.IsNaN(value) && !math.IsInf(value, 0)
}

// polymerID is a name for a SMILES, always the same.
func polymerID(smiles string) string {
	sum := sha256.Sum256([]byte(smiles))
	return "POLY-" + base32.StdEncoding.EncodeToString(sum[:])[:8]
}

// elapsed is a time in seconds, to the millisecond.
func elapsed(from, to time.Time) float64 { return math.Round(to.Sub(from).Seconds()*1e3) / 1e3 }
