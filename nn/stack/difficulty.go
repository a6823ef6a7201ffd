package stack

import (
	"math"
)

// difficulty predicts how large the error of a prediction is: a sum, with
// coefficients ≥ 0, of a constant, how much the members disagree, how far the
// nearest training polymers are, and how much their values differ. Intervals that
// are to be narrow where a prediction is easy are made of errors divided by it.
type difficulty struct {
	Coefficients [signs]float64 `json:"coefficients"`
	// Floor is the least difficulty: a part of the mean error.
	Floor float64 `json:"floor"`
}

// signs is the number of signs of difficulty, the constant included.
const signs = 4

// of is the difficulty that the signs tell of. It is above 0.
func (d *difficulty) of(sign [signs]float64) float64 {
	sum := 0.0
	for i, c := range d.Coefficients {
		sum += c * sign[i]
	}
	return max(sum, d.Floor)
}

// signsOf are the signs of a polymer: of what its members predict and of its
// neighbours, where they are a member.
func (t *Target) signsOf(members []float64, list []neighbour) [signs]float64 {
	out := [signs]float64{1}
	var mean, square float64
	for m, v := range members {
		mean += t.Weights[m] * v
		square += t.Weights[m] * v * v
	}
	out[1] = math.Sqrt(max(square-mean*mean, 0))
	if t.neighbours != nil {
		out[2], out[3] = t.neighbours.apart(list)
	}
	return out
}

// fitDifficulty fits to the absolute errors of rows with these signs, by least
// squares with coefficients ≥ 0: one after the other, until nothing moves.
func fitDifficulty(sign [][signs]float64, errors, weight []float64) difficulty {
	var d difficulty
	var square [signs][signs]float64
	var product [signs]float64
	mean, total := 0.0, 0.0
	for i, s := range sign {
		for a := range signs {
			for b := range signs {
				square[a][b] += weight[i] * s[a] * s[b]
			}
			product[a] += weight[i] * s[a] * errors[i]
		}
		mean, total = mean+weight[i]*errors[i], total+weight[i]
	}
	if total == 0 || mean == 0 {
		d.Floor = 1
		return d
	}
	mean /= total
	d.Floor = mean / 5
	for a := 1; a < signs; a++ { // a ridge of a few rows' worth
		square[a][a] *= 1 + 5/float64(len(sign))
	}
	for range 1000 {
		moved := 0.0
		for a := range signs {
			if square[a][a] == 0 {
				continue
			}
			left := product[a]
			for b := range signs {
				if b != a {
					left -= square[a][b] * d.Coefficients[b]
				}
			}
			next := max(left/square[a][a], 0)
			moved = max(moved, math.Abs(next-d.Coefficients[a])*math.Sqrt(square[a][a]/total)/mean)
			d.Coefficients[a] = next
		}
		if moved < 1e-9 {
			break
		}
	}
	return d
}
