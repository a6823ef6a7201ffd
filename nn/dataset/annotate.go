package dataset

import (
	"polyid-trainer/data"
	"polyid-trainer/nn"
)

// annotate takes the weights and bounds of a table's rows; see FoldOf for of.
func (x *Examples) annotate(table *data.Table, of []int32, s data.Scaler) {
	row := func(i int) int {
		if of != nil {
			return int(of[x.rows[i]])
		}
		return int(x.rows[i])
	}
	if table.Weight != nil {
		x.weights = make([]float64, len(x.rows))
		for i := range x.rows {
			x.weights[i] = table.WeightOf(row(i))
		}
	}
	if table.Side == nil {
		return
	}
	x.bounds = make([][]nn.Bound, len(x.rows))
	for i := range x.rows {
		for t := range x.width {
			at := row(i)*x.width + t
			if side := table.Side[at]; side != 0 {
				x.bounds[i] = append(x.bounds[i], nn.Bound{Target: t, Value: float32((table.Bound[at] - s.Center[t]) / s.Scale[t]), Side: side})
			}
		}
	}
}

// weigh scales the weights to a mean of 1 over the rows that have one above 0, so
// that the size of a step does not depend on how a table writes them.
func (x *Examples) weigh() {
	sum, n := 0.0, 0
	for _, w := range x.weights {
		if w > 0 {
			sum, n = sum+w, n+1
		}
	}
	for i := range x.weights {
		if sum > 0 {
			x.weights[i] *= float64(n) / sum
		}
	}
}

// Weight is what row i counts in the loss.
func (x *Examples) Weight(i int) float64 {
	if x.weights == nil {
		return 1
	}
	return x.weights[i]
}

// Bounds are what is known of targets that row i has no value of.
func (x *Examples) Bounds(i int) []nn.Bound {
	if x.bounds == nil {
		return nil
	}
	return x.bounds[i]
}
