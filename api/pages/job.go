package pages

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"

	"polyid-trainer/api/httpapi"
	"polyid-trainer/api/web"
	"polyid-trainer/jobs"
)

// jobPage is a job as it stands when the page is asked for; from there its
// events go on.
type jobPage struct {
	Title    string          `json:"-"`
	Kind     string          `json:"-"` // of badge
	Progress string          `json:"-"`
	Folds    []foldLine      `json:"-"`
	Spec     string          `json:"-"` // as JSON
	Shown    []httpapi.Event `json:"-"` // newest first

	Job         jobs.View       `json:"job"`
	Events      []httpapi.Event `json:"events"` // oldest first
	CostPerHour float64         `json:"cost_per_hour"`
}

// foldLine is what people read of a fold.
type foldLine struct {
	Index, Number, Epoch, Epochs int
	Line                         string
}

// Measures heads the table of errors.
func (*jobPage) Measures() []string {
	return []string{"Property", "MAE", "Baseline MAE", "RMSE", "R²", "Rows", "Polymers"}
}

func (a *Training) job(ctx context.Context, id string) (*jobPage, error) {
	j, err := a.Store.Job(ctx, id)
	if err != nil {
		return nil, err
	}
	v, err := a.View(ctx, j)
	if err != nil {
		return nil, err
	}
	spec, err := json.MarshalIndent(j.Spec, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("show %s: %w", id, err)
	}
	p := &jobPage{Job: v, Spec: string(spec), Kind: badge(v.Status), CostPerHour: a.CostPerHour}
	p.Title = strings.Join(v.Targets, ", ")
	if len(v.Targets) > 4 {
		p.Title = fmt.Sprintf("%s and %d more", strings.Join(v.Targets[:3], ", "), len(v.Targets)-3)
	}
	p.Title += " · " + strings.Join(v.Dataset, " + ")
	p.Progress = fmt.Sprintf("%.0f %% · %d of %d epochs", math.Floor(v.Progress.Fraction*100), v.Progress.EpochsDone, v.Progress.EpochsTotal)
	if eta := v.Progress.ETASeconds; eta != nil {
		p.Progress += " · ETA " + web.Duration(*eta)
	}
	for i := range v.Folds {
		p.Folds = append(p.Folds, lineOf(&v.Folds[i], len(v.Folds)))
	}
	for i := range j.Events {
		p.Events = append(p.Events, httpapi.NewEvent(j.Events, j.Deliveries, i))
	}
	p.Shown = slices.Clone(p.Events)
	slices.Reverse(p.Shown)
	return p, nil
}

// lineOf says where a fold stands, like "Fold 1/5: Epoch 245/500 · loss 0.234 · ETA 2.5 h".
func lineOf(f *jobs.FoldView, of int) foldLine {
	l := foldLine{Index: f.Index, Number: f.Index + 1, Epoch: f.Epoch, Epochs: f.Epochs}
	parts := []string{fmt.Sprintf("Fold %d/%d: Epoch %d/%d", l.Number, of, f.Epoch, f.Epochs)}
	if known(float64(f.Loss)) {
		parts = append(parts, "loss "+web.Number(float64(f.Loss)))
	}
	switch {
	case f.Status == jobs.FoldRunning && f.ETASeconds != nil:
		parts = append(parts, "ETA "+web.Duration(*f.ETASeconds))
	case f.Status == jobs.FoldSucceeded && known(float64(f.BestValLoss)):
		parts = append(parts, "best val_loss "+web.Number(float64(f.BestValLoss)), "done")
	case f.Status != jobs.FoldRunning:
		parts = append(parts, string(f.Status))
	}
	l.Line = strings.Join(parts, " · ")
	return l
}

func known(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// badge is the kind of badge that shows a state.
func badge(s jobs.State) string {
	switch {
	case s == jobs.Succeeded:
		return "good"
	case s == jobs.Failed:
		return "bad"
	case s == jobs.Paused:
		return "warn"
	case s.Active() && s != jobs.Queued:
		return "busy"
	}
	return ""
}
