package revision

import (
	"bytes"
	"encoding/csv"
	"math"
	"strconv"

	"polyid-trainer/nn/checkpoint"
	"polyid-trainer/nn/ensemble"
	"polyid-trainer/nn/stack"
	"polyid-trainer/nn/train"
)

// Holdout is the Fold of a row that no fold saw.
const Holdout = -1

// Prediction is one row as models that did not learn from it predict it: the
// fold that validated it, or for a hold-out row all of them.
type Prediction struct {
	Row       int       // of the table, or of the hold-out table where that is another one
	Fold      int       // or Holdout
	Group     int32     // rows of one polymer share it, see data.Partition
	Polymer   string    // as the row states it
	Measured  []float64 // one per target; NaN = unmeasured
	Predicted []float64 // likewise, in the targets' units; of a hold-out row the mean over folds

	// Of a hold-out row only; nil otherwise.
	Std      []float64            // over folds
	Interval []*ensemble.Interval // at the level of the calibration; nil where there is none

	// Of a stack only, one per target; nil otherwise.
	Members    map[stack.Member][]float64 // what each member predicts
	Difficulty []float64                  // see stack.Prediction
}

// OutOfFold makes the prediction of a row by the fold that validated it.
func OutOfFold(row, fold int, group int32, polymer string, measured, predicted []float64) Prediction {
	return Prediction{Row: row, Fold: fold, Group: group, Polymer: polymer, Measured: measured, Predicted: predicted}
}

// HeldOut makes the prediction of a row of the hold-out set.
func HeldOut(row int, group int32, polymer string, measured []float64, p *ensemble.Prediction) Prediction {
	out := Prediction{Row: row, Fold: Holdout, Group: group, Polymer: polymer, Measured: measured}
	for _, v := range p.Values {
		out.Predicted = append(out.Predicted, v.Mean)
		out.Std = append(out.Std, v.Std)
		out.Interval = append(out.Interval, v.Interval)
	}
	return out
}

// CalibrationRows are the out-of-fold rows among ps, for ensemble.Calibrate.
func CalibrationRows(ps []Prediction) []ensemble.OutOfFold {
	var rows []ensemble.OutOfFold
	for _, p := range ps {
		if p.Fold != Holdout {
			rows = append(rows, ensemble.OutOfFold{Fold: p.Fold, Group: p.Group, Measured: p.Measured, Predicted: p.Predicted, Difficulty: p.Difficulty})
		}
	}
	return rows
}

// predictionsCSV writes predictions.csv. The fold of a hold-out row is
// "holdout"; unmeasured values are blank. Without rows it holds neither structures nor
// measured values.
func predictionsCSV(targets []checkpoint.Target, ps []Prediction, level float64, rows bool) ([]byte, error) {
	var b bytes.Buffer
	percent := ensemble.LevelName(level)
	w := csv.NewWriter(&b)
	head := []string{"row", "fold", "group"}
	if rows {
		head = append(head, "polymer")
	}
	for _, t := range targets {
		if rows {
			head = append(head, t.Name)
		}
		head = append(head, t.Name+"_pred", t.Name+"_pred_std", t.Name+"_pred_lo"+percent, t.Name+"_pred_hi"+percent)
	}
	if err := w.Write(head); err != nil {
		return nil, err
	}
	for _, p := range ps {
		fold := "holdout"
		if p.Fold != Holdout {
			fold = strconv.Itoa(p.Fold)
		}
		line := []string{strconv.Itoa(p.Row), fold, strconv.Itoa(int(p.Group))}
		if rows {
			line = append(line, p.Polymer)
		}
		for t := range targets {
			cells := [5]float64{p.Measured[t], p.Predicted[t], math.NaN(), math.NaN(), math.NaN()}
			if p.Std != nil {
				cells[2] = p.Std[t]
			}
			if p.Interval != nil && p.Interval[t] != nil {
				cells[3], cells[4] = p.Interval[t].Low, p.Interval[t].High
			}
			for i, x := range cells {
				if i == 0 && !rows {
					continue
				}
				line = append(line, number(x))
			}
		}
		if err := w.Write(line); err != nil {
			return nil, err
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// historyCSV writes history.csv: one line per fold and epoch.
func historyCSV(targets []checkpoint.Target, histories [][]train.Epoch) ([]byte, error) {
	var b bytes.Buffer
	w := csv.NewWriter(&b)
	head := []string{"fold", "epoch", "loss", "val_loss", "learning_rate", "seconds"}
	for _, t := range targets {
		head = append(head, "val_mae_"+t.Name)
	}
	if err := w.Write(head); err != nil {
		return nil, err
	}
	for fold, history := range histories {
		for _, e := range history {
			line := []string{strconv.Itoa(fold), strconv.Itoa(e.Epoch), number(float64(e.Loss)), number(float64(e.ValLoss)), number(e.LearningRate), number(e.Seconds)}
			for t := range targets {
				line = append(line, number(float64(e.ValMAE[t])))
			}
			if err := w.Write(line); err != nil {
				return nil, err
			}
		}
	}
	w.Flush()
	return b.Bytes(), w.Error()
}

// number writes x so that it reads back as itself, and NaN as a blank.
func number(x float64) string {
	if math.IsNaN(x) {
		return ""
	}
	return strconv.FormatFloat(x, 'g', -1, 64)
}
