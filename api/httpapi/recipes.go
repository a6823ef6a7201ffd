package httpapi

import (
	"context"
	"encoding/json"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/jobs"
)

// Recipe is a recipe and what it stands for.
type Recipe struct {
	Name     string          `json:"name" doc:"What a training job names as its recipe."`
	Settings json.RawMessage `json:"settings" doc:"The fields of a training job, as a job takes them where its request says nothing."`
}

// recipes serves /v1/recipes.
func (s *Server) recipes() {
	type list struct {
		Object string   `json:"object" enum:"list"`
		Data   []Recipe `json:"data" nullable:"false"`
	}
	type answer struct{ Body list }
	route(s, huma.Operation{
		OperationID: "list-recipes", Method: http.MethodGet, Path: "/v1/recipes", Tags: []string{"training jobs"},
		Summary: "The recipes, with every setting they stand for",
	}, func(context.Context, *struct{}) (*answer, error) {
		out := list{Object: "list", Data: []Recipe{}}
		for _, spec := range jobs.Recipes() {
			text, err := json.Marshal(spec)
			if err != nil {
				return nil, err
			}
			var fields map[string]json.RawMessage
			if err := json.Unmarshal(text, &fields); err != nil {
				return nil, err
			}
			delete(fields, "recipe")
			delete(fields, "dataset")
			settings, err := json.Marshal(fields)
			if err != nil {
				return nil, err
			}
			out.Data = append(out.Data, Recipe{Name: spec.Recipe, Settings: settings})
		}
		return &answer{out}, nil
	})
}
