package stack

import (
	"cmp"
	"math"
	"slices"

	"polyid-trainer/nn/sparse"
)

// neighbours predicts the mean of the nearest training polymers, by Tanimoto
// similarity of their counts of Morgan environments.
type neighbours struct {
	counts *sparse.Matrix // of the training rows
	total  []float32      // of each row: the sum of its counts
	value  []float64
	weight []float64
	fold   []int32
	mean   []float64 // by fold: of the rows outside it
	k      int
	power  float64 // of the similarity that a neighbour weighs
}

// neighbour is a training row and how alike it is.
type neighbour struct {
	row        int
	similarity float32
}

// candidates are how many neighbours, and how steeply they weigh, is tried.
var neighbourSettings = []struct {
	k     int
	power float64
}{{1, 1}, {3, 2}, {5, 2}, {5, 4}, {10, 4}, {20, 8}}

// nearest is the number of neighbours that the settings look at.
const nearest = 20

// fitNeighbours remembers the rows of a target and chooses the setting that
// predicts each of them best from those of other folds.
func fitNeighbours(s *Space, x *sparse.Matrix, t *target) *neighbours {
	n := &neighbours{counts: &sparse.Matrix{Cols: len(s.Hashes)}}
	for _, r := range t.measured {
		index, value := s.environments(x.Row(r))
		n.counts.Append(index, value)
		n.total = append(n.total, sum(value))
		n.value = append(n.value, float64(float32(t.value[r]))) // as files hold it
		n.weight = append(n.weight, float64(float32(t.weightOf(r))))
		n.fold = append(n.fold, t.fold[r])
	}
	n.setMeans(t.folds)
	lists := make([][]neighbour, len(n.value))
	for i := range lists {
		index, value := n.counts.Row(i)
		lists[i] = n.near(index, value, n.fold[i])
	}
	best := math.Inf(1)
	for _, setting := range neighbourSettings {
		n.k, n.power = setting.k, setting.power
		e := 0.0
		for i, list := range lists {
			e += n.weight[i] * math.Abs(n.average(list, n.fold[i])-n.value[i])
		}
		if e < best {
			best = e
			t.neighbourSetting = setting
		}
	}
	n.k, n.power = t.neighbourSetting.k, t.neighbourSetting.power
	return n
}

func (n *neighbours) setMeans(folds int) {
	n.mean = make([]float64, folds)
	for f := range n.mean {
		total, weight := 0.0, 0.0
		for i, v := range n.value {
			if int(n.fold[i]) != f {
				total, weight = total+n.weight[i]*v, weight+n.weight[i]
			}
		}
		n.mean[f] = total / max(weight, math.SmallestNonzeroFloat64)
	}
}

// near lists the nearest rows outside fold, the most alike first. Cost: the stored
// counts of all rows.
func (n *neighbours) near(index []int32, value []float32, fold int32) []neighbour {
	own := sum(value)
	var list []neighbour
	for i := range n.value {
		if n.fold[i] == fold {
			continue
		}
		other, counts := n.counts.Row(i)
		shared := overlap(index, value, other, counts)
		if shared == 0 {
			continue
		}
		s := shared / (own + n.total[i] - shared)
		if len(list) == nearest && s <= list[nearest-1].similarity {
			continue
		}
		at, _ := slices.BinarySearchFunc(list, s, func(a neighbour, s float32) int {
			return cmp.Or(cmp.Compare(s, a.similarity), -1) // after its equals
		})
		list = slices.Insert(list, at, neighbour{i, s})
		list = list[:min(len(list), nearest)]
	}
	return list
}

// average is the weighted mean of the first k of a list, and a little of the mean
// of all, which is what remains where nothing is alike.
func (n *neighbours) average(list []neighbour, fold int32) float64 {
	const prior = 1e-3
	total, weight := prior*n.mean[fold], prior
	for _, nb := range list[:min(len(list), n.k)] {
		w := math.Pow(float64(nb.similarity), n.power) * n.weight[nb.row]
		total, weight = total+w*n.value[nb.row], weight+w
	}
	return total / weight
}

// around lists the nearest rows outside fold of a row of the matrix.
func (n *neighbours) around(s *Space, index []int32, value []float32, fold int32) []neighbour {
	index, value = s.environments(index, value)
	return n.near(index, value, fold)
}

// environments are the counts of a row of the matrix, numbered from the first
// environment.
func (s *Space) environments(index []int32, value []float32) ([]int32, []float32) {
	first := int32(s.first())
	from, _ := slices.BinarySearch(index, first)
	moved := make([]int32, 0, len(index)-from)
	for _, c := range index[from:] {
		moved = append(moved, c-first)
	}
	return moved, value[from:]
}

// closest is how many neighbours say how well a polymer is known.
const closest = 5

// apart says how far the closest neighbours are, 0 to 1, and how much their values
// differ.
func (n *neighbours) apart(list []neighbour) (distance, spread float64) {
	list = list[:min(len(list), closest)]
	distance = 1
	var sum, square, weight float64
	for _, nb := range list {
		s := float64(nb.similarity)
		distance -= s / closest
		v := n.value[nb.row]
		sum, square, weight = sum+s*v, square+s*v*v, weight+s
	}
	if weight == 0 {
		return distance, 0
	}
	mean := sum / weight
	return distance, math.Sqrt(max(square/weight-mean*mean, 0))
}

func sum(values []float32) (s float32) {
	for _, v := range values {
		s += v
	}
	return s
}

// overlap is the sum of the lesser counts of what two rows share.
func overlap(a []int32, x []float32, b []int32, y []float32) (s float32) {
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] < b[j]:
			i++
		case a[i] > b[j]:
			j++
		default:
			s += min(x[i], y[j])
			i++
			j++
		}
	}
	return s
}
