package httpapi

import (
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/jobs"
	"polyid-trainer/jobs/search"
	"polyid-trainer/jobs/searches"
)

type (
	spaceSchema  struct{}
	valuesSchema struct{}
)

// Schema implements huma.SchemaProvider.
func (spaceSchema) Schema(huma.Registry) *huma.Schema {
	two := 2
	bounds := &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{Type: huma.TypeNumber}, MinItems: &two, MaxItems: &two}
	one := 1
	kind := func(name string, values *huma.Schema) *huma.Schema {
		return &huma.Schema{Type: huma.TypeObject, Properties: map[string]*huma.Schema{name: values}, Required: []string{name}, AdditionalProperties: false}
	}
	return &huma.Schema{
		Type: huma.TypeObject, MinProperties: &one,
		AdditionalProperties: &huma.Schema{OneOf: []*huma.Schema{
			kind(string(search.Log), bounds), kind(string(search.Uniform), bounds), kind(string(search.Int), bounds),
			kind(string(search.Choice), &huma.Schema{Type: huma.TypeArray, MinItems: &one, Items: &huma.Schema{}}),
		}},
		Description: "Fields of the training job by path, with dots, and the values that they may take: {\"learning_rate\": {\"log\": [1e-5, 1e-3]}}.",
	}
}

// Schema implements huma.SchemaProvider.
func (valuesSchema) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, AdditionalProperties: true, Description: "Fields of the training job by path, with dots."}
}

// searchSchema is the body of a search: everything but job and space may be left
// out.
func searchSchema(r huma.Registry) *huma.Schema {
	type body struct {
		Name      string             `json:"name,omitempty"`
		Job       jobs.Spec          `json:"job"`
		Space     search.Space       `json:"space"`
		Method    searches.Method    `json:"method,omitempty" enum:"random,tpe,asha" default:"asha"`
		Objective searches.Objective `json:"objective,omitempty" doc:"Left out, the mean over the properties of the MAE over that of the median."`
		MaxTrials int                `json:"max_trials,omitempty" minimum:"1" maximum:"500" default:"40"`
		MaxHours  *float64           `json:"max_hours,omitempty" doc:"After so many hours no trial goes on, and the best of what there is counts."`
		MaxUSD    *float64           `json:"max_cost_usd,omitempty" doc:"Once its trials have cost as much, the search pauses."`
		Seed      uint64             `json:"seed,omitempty"`
		TrainBest bool               `json:"train_best,omitempty" default:"true" doc:"Train the best settings in full, and publish them as the job says."`
		Webhook   *jobs.Webhook      `json:"webhook,omitempty"`
		Reduction int                `json:"reduction_factor,omitempty" minimum:"2" maximum:"10" default:"3" doc:"Of asha: of so many trials one goes on from a rung."`
		Rungs     int                `json:"rungs,omitempty" minimum:"1" maximum:"10" default:"3" doc:"Of asha: how often trials are compared, their end included."`
	}
	s := huma.SchemaFromType(r, reflect.TypeFor[body]())
	s.Properties["job"] = requestSchema[jobs.Spec](r, "dataset")
	return s
}
