package pipeline

import "sync/atomic"

// Totals counts what a process did since it started.
type Totals struct {
	Steps, Epochs, Folds atomic.Int64
	FoldMillis           atomic.Int64 // from claim to end, of the folds that ended here
}

// Map is the counts by name, as they are published.
func (t *Totals) Map() map[string]float64 {
	return map[string]float64{
		"steps": float64(t.Steps.Load()), "epochs": float64(t.Epochs.Load()), "folds": float64(t.Folds.Load()),
		"fold_seconds": float64(t.FoldMillis.Load()) / 1000,
	}
}
