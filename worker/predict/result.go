package predict

import (
	"encoding/json"
	"fmt"

	"polyid-trainer/featurize"
	"polyid-trainer/jobs"
	"polyid-trainer/jobs/predictions"
	"polyid-trainer/nn/revision"
	"polyid-trainer/nn/stack"
	"polyid-trainer/nn/train"
)

// Response is a prediction as the API shows it.
type Response struct {
	ID        string             `json:"id"`
	Object    string             `json:"object"` // "prediction"
	Status    predictions.Status `json:"status"`
	Counts    predictions.Counts `json:"counts"`
	Model     predictions.Model  `json:"model"`
	Results   []Result           `json:"results"` // by index of the input; null before the prediction has succeeded
	Aggregate []Aggregate        `json:"aggregate,omitempty"`
	Metrics   revision.Scores    `json:"metrics,omitempty"` // of a CSV that has the targets measured
	Error     *jobs.Failure      `json:"error"`
}

// Result answers one input: with predictions or with an error.
type Result struct {
	// SMILES is the chain that Unseen's atoms are of: the first of the replicates.
	SMILES      string              `json:"smiles_polymer,omitempty"`
	Predictions map[string]Property `json:"predictions,omitempty"`
	Domain      *Domain             `json:"domain_of_validity,omitempty"` // null if the model does not know, which is a warning
	Warnings    []jobs.Warning      `json:"warnings,omitempty"`
	Error       *InputError         `json:"error,omitempty"`

	// Atoms, by target, and Neighbours are there if the request asks for them; null
	// where they cannot be told, which is a warning.
	Atoms      *map[string]Attribution `json:"atoms,omitempty"`
	Neighbours *[]Neighbour            `json:"neighbours,omitempty"`

	perChain [][][]float64 // [chains][targets][folds], for aggregates
	keys     []string      // of the input's aggregate
}

// MarshalJSON writes one of the two shapes.
func (r Result) MarshalJSON() ([]byte, error) {
	if r.Error != nil {
		return json.Marshal(struct {
			Error *InputError `json:"error"`
		}{r.Error})
	}
	w := r.Warnings
	if w == nil {
		w = []jobs.Warning{}
	}
	return json.Marshal(struct {
		SMILES      string              `json:"smiles_polymer"`
		Predictions map[string]Property `json:"predictions"`
		Domain      *Domain             `json:"domain_of_validity"`
		Warnings    []jobs.Warning      `json:"warnings"`

		Atoms      *map[string]Attribution `json:"atoms,omitempty"`
		Neighbours *[]Neighbour            `json:"neighbours,omitempty"`
	}{r.SMILES, r.Predictions, r.Domain, w, r.Atoms, r.Neighbours})
}

// warn adds a warning.
func (r *Result) warn(code, format string, args ...any) {
	r.Warnings = append(r.Warnings, jobs.Warning{Code: code, Detail: fmt.Sprintf(format, args...)})
}

// Property is the prediction of one target, in its units.
type Property struct {
	Mean     train.Measure   `json:"mean"`
	Std      train.Measure   `json:"std"`        // over folds and replicates, divisor n−1; null of a single value
	Interval *[2]float64     `json:"interval90"` // named by its level; null if the model has no calibration, or too little of it
	PerFold  []train.Measure `json:"per_fold"`   // means over replicates
	Units    string          `json:"units"`
	// Quality is "ok", "no_better_than_baseline" where the model's own scores say
	// so, or "unknown" where there are none.
	Quality string `json:"quality"`
	// Members are what each member of a stack predicts; Mean is their blend.
	Members map[stack.Member]train.Measure `json:"members,omitempty"`
	Linear  *Linear                        `json:"linear,omitempty"` // of a log10_ property

	// InDomain and Unseen are Domain's by the polymers of which this property was
	// measured; null if the model does not know.
	InDomain *bool `json:"in_domain"`
	Unseen   *int  `json:"n_unseen"`

	level string // that Interval is named by; "" is "90"
}

// Linear is a logarithmic property out of its logarithm. The mean of the
// logarithm is the median here.
type Linear struct {
	Median   train.Measure `json:"median"`
	Interval *[2]float64   `json:"interval90"` // as Property's
	Units    string        `json:"units"`

	level string
}

// Domain says how far a polymer lies outside what the model was trained on.
type Domain struct {
	InDomain      bool               `json:"in_domain"` // nothing unseen, no unknown token
	Unseen        int                `json:"n_unseen"`  // PolyID's fps_notin_train
	Environments  []featurize.Unseen `json:"unseen"`    // Morgan environments no training polymer has
	UnknownTokens int                `json:"unknown_tokens"`
}

// InputError is what is wrong with an input.
type InputError struct {
	Code     string `json:"code"`
	Detail   string `json:"detail"`
	Position int    `json:"position,omitempty"` // 1-based, in the SMILES; 0 is unknown
	Monomer  *int   `json:"monomer,omitempty"`  // index of the one to blame
}

// Aggregate is several inputs that agree in what was asked to group by.
type Aggregate struct {
	Keys        map[string]string                   `json:"keys"`
	Inputs      []int                               `json:"inputs"`
	Predictions map[string]map[string]train.Measure `json:"predictions"` // by target and function
}
