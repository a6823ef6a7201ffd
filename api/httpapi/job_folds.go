package httpapi

import (
	"context"
	"encoding/csv"
	"math"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/api/training"
)

var historyType = reflect.TypeFor[training.History]()

var outOfFoldType = reflect.TypeFor[training.OutOfFold]()

func (a *TrainingJobs) foldRoutes(s *Server, base string, tags []string) {
	route(s, huma.Operation{
		OperationID: "get-folds", Method: http.MethodGet, Path: base + "/{id}/folds", Tags: tags,
		Summary: "How a job's rows are divided", Description: "409 until the job is prepared.",
	}, func(ctx context.Context, in *Named) (*divided, error) {
		d, err := a.Division(ctx, in.ID)
		return &divided{d}, err
	})
	route(s, huma.Operation{
		OperationID: "get-fold-history", Method: http.MethodGet, Path: base + "/{id}/folds/{index}/history", Tags: tags,
		Summary:     "What each finished epoch of a fold measured",
		Description: "Of a fold that runs, up to its newest checkpoint. JSON, or text/csv if asked for.",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"application/json": {Schema: s.api.OpenAPI().Components.Schemas.Schema(historyType, true, "")},
			"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString}},
		}}},
	}, func(ctx context.Context, in *foldNamed) (*huma.StreamResponse, error) {
		h, err := a.History(ctx, in.ID, in.Index)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(huma.Context) { in.write(h) }}, nil
	})
	route(s, huma.Operation{
		OperationID: "get-fold-predictions", Method: http.MethodGet, Path: base + "/{id}/folds/{index}/predictions", Tags: tags,
		Summary:     "What a fold predicts for the rows that it did not see",
		Description: "Beside what was measured. 409 until the fold has ended. JSON, or text/csv if asked for.",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"application/json": {Schema: s.api.OpenAPI().Components.Schemas.Schema(outOfFoldType, true, "")},
			"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString}},
		}}},
	}, func(ctx context.Context, in *foldNamed) (*huma.StreamResponse, error) {
		o, err := a.OutOfFold(ctx, in.ID, in.Index)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(huma.Context) { in.writeOutOfFold(o) }}, nil
	})
}

type (
	foldNamed struct {
		Exchange
		Named
		Index int `path:"index" minimum:"0" maximum:"99"`
	}
	divided struct{ Body *training.Division }
)

// writeOutOfFold answers with predictions, as JSON or, if asked for, as CSV.
func (in *foldNamed) writeOutOfFold(o *training.OutOfFold) {
	w := in.echo.Response()
	if !in.wants("text/csv") {
		_ = in.echo.JSON(http.StatusOK, o) // the status is written: nobody is left to tell
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	c := csv.NewWriter(w)
	header := []string{"row"}
	for _, t := range o.Targets {
		header = append(header, t.Name, t.Name+"_pred")
	}
	c.Write(header)
	for _, r := range o.Data {
		line := []string{strconv.Itoa(r.Row)}
		for t := range o.Targets {
			line = append(line, number(float64(r.Measured[t])), number(float64(r.Predicted[t])))
		}
		c.Write(line)
	}
	c.Flush()
}

// write answers with a history, as JSON or, if asked for, as CSV.
func (in *foldNamed) write(h *training.History) {
	w := in.echo.Response()
	if !in.wants("text/csv") {
		_ = in.echo.JSON(http.StatusOK, h) // the status is written: nobody is left to tell
		return
	}
	w.Header().Set("Content-Type", "text/csv; charset=utf-8")
	c := csv.NewWriter(w)
	header := []string{"epoch", "loss", "val_loss"}
	for _, t := range h.Targets {
		header = append(header, "val_mae_"+t)
	}
	c.Write(append(header, "learning_rate", "seconds"))
	for _, e := range h.Data {
		row := []string{strconv.Itoa(e.Epoch), number(float64(e.Loss)), number(float64(e.ValLoss))}
		for i := range h.Targets {
			mae := math.NaN()
			if i < len(e.ValMAE) {
				mae = float64(e.ValMAE[i])
			}
			row = append(row, number(mae))
		}
		c.Write(append(row, strconv.FormatFloat(e.LearningRate, 'g', -1, 64), strconv.FormatFloat(e.Seconds, 'g', -1, 64)))
	}
	c.Flush()
}

// number writes a measured value, and nothing for a missing one.
func number(x float64) string {
	if math.IsNaN(x) || math.IsInf(x, 0) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}
