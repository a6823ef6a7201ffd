package train

import (
	"fmt"
	"math"
	"strings"
)

// explosion is how often the largest |target| a loss may measure before the
// training is given up. A healthy one begins near 1 and PolyID's worst first
// epochs stay below 10; at 10,000 the weights are lost, not merely bad.
const explosion = 1e4

// DivergedError says that a training was stopped because its loss was no number
// or had exploded: see Fit. The weights are worth nothing then; a lower learning
// rate may train.
type DivergedError struct {
	Epoch      int  // from 1
	Validating bool // in the pass after the epoch
	Rows       []int
	Loss       float64
	Limit      float64 // above which a loss counts as exploded
}

func (e *DivergedError) Error() string {
	rows := strings.Trim(fmt.Sprint(e.Rows), "[]")
	if len(e.Rows) == 1 {
		rows = "row " + rows
	} else {
		rows = "rows " + strings.ReplaceAll(rows, " ", ", ")
	}
	what := "loss"
	if e.Validating {
		what = "validation loss"
	}
	if math.IsNaN(e.Loss) || math.IsInf(e.Loss, 0) {
		return fmt.Sprintf("epoch %d, %s: the %s is %v; a lower learning rate may help", e.Epoch, rows, what, e.Loss)
	}
	return fmt.Sprintf("epoch %d, %s: the %s exploded to %.3g, above %.3g; a lower learning rate may help", e.Epoch, rows, what, e.Loss, e.Limit)
}

// lost reports whether loss is no number, infinite or above limit.
func lost(loss, limit float64) bool { return !(loss <= limit) }
