package search

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"polyid-trainer/jobs"
)

// fixed are the fields that a search may not vary, and why: with them scores could
// not be compared, or they say nothing about how to train.
var fixed = map[string]string{
	"dataset":            "trials are compared on the same data",
	"prediction_columns": "trials are compared on the same properties",
	"columns":            "trials are compared on the same data",
	"units":              "trials are compared on the same data",
	"split":              "trials are compared on the same folds",
	"kfolds":             "trials are compared on the same folds",
	"holdout":            "trials are compared on the same rows",
	"seed":               "trials share one seed, so that they are compared on the same folds",
	"publish":            "trials publish nothing",
	"webhook":            "trials send no webhooks: state the search's own",
	"recipe":             "it stands for many settings: name those that vary",
	"weights":            "trials are compared on the same data",
	"censored":           "trials are compared on the same data",
	"metadata":           "it changes nothing about the training",
	"name":               "it changes nothing about the training",
	"notes":              "it changes nothing about the training",
	"tags":               "it changes nothing about the training",
	"shared_with":        "it changes nothing about the training",
	"priority":           "it changes nothing about the training",
	"max_cost_usd":       "state max_cost_usd of the search",
}

// With is a training job's body in which the values take the place of its own.
func With(body json.RawMessage, values Values) (json.RawMessage, error) {
	for _, path := range slices.Sorted(maps.Keys(values)) {
		var err error
		if body, err = set(body, strings.Split(path, "."), values[path]); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	return body, nil
}

// set sets a field of a JSON object, and makes the objects that lead to it.
func set(object json.RawMessage, path []string, value json.RawMessage) (json.RawMessage, error) {
	if len(path) == 0 {
		return value, nil
	}
	fields := map[string]json.RawMessage{}
	if len(object) > 0 && string(object) != "null" {
		if err := json.Unmarshal(object, &fields); err != nil {
			return nil, fmt.Errorf("the job's own value is not an object, so that it has no %s", path[0])
		}
	}
	inner, err := set(fields[path[0]], path[1:], value)
	if err != nil {
		return nil, err
	}
	fields[path[0]] = inner
	return json.Marshal(fields)
}

// Check lists what keeps the values of a space from being those of the training
// job with the given body, with pointers below at. Problems that the body has by
// itself are not listed again. It tries the ends and one value within each range,
// and every choice, one field at a time.
func Check(s Space, body json.RawMessage, at string) []jobs.Problem {
	own := map[string]bool{}
	if spec, err := jobs.ReadSpec(bytes.NewReader(body)); err == nil {
		for _, p := range spec.Problems() {
			own[p.Pointer] = true
		}
	}
	var problems []jobs.Problem
	for _, p := range s {
		pointer := at + "/" + escape(p.Path)
		top, _, _ := strings.Cut(p.Path, ".")
		if why, ok := fixed[top]; ok {
			problems = append(problems, jobs.Problem{Pointer: pointer, Detail: "cannot be searched over: " + why})
			continue
		}
		problems = append(problems, p.check(body, pointer, own)...)
	}
	return problems
}

// check tries the values of one parameter.
func (p *Parameter) check(body json.RawMessage, pointer string, own map[string]bool) (problems []jobs.Problem) {
	for _, v := range p.samples() {
		err := tryValue(body, p.Path, v.json, own)
		if err == nil {
			continue
		}
		at := fmt.Sprintf("%s/%s/%d", pointer, p.Kind, v.index)
		if errors.Is(err, errNoField) {
			return []jobs.Problem{{Pointer: pointer, Detail: err.Error()}}
		}
		if v.index < 0 {
			if problems != nil {
				continue // an end says why
			}
			at = pointer
		}
		problems = append(problems, jobs.Problem{Pointer: at, Detail: err.Error()})
	}
	return problems
}

// sample is a value to try: index says where it stands in the request, -1 for one
// within a range.
type sample struct {
	json  json.RawMessage
	index int
}

func (p *Parameter) samples() []sample {
	var out []sample
	if p.Kind == Choice {
		for i, c := range p.Choices {
			out = append(out, sample{c, i})
		}
		return out
	}
	out = append(out, sample{p.value(p.Low), 0}, sample{p.value(p.High), 1})
	if p.Kind != Int {
		const within = 0.381966 // no fraction that a whole number would come of
		out = append(out, sample{p.value(p.Low + within*(p.High-p.Low)), -1})
	}
	return out
}

// errNoField is the error of a path that leads to nothing.
var errNoField = errors.New("is not a field of a training job")

// tryValue says what is wrong with a value of a field.
func tryValue(body json.RawMessage, path string, value json.RawMessage, own map[string]bool) error {
	tried, err := With(body, Values{path: value})
	if err != nil {
		return err
	}
	spec, err := jobs.ReadSpec(bytes.NewReader(tried))
	var wrong *json.UnmarshalTypeError
	switch {
	case err != nil && strings.Contains(err.Error(), "unknown field"):
		return errNoField
	case errors.As(err, &wrong):
		return fmt.Errorf("%s does not fit the field, which is of type %s", value, wrong.Type)
	case err != nil:
		return fmt.Errorf("%s does not fit: %w", value, err)
	}
	var details []string
	for _, p := range spec.Problems() {
		if !own[p.Pointer] {
			details = append(details, strings.TrimPrefix(p.Pointer, "/")+": "+p.Detail)
		}
	}
	if details == nil {
		return nil
	}
	return errors.New(strings.Join(details, "; "))
}
