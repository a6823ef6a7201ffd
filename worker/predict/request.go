package predict

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"strings"

	"polyid-trainer/data"
	"polyid-trainer/featurize/structure"
	"polyid-trainer/jobs"
	"polyid-trainer/nn/revision"
)

// Limits of a request.
const (
	DefaultMaxInputs = 1000 // of a JSON request
)

// Request is the body of POST /v1/predictions.
type Request struct {
	Model     jobs.Revision     `json:"model"` // empty fields are the configured model's
	Inputs    []Input           `json:"inputs"`
	Aggregate *data.Aggregation `json:"aggregate,omitempty"` // nil averages nothing across inputs
	// Explain asks what each prediction is made of: ExplainAtoms, ExplainNeighbours.
	Explain []string `json:"explain,omitempty"`
	// Columns are what the fields of the inputs are called, where it is not as here.
	Columns data.Roles `json:"columns,omitzero"`
}

// Input is one polymer, in the first of three notations that it fills.
type Input struct {
	Polymer      string    `json:"smiles_polymer,omitempty"`
	RepeatUnit   string    `json:"smiles_repeat_unit,omitempty"`
	Monomers     []string  `json:"monomers,omitempty"`
	Mechanism    string    `json:"mechanism,omitempty"`
	PM           *float64  `json:"pm,omitempty"`           // fraction of meso diads
	Distribution []float64 `json:"distribution,omitempty"` // weights of the monomers
	DP           int       `json:"dp,omitempty"`           // 0: as the model was trained
	Replicates   int       `json:"replicates,omitempty"`   // chains grown of monomers and averaged; 0: as the model was trained
	Seed         uint64    `json:"seed,omitempty"`         // of what is drawn at random
	// Conditions are those of the measurement to predict, by the names that the model
	// was trained with. For what is missing or null the training median stands.
	Conditions map[string]*float64 `json:"conditions,omitempty"`

	unread string // why it could not be read; "" if it could
}

// UnmarshalJSON reads an input. One that cannot be read is kept, with the reason,
// for its result to say so: a bad input never fails the others. A field that does
// not exist is a reason, since a mistyped one would predict something else.
func (in *Input) UnmarshalJSON(text []byte) error {
	type plain Input
	dec := json.NewDecoder(bytes.NewReader(text))
	dec.DisallowUnknownFields()
	*in = Input{}
	if err := dec.Decode((*plain)(in)); err != nil {
		*in = Input{unread: inputError(err)}
	}
	return nil
}

// inputError says why an input could not be read.
func inputError(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		if wrong.Field == "" {
			return fmt.Sprintf("an input is an object, not a %s", wrong.Value)
		}
		return fmt.Sprintf("%s cannot be a %s", wrong.Field, wrong.Value)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return "an input has no field " + name + ": it is a smiles_polymer, a smiles_repeat_unit, or monomers with a mechanism"
	}
	return err.Error()
}

// ReadRequest reads a request's body. A field that does not exist is refused,
// since a mistyped one would predict something else; whatever is wrong with one
// input alone is left to its result. Errors have code Invalid.
func ReadRequest(r io.Reader, maxInputs int) (*Request, error) {
	if maxInputs == 0 {
		maxInputs = DefaultMaxInputs
	}
	body, err := io.ReadAll(r)
	if err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	q := &Request{}
	dec := json.NewDecoder(bytes.NewReader(renamed(body)))
	dec.DisallowUnknownFields()
	if err := dec.Decode(q); err != nil {
		return nil, unreadable(err)
	}
	if dec.More() {
		return nil, &jobs.Error{Code: jobs.Invalid, Detail: "something follows the JSON object"}
	}
	var problems []jobs.Problem
	switch {
	case len(q.Inputs) == 0:
		problems = append(problems, jobs.Problem{Pointer: "/inputs", Detail: "is required: at least one polymer"})
	case len(q.Inputs) > maxInputs:
		problems = append(problems, jobs.Problem{Pointer: "/inputs",
			Detail: fmt.Sprintf("has %d entries, more than %d: send several requests, or a text/csv body", len(q.Inputs), maxInputs)})
	}
	problems = append(problems, settings("", data.Columns{Roles: q.Columns}.Validate())...)
	for i, what := range q.Explain {
		if what != ExplainAtoms && what != ExplainNeighbours {
			problems = append(problems, jobs.Problem{Pointer: fmt.Sprintf("/explain/%d", i),
				Detail: fmt.Sprintf("%.40q is neither %q nor %q", what, ExplainAtoms, ExplainNeighbours)})
		}
	}
	if q.Aggregate != nil {
		a := q.Aggregate.WithDefaults()
		q.Aggregate = &a
		problems = append(problems, settings("/aggregate", a.Validate())...)
	}
	if problems != nil {
		return nil, &jobs.Error{Code: jobs.Invalid, Detail: "the request asks for what cannot be", Problems: problems}
	}
	return q, nil
}

// unreadable is the error of a body that is JSON, but not that of a Request.
func unreadable(err error) error {
	e := &jobs.Error{Code: jobs.Invalid, Detail: "the request asks for what cannot be", Err: err}
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		e.Problems = []jobs.Problem{{Pointer: "/" + strings.ReplaceAll(wrong.Field, ".", "/"), Detail: "cannot be a " + wrong.Value}}
		if wrong.Field == "" {
			e.Problems[0] = jobs.Problem{Detail: "a prediction request is an object with inputs"}
		}
		return e
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name = strings.Trim(name, `"`)
		e.Problems = []jobs.Problem{{Pointer: "/" + name, Detail: "is no field of a prediction request: those are model, inputs, aggregate, explain and columns"}}
		return e
	}
	e.Problems = []jobs.Problem{{Detail: "the body is no prediction request: " + err.Error()}}
	return e
}

// settings are the problems of joined data.SettingErrors.
func settings(at string, err error) (problems []jobs.Problem) {
	var joined interface{ Unwrap() []error }
	var setting *data.SettingError
	switch {
	case err == nil:
	case errors.As(err, &joined):
		for _, e := range joined.Unwrap() {
			problems = append(problems, settings(at, e)...)
		}
	case errors.As(err, &setting):
		problems = append(problems, jobs.Problem{Pointer: at + "/" + setting.Field, Detail: setting.Detail})
	default:
		problems = append(problems, jobs.Problem{Pointer: at, Detail: err.Error()})
	}
	return problems
}

// polymer is an input, ready to be grown.
type polymer struct {
	structure data.Structure
	grower    structure.Grower
	keys      []string // of its aggregate
	explain   []string // see Request

	conditions []float32        // in the model's order, NaN is not given
	ignored    []string         // conditions of a model that has none
	err        *structure.Error // it cannot be
}

// polymer reads in with a model's defaults.
func (in Input) polymer(c *revision.Config) polymer {
	p := polymer{
		structure: data.Structure{
			Polymer: in.Polymer, RepeatUnit: in.RepeatUnit, Monomers: in.Monomers, Mechanism: in.Mechanism,
			PM: math.NaN(), Distribution: in.Distribution, DP: in.DP,
		},
		grower: grower(c),
	}
	p.grower.Seed = in.Seed
	if in.PM != nil {
		p.structure.PM = *in.PM
	}
	if in.Replicates != 0 {
		p.grower.Replicates = in.Replicates
	}
	refuse := func(code, format string, args ...any) {
		p.err = &structure.Error{Code: code, Monomer: -1, Detail: fmt.Sprintf(format, args...)}
	}
	switch {
	case in.unread != "":
		refuse("invalid_input", "%s", in.unread)
	case in.DP < 0 || in.DP > structure.MaxDP:
		refuse("out_of_range", "a dp of %d is not between 1 and %d", in.DP, structure.MaxDP)
	case in.Replicates < 0 || in.Replicates > structure.MaxReplicates:
		refuse("out_of_range", "%d replicates are not between 1 and %d", in.Replicates, structure.MaxReplicates)
	case in.PM != nil && !(*in.PM >= 0 && *in.PM <= 1):
		refuse("out_of_range", "a pm of %v is not between 0 and 1", *in.PM)
	}
	if err := p.take(in.Conditions, c.Columns.Conditions); err != nil && p.err == nil {
		p.err = err
	}
	return p
}

// grower grows the chains that the model was trained on of an input that does
// not say.
func grower(c *revision.Config) structure.Grower {
	n := c.Chains
	return structure.Grower{Chains: structure.Chains{
		DP: n.DP, MaxHeavyAtoms: n.MaxHeavyAtoms, Replicates: n.Replicates, Periodic: n.Periodic,
	}.WithDefaults()}
}
