package stack

import (
	"math"
	"slices"
)

// target is one property as the members learn it.
type target struct {
	value    []float64 // by row, NaN where it is not measured
	weight   []float64 // by row; nil is 1
	bound    []int8    // by row, see trees.Target; nil is measured
	fold     []int32   // by row: the fold that validates it, -1 for none
	group    []int32   // by row
	folds    int
	measured []int // rows with a value that is no bound, ascending
	known    []int // those and the bounds

	neighbourSetting struct {
		k     int
		power float64
	}
}

func newTarget(t *Table, k int) *target {
	out := &target{value: t.Values[k], weight: t.Weight, fold: t.Fold, group: t.Group, folds: t.folds()}
	if t.Bound != nil {
		out.bound = t.Bound[k]
	}
	for r, v := range out.value {
		if math.IsNaN(v) || out.fold[r] < 0 {
			continue
		}
		out.known = append(out.known, r)
		if out.bound == nil || out.bound[r] == 0 {
			out.measured = append(out.measured, r)
		}
	}
	return out
}

// bounds lists the rows whose value is a bound.
func (t *target) bounds() []int {
	if len(t.known) == len(t.measured) {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(t.known), func(r int) bool { return t.bound[r] == 0 })
}

// met reports whether the value of row r is a bound that a prediction keeps.
func (t *target) met(r int, predicted float64) bool {
	return t.bound != nil && t.bound[r] != 0 && (predicted-t.value[r])*float64(t.bound[r]) >= 0
}

func (t *target) weightOf(r int) float64 {
	if t.weight == nil {
		return 1
	}
	return t.weight[r]
}

// outside lists the rows of a list that fold f does not validate.
func (t *target) outside(rows []int, f int) []int {
	out := make([]int, 0, len(rows))
	for _, r := range rows {
		if int(t.fold[r]) != f {
			out = append(out, r)
		}
	}
	return out
}

// holdOut parts rows into those to fit and those, a fifth, to judge a setting by.
// Groups stay together: the hash of a group decides, so that it is the same for
// every member.
func (t *target) holdOut(rows []int) (fitted, held []int) {
	for _, r := range rows {
		if hash(uint64(t.group[r]))%5 == 0 {
			held = append(held, r)
		} else {
			fitted = append(fitted, r)
		}
	}
	if len(held) == 0 || len(fitted) == 0 { // a group or two: the rows themselves
		n := max(1, len(rows)/5)
		return slices.Clone(rows[n:]), slices.Clone(rows[:n])
	}
	return fitted, held
}

// hash is the finalizer of SplitMix64.
func hash(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
