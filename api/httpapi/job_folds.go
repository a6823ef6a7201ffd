package httpapi

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"

	"polyid-trainer/data"
	"polyid-trainer/jobs"
	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/train"
	"polyid-trainer/storage"
)

// Division is how a job's rows are divided. Rows count from 0, in the job's own
// copy of its dataset.
type Division struct {
	Object  string     `json:"object" enum:"split"`
	Folds   data.Folds `json:"folds" doc:"In the form of PolyID's load_kfold, which split.folds takes again."`
	Holdout []int      `json:"holdout" doc:"In no fold; those of a hold-out dataset count on from the last row."`
	Groups  []int32    `json:"groups" doc:"Of each row: rows of one group stay together."`
}

// History is what each finished epoch of a fold measured.
type History struct {
	Object  string        `json:"object" enum:"list"`
	Targets []string      `json:"targets" nullable:"false" doc:"Whose errors val_mae lists."`
	Data    []train.Epoch `json:"data" nullable:"false"`
}

// OutOfFold is what a fold predicts for the rows that it did not see.
type OutOfFold struct {
	Object  string              `json:"object" enum:"list"`
	Targets []checkpoint.Target `json:"targets" nullable:"false"`
	Data    []OutOfFoldRow      `json:"data" nullable:"false"`
}

// OutOfFoldRow is one row, in the targets' own units.
type OutOfFoldRow struct {
	Row       int             `json:"row" doc:"As in the job's folds."`
	Measured  []train.Measure `json:"measured" nullable:"false" doc:"Of each target; null where nobody measured it."`
	Predicted []train.Measure `json:"predicted" nullable:"false" doc:"Of each target."`
}

var historyType = reflect.TypeFor[History]()

var outOfFoldType = reflect.TypeFor[OutOfFold]()

func (a *TrainingJobs) foldRoutes(s *Server, base string, tags []string) {
	route(s, huma.Operation{
		OperationID: "get-folds", Method: http.MethodGet, Path: base + "/{id}/folds", Tags: tags,
		Summary: "How a job's rows are divided", Description: "409 until the job is prepared.",
	}, a.division)
	route(s, huma.Operation{
		OperationID: "get-fold-history", Method: http.MethodGet, Path: base + "/{id}/folds/{index}/history", Tags: tags,
		Summary:     "What each finished epoch of a fold measured",
		Description: "Of a fold that runs, up to its newest checkpoint. JSON, or text/csv if asked for.",
		Responses: map[string]*huma.Response{"200": {Description: "OK", Content: map[string]*huma.MediaType{
			"application/json": {Schema: s.api.OpenAPI().Components.Schemas.Schema(historyType, true, "")},
			"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString}},
		}}},
	}, func(ctx context.Context, in *foldNamed) (*huma.StreamResponse, error) {
		h, err := a.history(ctx, in.ID, in.Index)
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
		o, err := a.outOfFold(ctx, in.ID, in.Index)
		if err != nil {
			return nil, err
		}
		return &huma.StreamResponse{Body: func(huma.Context) { in.writeOutOfFold(o) }}, nil
	})
}

type (
	foldNamed struct {
		Exchange
		JobNamed
		Index int `path:"index" minimum:"0" maximum:"99"`
	}
	divided struct{ Body Division }
)

// maxArtifact bounds what is read of a job's objects, in bytes.
const maxArtifact = 1 << 30

func (a *TrainingJobs) division(ctx context.Context, in *JobNamed) (*divided, error) {
	j, err := a.Store.Job(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	d := Division{Object: "split", Holdout: []int{}, Groups: []int32{}}
	err = a.read(ctx, "jobs/"+j.ID+"/prepared.json", &d)
	if errors.Is(err, storage.ErrNotExist) {
		return nil, &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf("the job is %s: its rows are divided when it is prepared", j.State)}
	}
	d.Object = "split"
	return &divided{d}, err
}

// read decodes a JSON object of storage.
func (a *TrainingJobs) read(ctx context.Context, key string, into any) error {
	o, err := a.Bucket.Get(ctx, key)
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	defer o.Close()
	body, err := io.ReadAll(io.LimitReader(o, maxArtifact))
	if err != nil {
		return fmt.Errorf("read %s: %w", key, err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return &jobs.Error{Code: jobs.Damaged, Detail: fmt.Sprintf("%s is damaged: %v", key, err), Err: err}
	}
	return nil
}

// history is a finished fold's own, or that of a running one's newest
// checkpoint, of which only the header is read.
func (a *TrainingJobs) history(ctx context.Context, id string, index int) (*History, error) {
	j, err := a.Store.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	h := &History{Object: "list", Targets: j.Spec.Targets, Data: []train.Epoch{}}
	if h.Targets == nil {
		h.Targets = []string{}
	}
	// A checkpoint is removed as soon as another takes its place: look again.
	for range 3 {
		folds, err := a.Store.Folds(ctx, id)
		if err != nil {
			return nil, err
		}
		if index >= len(folds) {
			return nil, &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("the job has no fold %d (yet)", index)}
		}
		err = a.read(ctx, fmt.Sprintf("jobs/%s/folds/%d/history.json", id, index), &h.Data)
		if !errors.Is(err, storage.ErrNotExist) {
			return h, err
		}
		c := folds[index].Checkpoint
		if c == nil {
			return h, nil
		}
		o, err := a.Bucket.Get(ctx, c.Key)
		if errors.Is(err, storage.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("history of fold %d: %w", index, err)
		}
		m, err := checkpoint.Describe(o)
		o.Close()
		if err != nil {
			return nil, fmt.Errorf("history of fold %d: %w", index, err)
		}
		if m.Training != nil {
			h.Data = append(h.Data, m.Training.Progress.History...)
		}
		return h, nil
	}
	return nil, &jobs.Error{Code: jobs.Unavailable, Detail: "the fold's checkpoints are being replaced: try again"}
}

// outOfFold is what a fold that has ended left.
func (a *TrainingJobs) outOfFold(ctx context.Context, id string, index int) (*OutOfFold, error) {
	if _, err := a.Store.Job(ctx, id); err != nil {
		return nil, err
	}
	folds, err := a.Store.Folds(ctx, id)
	if err != nil {
		return nil, err
	}
	if index >= len(folds) {
		return nil, &jobs.Error{Code: jobs.NotFound, Detail: fmt.Sprintf("the job has no fold %d (yet)", index)}
	}
	o := &OutOfFold{Object: "list", Targets: []checkpoint.Target{}, Data: []OutOfFoldRow{}}
	err = a.read(ctx, fmt.Sprintf("jobs/%s/folds/%d/predictions.json", id, index), o)
	if errors.Is(err, storage.ErrNotExist) {
		return nil, &jobs.Error{Code: jobs.Conflict, Detail: fmt.Sprintf("fold %d has not been scored: it is when it has trained to its end", index)}
	}
	return o, err
}

// writeOutOfFold answers with predictions, as JSON or, if asked for, as CSV.
func (in *foldNamed) writeOutOfFold(o *OutOfFold) {
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
			line = append(line, number(r.Measured[t]), number(r.Predicted[t]))
		}
		c.Write(line)
	}
	c.Flush()
}

// write answers with a history, as JSON or, if asked for, as CSV.
func (in *foldNamed) write(h *History) {
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
		row := []string{strconv.Itoa(e.Epoch), number(e.Loss), number(e.ValLoss)}
		for i := range h.Targets {
			mae := train.Measure(math.NaN())
			if i < len(e.ValMAE) {
				mae = e.ValMAE[i]
			}
			row = append(row, number(mae))
		}
		c.Write(append(row, strconv.FormatFloat(e.LearningRate, 'g', -1, 64), strconv.FormatFloat(e.Seconds, 'g', -1, 64)))
	}
	c.Flush()
}

// number writes a measure, a missing one as nothing.
func number(m train.Measure) string {
	if x := float64(m); !math.IsNaN(x) && !math.IsInf(x, 0) {
		return strconv.FormatFloat(x, 'g', -1, 64)
	}
	return ""
}
