package revision

import (
	"fmt"
	"math"
	"strings"

	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/revision/internal/plot"
)

// writeFigures writes the images for the card: for each target predicted
// against measured values, and the folds' losses by epoch.
func (r *Revision) writeFigures(put Put) error {
	for t, target := range r.Config.Targets {
		if r.Predictions == nil {
			break
		}
		body, err := parity(t, target, r.Predictions).PNG()
		if err != nil {
			return err
		}
		if err := put(fmt.Sprintf("%s/parity_%d_%s.png", PlotsDir, t, fileName(target.Name)), body); err != nil {
			return err
		}
	}
	if r.History == nil {
		return nil
	}
	body, err := r.losses().PNG()
	if err != nil {
		return err
	}
	return put(PlotsDir+"/loss.png", body)
}

// parity shows the predictions of target t against what was measured.
func parity(t int, target checkpoint.Target, ps []Prediction) *plot.Figure {
	seen := plot.Series{Name: "out of fold", Color: plot.Colors[0]}
	held := plot.Series{Name: "hold-out", Color: plot.Colors[1]}
	for _, p := range ps {
		s := &seen
		if p.Fold == Holdout {
			s = &held
		}
		if !math.IsNaN(p.Measured[t]) {
			s.X, s.Y = append(s.X, p.Measured[t]), append(s.Y, p.Predicted[t])
		}
	}
	units := parenthesis(target.Units)
	f := &plot.Figure{Title: target.Name, X: strings.TrimSpace("measured " + units), Y: strings.TrimSpace("predicted " + units), Diagonal: true, Series: []plot.Series{seen}}
	if held.X != nil {
		f.Series = append(f.Series, held)
	}
	return f
}

// losses shows each fold's validation loss by epoch.
func (r *Revision) losses() *plot.Figure {
	f := &plot.Figure{Title: "Validation loss by epoch", X: "epoch", Y: "scaled mean absolute error", Whole: true}
	for k, history := range r.History {
		s := plot.Series{Name: fmt.Sprintf("fold %d", k), Color: plot.Colors[k%len(plot.Colors)], Curve: true}
		for _, e := range history {
			s.X, s.Y = append(s.X, float64(e.Epoch)), append(s.Y, float64(e.ValLoss))
		}
		f.Series = append(f.Series, s)
	}
	return f
}

// fileName keeps of a name what any file system takes.
func fileName(name string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9', c == '_', c == '-':
			return c
		}
		return '_'
	}, name[:min(len(name), 60)])
}
