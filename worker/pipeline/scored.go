package pipeline

import (
	"context"

	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/train"
)

// Scored is what a fold predicts for the rows that it did not see. It is there
// as soon as the fold ends, for people who watch; the revision's own predictions
// are made anew from the models.
type Scored struct {
	Targets []checkpoint.Target `json:"targets"`
	Data    []ScoredRow         `json:"data"`
}

// ScoredRow is one row, in the targets' own units.
type ScoredRow struct {
	Row       int             `json:"row"`      // of the job's table, from 0
	Measured  []train.Measure `json:"measured"` // of each target; missing where nobody measured it
	Predicted []train.Measure `json:"predicted"`
}

// score is the Scored of a fold's model on rows. Cost: one pass over them, about
// that of the validation after an epoch.
func (p *Pipeline) score(ctx context.Context, c *corpus, m *checkpoint.Model, rows []int) (*Scored, error) {
	chains, _, err := p.predict(ctx, c, m, rows, nil)
	if err != nil {
		return nil, err
	}
	k := len(m.Targets)
	predicted := c.mean(rows, chains, k)
	out := &Scored{Targets: m.Targets, Data: make([]ScoredRow, len(rows))}
	for n, row := range rows {
		out.Data[n] = ScoredRow{Row: row, Measured: measures(c.table.Values(row)), Predicted: measures(predicted[n*k : (n+1)*k])}
	}
	return out, nil
}

func measures(values []float64) []train.Measure {
	out := make([]train.Measure, len(values))
	for i, v := range values {
		out[i] = train.Measure(v)
	}
	return out
}
